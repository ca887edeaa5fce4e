"""Rows on their way into PostgreSQL, MariaDB and DuckDB: what arrives, and what a failure leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from airflow.providers.common.sql.hooks.sql import DbApiHook
from airflow.sdk import DAG, Connection
from airflow.sdk.exceptions import AirflowFailException

from platform_ops.sources.sql import ArchivingSqlToSqlOperator
from platform_ops.testing.runner import TaskResult, run_task
from tests import servers

AUDIT = "archive_slot varchar(200), archive_revision int, archive_run varchar(200)"
COLUMNS = (
    "id int, price numeric(18,4), wide numeric, at timestamptz, plain timestamp, about jsonb, "
    "tags text[], words text, raw bytea, uid uuid, span interval, day date, open time, ok bool, "
    "ratio float8"
)
ODD = "tab\tnewline\n\\.\nreturn\r backslash\\N \"quoted\", 'single', {braces} é"
ROWS = (
    f"INSERT INTO exact VALUES (1, 1.25, 12345678901234567890123.5, "
    f"'2024-03-05 12:00:00.000001+02', '2024-03-05 12:00', '{{\"a\": \"\\n\"}}', "
    f"ARRAY[%s, NULL, '', 'NULL'], %s, '\\x00ff5c', '00000000-0000-0000-0000-000000000001', "
    f"'1 day 2 hours', '2024-03-05', '13:00:00.5', true, 'NaN'), "
    f"(2{', NULL' * 14})"
)


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[psycopg.Connection]:
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", f"file://{tmp_path}/archive")
    server = servers.running("postgres")
    about = {"host": "127.0.0.1", "port": server.port, "schema": "postgres", "login": "archivist"}
    told = {"conn_type": "archiving_postgres", "password": server.password, **about}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(told))
    with server.connect() as owner:
        owner.execute("DROP TABLE IF EXISTS exact, loaded")
        owner.execute(f"CREATE TABLE exact ({COLUMNS})")
        owner.execute(ROWS, (ODD, ODD))
        owner.execute(f"CREATE TABLE loaded ({COLUMNS}, {AUDIT})")
        yield owner


def load(to: str = "shop", run_id: str = "first", **arguments: Any) -> TaskResult:
    given = {
        "table": "exact",
        "order_by": "id",
        "to_table": "loaded",
        "conn_id": "shop",
        **arguments,
    }
    with DAG("sql"):
        operator = ArchivingSqlToSqlOperator(
            task_id="load", entity="shop.rows", to_conn_id=to, retries=1, **given
        )
    return run_task(operator, at="2024-03-05", run_id=run_id)


def test_postgres_takes_every_type_as_it_was(postgres: psycopg.Connection) -> None:
    ran = load()
    assert ran.state == "success", ran.error
    names = ", ".join(each.split()[0] for each in COLUMNS.split(", "))
    before = postgres.execute(f"SELECT {names} FROM exact ORDER BY id").fetchall()
    after = postgres.execute(f"SELECT {names} FROM loaded ORDER BY id").fetchall()
    assert repr(after) == repr(before)  # NaN is not itself
    told = postgres.execute(
        "SELECT DISTINCT archive_slot, archive_revision, archive_run FROM loaded"
    )
    assert told.fetchall() == [("shop.rows 2024-03-05T00:00:00+00:00", 1, "first")]


def test_what_fails_last_leaves_postgres_as_it_was(postgres: psycopg.Connection) -> None:
    postgres.execute("INSERT INTO loaded (id) VALUES (-1)")
    ran = load(before="DELETE FROM loaded", after="INSERT INTO loaded (id) VALUES ('no number')")
    assert isinstance(ran.error, AirflowFailException)
    assert postgres.execute("SELECT id FROM loaded").fetchall() == [(-1,)]


def test_rows_that_a_trigger_drops_fail_the_load(postgres: psycopg.Connection) -> None:
    postgres.execute(
        "CREATE OR REPLACE FUNCTION drop_row() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END'"
    )
    postgres.execute(
        "CREATE TRIGGER dropping BEFORE INSERT ON loaded FOR EACH ROW EXECUTE FUNCTION drop_row()"
    )
    ran = load()
    assert "took 1 of 2 rows" in str(ran.error)
    assert postgres.execute("SELECT count(*) FROM loaded").fetchone() == (0,)


def test_a_column_that_the_target_lacks_is_told(postgres: psycopg.Connection) -> None:
    postgres.execute("ALTER TABLE loaded DROP COLUMN words")
    ran = load()
    assert "there is no such column" in str(ran.error)
    assert "return" not in str(ran.error)


def test_duckdb_takes_what_postgres_gave(
    postgres: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "warehouse.duckdb"
    with closing(duckdb.connect(str(file))) as made:
        made.execute(
            "CREATE TABLE loaded (id int, price decimal(18,4), since timestamptz, about json, "
            f"tags text[], words text, raw blob, uid uuid, {AUDIT})"
        )
    told = {"conn_type": "archiving_duckdb", "host": str(file)}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(told))
    query = "SELECT id, price, at AS since, about, tags, words, raw, uid FROM exact"
    ran = load("warehouse", table=None, sql=query)
    assert ran.state == "success", ran.error
    failed = load("warehouse", "second", table=None, sql=query, after="SELECT nothing FROM loaded")
    assert "there is no such column" in str(failed.error)
    with closing(duckdb.connect(str(file))) as made:
        rows = made.execute(
            "SELECT price::text, about::text, tags, words, raw, uid::text, archive_run FROM loaded "
            "ORDER BY id"
        ).fetchall()
    assert rows == [
        (
            *("1.2500", '{"a": "\\n"}', [ODD, None, "", "NULL"], ODD, b"\x00\xff\\"),
            *("00000000-0000-0000-0000-000000000001", "first"),
        ),
        (*[None] * 6, "first"),
    ]


def test_mariadb_takes_what_postgres_gave_in_one_transaction(
    postgres: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = servers.running("mariadb")
    about = {"host": "127.0.0.1", "port": server.port, "schema": "shop", "login": "archivist"}
    told = {"conn_type": "archiving_mysql", "password": server.password, **about}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(told))
    with closing(server.connect()) as owner, owner.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS loaded")
        cursor.execute(f"CREATE TABLE loaded (id int, price decimal(18,4), words text, {AUDIT})")
        query = "SELECT id, price, words FROM exact"
        ran = load("warehouse", table=None, sql=query)
        assert ran.state == "success", ran.error
        failed = load(
            "warehouse", "second", table=None, sql=query, after="SELECT nothing FROM loaded"
        )
        assert "there is no such column" in str(failed.error)
        cursor.execute("SELECT words, archive_run FROM loaded ORDER BY id")
        assert cursor.fetchall() == ((ODD, "first"), (None, "first"))


def test_mariadb_takes_many_rows_with_each_insert(
    postgres: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = servers.running("mariadb")
    about = {"host": "127.0.0.1", "port": server.port, "schema": "shop", "login": "archivist"}
    told = {"conn_type": "archiving_mysql", "password": server.password, **about}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(told))
    with closing(server.connect()) as owner, owner.cursor() as cursor:

        def inserts() -> int:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Com_insert'")
            return int(cursor.fetchall()[0][1])

        cursor.execute("DROP TABLE IF EXISTS loaded")
        cursor.execute(f"CREATE TABLE loaded (n int, words text, {AUDIT})")
        before = inserts()
        query = "SELECT n, n::text AS words FROM generate_series(1, 30000) AS n"
        ran = load("warehouse", table=None, order_by="n", sql=query)
        assert ran.state == "success", ran.error
        assert inserts() - before < 30
        cursor.execute("SELECT count(*), sum(n) FROM loaded")
        assert cursor.fetchall() == ((30_000, 30_000 * 30_001 // 2),)
    assert "through inserts of ArchivingMySqlHook, in place of 0" in caplog.text


class OddHook(DbApiHook):
    """A hook of somebody else's, for a database of which nothing is known but PEP 249."""

    conn_name_attr = "odd_conn_id"

    def get_conn(self) -> Any:  # Any: psycopg's connection
        return psycopg.connect(servers.running("postgres").dsn)


def test_any_other_database_is_read_and_loaded_through_its_cursor(
    postgres: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told = {"conn_type": "oddbase", "host": "127.0.0.1", "schema": "postgres"}
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps(told))
    known: Any = Connection.get_hook  # Any: Airflow's is untyped

    def get_hook(self: Connection, **given: Any) -> Any:  # Any: a hook
        return OddHook(self.conn_id) if self.conn_type == "oddbase" else known(self, **given)

    monkeypatch.setattr(Connection, "get_hook", get_hook)
    query = "SELECT id, price, words, at, raw, day FROM exact"
    given: dict[str, Any] = {"conn_id": "odd", "table": None, "sql": query}
    ran = load("odd", **given)
    assert ran.state == "success", ran.error
    assert "connection odd: read through the cursor of OddHook" in caplog.text
    assert "through inserts of OddHook, in place of 0" in caplog.text
    rows = postgres.execute(
        "SELECT l.archive_run, (l.price, l.words, l.at, l.raw, l.day) IS NOT DISTINCT FROM "
        "(e.price, e.words, e.at, e.raw, e.day) FROM loaded l JOIN exact e USING (id) ORDER BY id"
    ).fetchall()
    assert rows == [("first", True), ("first", True)]
    failed = load("odd", "second", after="SELECT nothing FROM loaded", **given)
    assert "there is no such column" in str(failed.error)
    runs = postgres.execute("SELECT DISTINCT archive_run FROM loaded").fetchall()
    assert runs == [("first",)]
    gone = load("odd", "third", conn_id="odd", table="no_such_table")
    assert "there is no such table or view" in str(gone.error)
