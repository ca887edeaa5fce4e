"""Rows without number: memory stays flat, and a kill in the middle leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from platform_ops import archive
from tests import servers

ONE_TASK = """
import json
import sys

from airflow.sdk import DAG

from platform_ops.sources.sql import ArchivingSqlOperator, ArchivingSqlToSqlOperator
from platform_ops.testing.runner import run_task

arguments = json.loads(sys.argv[1])
operator = ArchivingSqlToSqlOperator if "to_table" in arguments else ArchivingSqlOperator
with DAG("sql"):
    task = operator(task_id="read", entity="shop.many", **arguments)
ran = run_task(task, at="2024-03-05", run_id=sys.argv[2])
assert ran.state == "success", repr(ran.error)
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]) >> 10)
"""
POSTGRES = (
    "SELECT n, n::text AS words, n / 7.0 AS share, now() AS at FROM generate_series(1, {}) AS n"
)
WIDE = {
    "postgres": "SELECT n, rpad(n::text, 300, 'word ') AS words FROM generate_series(1, {}) AS n",
    "mariadb": "SELECT seq AS n, rpad(seq, 300, 'word ') AS words FROM seq_1_to_{}",
}
LOADED = {"to_conn_id": "postgres", "to_table": "many"}


@pytest.fixture(autouse=True)
def postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection]:
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", f"file://{tmp_path}/archive")
    server = servers.running("postgres")
    about = {"host": "127.0.0.1", "login": "archivist", "password": server.password}
    told = {"conn_type": "archiving_postgres", "port": server.port, "schema": "postgres", **about}
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES", json.dumps(told))
    with server.connect() as owner:
        owner.execute("DROP TABLE IF EXISTS many")
        owner.execute(
            "CREATE TABLE many (n int, words text, share numeric, at timestamptz, "
            "archive_slot text, archive_revision int, archive_run text)"
        )
        yield owner


@pytest.fixture
def _mariadb(monkeypatch: pytest.MonkeyPatch) -> None:
    server = servers.running("mariadb")
    about = {"host": "127.0.0.1", "login": "archivist", "password": server.password}
    told = {"conn_type": "archiving_mysql", "port": server.port, "schema": "shop", **about}
    monkeypatch.setenv("AIRFLOW_CONN_MARIADB", json.dumps(told))


def started(run_id: str, **arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ONE_TASK, json.dumps(arguments), run_id]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)


def peak_mib(run_id: str, **arguments: object) -> int:
    child = started(run_id, **arguments)
    told, _ = child.communicate()
    assert child.returncode == 0
    return int(told.splitlines()[-1])


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("conn_id", "more"),
    [("postgres", {}), ("postgres", LOADED), ("mariadb", {})],
    ids=["read from PostgreSQL", "loaded into PostgreSQL", "read from MariaDB"],
)
@pytest.mark.usefixtures("_mariadb")
def test_four_times_the_rows_take_no_more_memory(conn_id: str, more: dict[str, str]) -> None:
    few, many = (
        peak_mib(f"rows {size}", conn_id=conn_id, sql=WIDE[conn_id].format(size), **more)
        for size in (300_000, 1_200_000)
    )
    kept = (1_200_000 - 300_000) * 300 >> 20
    assert many <= few + kept // 3, (few, many)


def test_a_kill_while_rows_are_read_leaves_nothing(tmp_path: Path) -> None:
    query = {"conn_id": "postgres", "sql": POSTGRES.format(2_000_000)}
    child = started("killed", **query)
    files = (tmp_path / "archive").rglob
    until(lambda: any(each.is_file() and each.stat().st_size > 1 << 20 for each in files("*")))
    child.kill()
    child.communicate()
    assert list(archive.find("shop.many")) == []
    peak_mib("killed", **query)
    (found,) = archive.find("shop.many")
    assert (found.revision, found.rows) == (1, 2_000_000)


def test_a_kill_while_rows_are_loaded_leaves_the_target_as_it_was(
    postgres: psycopg.Connection,
) -> None:
    postgres.execute("INSERT INTO many (n) VALUES (-1)")
    query = {"conn_id": "postgres", "sql": POSTGRES.format(600_000), "before": "DELETE FROM many"}
    child = started("killed", **query, **LOADED)

    def copies() -> object:
        asked = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY \"many\"%'"
        return postgres.execute(asked).fetchone()

    until(copies)
    child.kill()
    child.communicate()
    assert postgres.execute("SELECT n FROM many").fetchall() == [(-1,)]
    peak_mib("killed", **query, **LOADED)
    told = postgres.execute("SELECT count(*), count(DISTINCT archive_revision) FROM many")
    assert told.fetchone() == (600_000, 1)
