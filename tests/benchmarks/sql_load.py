"""Archived rows into a table of PostgreSQL, beside COPY alone and ``GenericTransfer``.

``python -m tests.benchmarks.sql_load FILE`` writes the table that the site shows; ``LOADED_ROWS`` is its
size.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import page
from tests.benchmarks.measured import Figure, medians, report
from tests.benchmarks.sql_rows import FILL

ROWS: Final = int(os.environ.get("LOADED_ROWS", "200000"))
_BARE: Final = "COPY alone, from text"
_STOCK: Final = "GenericTransfer"
_OURS: Final = "archive, loaded"
HEADER: Final = ("", "thousand rows/s", "× COPY alone", "MiB above the start")
PACKAGES: Final = ("pyarrow", "psycopg", "apache-airflow-providers-common-sql")
_TRACES: Final = "archive_slot text, archive_revision int, archive_run text"
_PIECE_BYTES: Final = 1 << 20


def main() -> dict[str, Figure]:
    """Run every contender in turn; medians by contender."""
    from tests.servers.postgres import started as postgres

    with postgres() as server, tempfile.TemporaryDirectory() as scratch:
        with closing(server.connect()) as owner:
            owner.execute(FILL.format(table="large", rows=ROWS))
            for table in ("bare", "stock", "ours"):
                owner.execute(f"CREATE TABLE {table} (LIKE large)")
            for trace in _TRACES.split(", "):
                owner.execute(f"ALTER TABLE ours ADD COLUMN {trace}")
            text = Path(scratch) / "large.txt"
            with text.open("wb") as file, owner.cursor().copy("COPY large TO STDOUT") as copy:
                for piece in copy:
                    file.write(piece)
        about = {"host": "127.0.0.1", "port": server.port, "schema": "postgres"}
        owned = {**about, "login": "archivist", "password": server.password}
        shared = {
            "AIRFLOW_HOME": scratch,
            "AIRFLOW_CONN_OURS": json.dumps({"conn_type": "archiving_postgres", **owned}),
            "AIRFLOW_CONN_STOCK": json.dumps({"conn_type": "postgres", **owned}),
            "PLATFORM_OPS__ARCHIVE__ROOT": f"file://{scratch}/archive",
            "PLATFORM_OPS__ARCHIVE__INDEX": f"{scratch}/index",
            "POSTGRES_DSN": server.dsn,
            "TEXT": str(text),
        }
        contenders = (_BARE, _STOCK, _OURS)
        return medians("tests.benchmarks.sql_load", contenders, rounds=1, environment=shared)


def rows(figures: Mapping[str, Figure]) -> list[tuple[str, ...]]:
    """The figures as the site shows them."""
    bare = figures[_BARE].seconds
    return [
        (
            name,
            f"{ROWS / each.seconds / 1000:.0f}",
            f"{bare / each.seconds:.2f}",
            f"{each.rise_mib:.0f}",
        )
        for name, each in figures.items()
    ]


def _by_copy() -> None:
    import psycopg

    with (
        psycopg.connect(os.environ["POSTGRES_DSN"]) as connection,
        Path(os.environ["TEXT"]).open("rb") as file,
        connection.cursor().copy("COPY bare FROM STDIN") as copy,
    ):
        while piece := file.read(_PIECE_BYTES):
            copy.write(piece)


def _by_transfer() -> None:
    from airflow.providers.common.sql.operators.generic_transfer import GenericTransfer

    conns = {"source_conn_id": "stock", "destination_conn_id": "stock"}
    _ran(GenericTransfer, sql="SELECT * FROM large", destination_table="stock", **conns)


def _archived(**target: str) -> None:
    """Archive; with a target, what is archived already is loaded, as by a retry."""
    from platform_ops.sources.sql import ArchivingSqlOperator, ArchivingSqlToSqlOperator

    kind = ArchivingSqlToSqlOperator if target else ArchivingSqlOperator
    _ran(kind, entity="benchmark.large", conn_id="ours", table="large", **target)


def _ran(
    operator: Any, **arguments: Any
) -> None:  # Any: of several classes, and their own arguments
    from airflow.sdk import DAG

    from platform_ops.testing.runner import run_task

    with DAG("benchmark"):
        task = operator(task_id="take", **arguments)
    result = run_task(task, at="2015-12-01", run_id="one")
    if result.state != "success":
        raise SystemExit(repr(result.error))


if __name__ == "__main__":
    import airflow.providers.common.sql.operators.generic_transfer  # noqa: F401  # see below
    import psycopg  # noqa: F401  # what each of them imports is not what is measured

    if sys.argv[1] == _BARE:
        report(_by_copy)
    elif sys.argv[1] == _STOCK:
        report(_by_transfer)
    elif sys.argv[1] == _OURS:
        _archived()
        report(lambda: _archived(to_conn_id="ours", to_table="ours"))
    else:
        page.write(Path(sys.argv[1]), HEADER, rows(main()), packages=PACKAGES)
