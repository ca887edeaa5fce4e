"""The table of Airflow's own operators that take something in."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from platform_ops.stock_operators import STOCK_OPERATORS, stock_operator_of


@pytest.mark.parametrize(
    "path",
    [
        "airflow.providers.http.operators.http.HttpOperator",
        "airflow.providers.common.sql.operators.sql.SQLExecuteQueryOperator",
        "airflow.providers.common.sql.operators.generic_transfer.GenericTransfer",
    ],
)
def test_what_is_installed_here_is_there_and_takes_the_connection(path: str) -> None:
    row = STOCK_OPERATORS[path]
    module, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    assert row.connection in inspect.signature(found.__init__).parameters
    assert row.by_type


def test_a_class_that_derives_from_one_counts_as_it() -> None:
    from airflow.providers.http.operators.http import HttpOperator

    class Ours(HttpOperator):
        pass

    paths = [f"{each.__module__}.{each.__qualname__}" for each in Ours.__mro__]
    row = stock_operator_of(paths)
    assert row is not None
    assert row.name == "HttpOperator"
    assert "http_conn_id a connection of a type archiving_…" in row.advice
    assert stock_operator_of(["airflow.sdk.BaseOperator", "builtins.object"]) is None


def test_no_row_is_shadowed_by_another() -> None:
    script = (
        "import sys; from platform_ops import stock_operators as s; "
        "assert len(s._ROWS) == len(s.STOCK_OPERATORS); "
        "assert not {'airflow', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_page_says_of_every_one_what_to_take_instead() -> None:
    text = (Path(__file__).parents[1] / "docs/reference/stock-operators.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    for stock in STOCK_OPERATORS.values():
        said = [line for line in rows if f"`{stock.name}" in line]
        assert any(stock.replacement in line for line in said), stock.name
