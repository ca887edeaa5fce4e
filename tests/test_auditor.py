"""What the auditor tells of DAGs, on the command line and while tasks run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG
from click.testing import CliRunner

from platform_ops import ArchivingHttpOperator
from platform_ops.auditor import ArchiveAuditor, Unarchived, audit, audit_dag, type_of
from platform_ops.cli import main
from platform_ops.settings import Settings
from tests.fakes.statsd import Listener

# Of Airflow's own HttpOperator, which imports a name by its former place.
pytestmark = pytest.mark.filterwarnings("ignore:The `airflow.utils.operator_helpers:FutureWarning")

DAG_FILE = """
from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG
from platform_ops import ArchivingHttpOperator

with DAG("prices"):
    HttpOperator(task_id="fetch", http_conn_id="quotes_api", endpoint="/p", method="GET")
    HttpOperator(task_id="safe", http_conn_id="kept_api", endpoint="/p", method="GET")
    HttpOperator(task_id="send", http_conn_id="quotes_api", endpoint="/p", method="PUT")
    ArchivingHttpOperator(task_id="ours", entity="a.b", http_conn_id="quotes_api", endpoint="/p")
"""


def found_in(dag: DAG, kind: str | None = None, **options: Any) -> list[Unarchived]:
    return list(audit([dag], lambda _: kind, **options))


def test_a_stock_operator_is_told_with_what_to_do() -> None:
    with DAG("prices") as dag:
        HttpOperator(task_id="fetch", http_conn_id="quotes_api", endpoint="/p", method="GET")
        ArchivingHttpOperator(task_id="ours", entity="a.b", endpoint="/p")
    (found,) = found_in(dag)
    assert (found.dag_id, found.task_id, found.system) == ("prices", "fetch", "HTTP")
    assert found.connection == "quotes_api"
    assert found.advice == (
        "use ArchivingHttpOperator, or give http_conn_id a connection of a type archiving_…"
    )


def test_a_documentation_site_is_told_of_one_dag_by_the_sites_own_agreement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml = tmp_path / "platform.toml"
    toml.write_text('[conventions]\narchiving_connections = ["kept_.*"]\n')
    monkeypatch.setenv("PLATFORM_OPS_CONFIG", str(toml))
    with DAG("prices") as dag:
        HttpOperator(task_id="fetch", http_conn_id="quotes_api", endpoint="/p", method="GET")
        HttpOperator(task_id="safe", http_conn_id="kept_api", endpoint="/p", method="GET")

    (found,) = audit_dag(dag)

    assert (found.task_id, found.connection) == ("fetch", "quotes_api")
    assert "ArchivingHttpOperator" in found.advice


def test_a_connection_that_archives_is_enough() -> None:
    with DAG("prices") as dag:
        HttpOperator(task_id="fetch", http_conn_id="quotes_api", endpoint="/p", method="GET")
        SQLExecuteQueryOperator(task_id="query", conn_id="shop_db", sql="SELECT 1")
    assert len(found_in(dag, "http")) == 2
    assert found_in(dag, "archiving_http") == []
    assert [each.task_id for each in found_in(dag, patterns=["quotes_.*"])] == ["query"]


def test_a_mapped_operator_and_a_subclass_count_as_well() -> None:
    class Ours(HttpOperator):
        pass

    with DAG("prices") as dag:
        HttpOperator.partial(task_id="many", http_conn_id="quotes_api").expand(
            endpoint=["/a", "/b"]
        )
        Ours(task_id="derived", endpoint="/p", method="GET")
        HttpOperator(task_id="send", endpoint="/p", method="PUT")
    assert [(each.task_id, each.connection) for each in found_in(dag)] == [
        ("derived", "http_default"),
        ("many", "quotes_api"),
    ]


def test_a_connection_that_nobody_knows_has_no_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_KEPT_API", "archiving-http://shop.example")
    assert type_of("kept_api") == "archiving_http"
    assert type_of("{{ params.conn }}") is None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW_CONN_KEPT_API", "archiving-http://shop.example")
    monkeypatch.setenv("AIRFLOW_CONN_QUOTES_API", "http://market.example")
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "prices.py").write_text(f"{DAG_FILE}\nprint('read')\n")
    return dags


def test_the_command_line_tells_and_fails_where_it_is_asked_to(
    folder: Path, platform_archive: Settings
) -> None:
    def said(*arguments: str) -> tuple[int, str]:
        ran = CliRunner().invoke(main, ["audit", str(folder), *arguments], env={"COLUMNS": "300"})
        return ran.exit_code, ran.stdout

    code, text = said()
    assert code == 0
    assert "1 task of 4 take in what nobody archives" in text
    code, text = said("--json", "--strict")
    lines = [json.loads(line) for line in text.splitlines()]
    assert (code, [each["task_id"] for each in lines]) == (1, ["fetch"])
    (folder / "prices.py").write_text("import nothing_of_this_name  # a dag of airflow\n")
    assert said()[0] == 2


def test_the_listener_counts_a_task_that_archives_nothing(
    statsd: Listener, platform_archive: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_KEPT_API", "archiving-http://shop.example")
    monkeypatch.setenv("AIRFLOW_CONN_QUOTES_API", "http://market.example")
    with DAG("prices"):
        lost = HttpOperator(task_id="fetch", http_conn_id="quotes_api", endpoint="/p", method="GET")
        kept = HttpOperator(task_id="safe", http_conn_id="kept_api", endpoint="/p", method="GET")
    (listener,) = cast("list[Any]", ArchiveAuditor.listeners)

    class Instance:
        def __init__(self, task: object) -> None:
            self.task = task

    for task in (lost, kept):
        listener.on_task_instance_success(None, Instance(task))
    (sent,) = [each for each in statsd.ours() if each.name == "platform_ops.unarchived"]
    assert (sent.tags["source"], sent.tags["entity"]) == ("quotes_api", "fetch")
    assert sent.tags["operator"] == "HttpOperator"


def test_airflow_loads_the_listener_without_being_asked_to(tmp_path: Path) -> None:
    script = (
        "from airflow import plugins_manager\n"
        "plugins, errors = plugins_manager._get_plugins()\n"
        "assert not errors, errors\n"
        "print(*(each.name for each in plugins))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.split().count("platform_ops_auditor") == 1
