"""SQL over SQLite: what is read, in which parts and from where on, what is loaded, and what is refused."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.sql.operators.generic_transfer import GenericTransfer
from airflow.providers.common.sql.operators.sql import (
    SQLColumnCheckOperator,
    SQLExecuteQueryOperator,
)
from airflow.sdk import DAG

from platform_ops import archive
from platform_ops.sources.sql import (
    ArchivingSqlOperator,
    ArchivingSqlToSqlOperator,
    partitions,
)
from platform_ops.sources.tables.statements import is_query
from platform_ops.testing.runner import Supervisor, TaskResult, run_task

DAY = "2024-03-05"
AUDIT = "archive_slot TEXT, archive_revision INTEGER, archive_run TEXT"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", f"file://{tmp_path}/archive")
    about = {"conn_type": "archiving_sqlite", "host": str(tmp_path / "shop.db")}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(about))
    with closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as made:
        made.execute("CREATE TABLE orders (id INTEGER, item TEXT)")
        made.executemany("INSERT INTO orders VALUES (?, ?)", [(n, f"item {n}") for n in range(10)])
        made.execute(f"CREATE TABLE target (id INTEGER, item TEXT, {AUDIT})")
        yield made


def run(operator: Any = ArchivingSqlOperator, at: str = DAY, **arguments: Any) -> TaskResult:
    given = {"entity": "shop.orders", "conn_id": "shop", "retries": 1}
    when = {
        name: arguments.pop(name) for name in ("run_id", "conf", "supervisor") if name in arguments
    }
    if not issubclass(operator, ArchivingSqlOperator):
        given = {}
    with DAG("sql"):
        task = operator(task_id="read", **{**given, **arguments})
    return run_task(task, at=at, **when)


def ids(ran: TaskResult) -> list[int]:
    assert ran.state == "success", ran.error
    found: list[int] = archive.as_arrow(ran.xcom).column("id").to_pylist()
    return found


def test_the_parts_of_a_table_leave_nothing_out_and_overlap_nowhere(
    shop: sqlite3.Connection,
) -> None:
    shop.execute("INSERT INTO orders VALUES (NULL, 'no number')")
    plan = partitions("shop", "orders", "id", 3)
    shop.execute("INSERT INTO orders VALUES (99, 'came meanwhile')")
    found = [ids(run(table="orders", **part)) for part in plan]
    assert len(found) == 3
    everything = [each for part in found for each in part]
    assert sorted(everything, key=str) == sorted([*range(10), 99, None], key=str)
    assert [part["map_key"] for part in plan] == ["1-of-3", "2-of-3", "3-of-3"]


def test_a_run_reads_what_came_since_and_a_cleared_one_its_own_range(
    shop: sqlite3.Connection,
) -> None:
    first = run(table="orders", watermark="id")
    assert ids(first) == list(range(10))
    shop.execute("INSERT INTO orders VALUES (10, 'new')")
    second = run(table="orders", watermark="id", at="2024-03-06")
    assert ids(second) == [10]
    shop.execute("INSERT INTO orders VALUES (11, 'newer')")
    assert ids(run(table="orders", watermark="id", at="2024-03-06", run_id="clear")) == [10]
    assert ids(run(table="orders", watermark="id", at="2024-03-07")) == [11]
    assert ids(run(table="orders", watermark="id", at="2024-03-08")) == []
    assert archive.newest("shop.orders").watermark == "11"


def test_each_part_of_a_mapped_task_goes_on_from_its_own_last_capture(
    shop: sqlite3.Connection,
) -> None:
    ranges = {"2-of-2": "id % 10 >= 5", "1-of-2": "id % 10 < 5"}  # the higher first

    def parts(at: str, **more: str) -> list[list[int]]:
        parted = ({"map_key": key, "where": where} for key, where in ranges.items())
        return [ids(run(table="orders", watermark="id", at=at, **each, **more)) for each in parted]

    assert parts(DAY) == [[5, 6, 7, 8, 9], [0, 1, 2, 3, 4]]
    shop.executemany("INSERT INTO orders VALUES (?, 'new')", [(10,), (15,), (11,)])
    assert parts("2024-03-06") == [[15], [10, 11]]
    shop.execute("INSERT INTO orders VALUES (12, 'newer')")
    assert parts("2024-03-06", run_id="cleared") == [[15], [10, 11]]
    assert parts("2024-03-07") == [[], [12]]


def test_an_older_slot_that_is_made_again_takes_the_next_run_nowhere_back(
    shop: sqlite3.Connection,
) -> None:
    office = Supervisor()

    def parts(at: str, **more: Any) -> list[int]:
        return ids(run(table="orders", watermark="id", at=at, supervisor=office, **more))

    assert parts(DAY) == list(range(10))
    shop.execute("INSERT INTO orders VALUES (10, 'new')")
    assert parts("2024-03-06") == [10]
    assert parts(DAY, run_id="cleared") == list(range(10))
    shop.execute("INSERT INTO orders VALUES (11, 'newer')")
    assert parts("2024-03-07") == [11]


def test_loaded_rows_say_where_they_came_from_and_are_loaded_once(
    shop: sqlite3.Connection,
) -> None:
    copy = {"table": "orders", "to_conn_id": "shop", "to_table": "target"}
    after = "UPDATE target SET item = upper(item)"
    first = run(ArchivingSqlToSqlOperator, **copy, after=after)
    assert first.state == "success", first.error
    run(ArchivingSqlToSqlOperator, **copy, after=after)
    run(ArchivingSqlToSqlOperator, **copy, after=after, run_id="again")
    rows = shop.execute("SELECT DISTINCT archive_slot, archive_revision, archive_run FROM target")
    assert rows.fetchall() == [("shop.orders 2024-03-05T00:00:00+00:00", 2, "again")]
    assert shop.execute("SELECT count(*), min(item) FROM target").fetchone() == (10, "ITEM 0")
    replay = {"platform_ops": {"replay": True}}
    shop.execute("DROP TABLE orders")
    shop.execute("DELETE FROM target")
    assert run(ArchivingSqlToSqlOperator, **copy, run_id="replay", conf=replay).state == "success"
    assert shop.execute("SELECT count(*) FROM target").fetchone() == (10,)


def test_a_statement_that_fails_leaves_the_target_as_it_was(shop: sqlite3.Connection) -> None:
    shop.execute("INSERT INTO target (id) VALUES (-1)")
    ran = run(
        ArchivingSqlToSqlOperator,
        table="orders",
        to_conn_id="shop",
        to_table="target",
        before="DELETE FROM target",
        after="INSERT INTO nowhere VALUES (1)",
    )
    assert ran.state == "failed"
    assert "no such table" in str(ran.error)
    assert shop.execute("SELECT id FROM target").fetchall() == [(-1,)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"sql": "DELETE FROM orders"}, "not one query that only reads"),
        ({"sql": "SELECT nope FROM orders"}, "no such column"),
        ({"sql": "SELECT id, id FROM orders"}, "columns share the names id"),
        ({"table": "gone"}, "no such table"),
        ({"table": "orders", "watermark": "nope"}, "no column 'nope' to go on from"),
        ({}, "give either table= or sql="),
        ({"table": "orders", "sql": "SELECT 1"}, "give either table= or sql="),
    ],
)
def test_what_cannot_be_read_fails_at_once_and_says_why(
    shop: sqlite3.Connection, arguments: dict[str, Any], told: str
) -> None:
    if arguments.get("watermark"):
        told = "no such column"  # SQLite is asked for its condition only from the second run on
        run(table="orders", watermark="id")
    ran = run(**arguments, run_id="second")
    assert ran.state == "failed"
    assert told in str(ran.error) or "no column 'nope'" in str(ran.error)


def test_a_changed_column_is_told_in_words(
    shop: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    run(table="orders")
    shop.execute("ALTER TABLE orders ADD COLUMN paid REAL")
    run(table="orders", run_id="second")
    assert "the columns changed since revision 1" in caplog.text
    assert "paid (double) is new" in caplog.text


def test_checks_and_what_writes_are_run_and_not_archived(shop: sqlite3.Connection) -> None:
    check = run(
        SQLColumnCheckOperator,
        conn_id="shop",
        table="orders",
        column_mapping={"id": {"null_check": {"equal_to": 0}}},
    )
    insert = run(SQLExecuteQueryOperator, conn_id="shop", sql="INSERT INTO orders VALUES (77, 'x')")
    assert (check.state, insert.state) == ("success", "success")
    assert shop.execute("SELECT item FROM orders WHERE id = 77").fetchall() == [("x",)]
    assert list(archive.find("shop.read")) == []


def test_generic_transfer_archives_what_it_reads(shop: sqlite3.Connection) -> None:
    shop.execute("CREATE TABLE plain (id INTEGER, item TEXT)")
    ran = run(
        GenericTransfer,
        sql="SELECT id, item FROM orders",
        destination_table="plain",
        source_conn_id="shop",
        destination_conn_id="shop",
    )
    assert ran.state == "success", ran.error
    assert shop.execute("SELECT count(*) FROM plain").fetchone() == (10,)
    (found,) = archive.find("shop.read")
    assert found.rows == 10


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("SELECT replace(a, 'x', 'y'), updated_at FROM deleted;", True),
        ("WITH x AS (SELECT 1) SELECT * FROM x", True),
        ("-- why\nVALUES (1)", True),
        ("SELECT 'insert into' AS words", True),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", False),
        ("SELECT * INTO y FROM t", False),
        ("SELECT 1; SELECT 2", False),
        ("", False),
    ],
)
def test_a_query_is_told_from_what_writes(sql: str, reads: bool) -> None:
    assert is_query(sql) is reads


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        (None, "read through ADBC"),
        ("'text'", "column 'id' holds a value that is no int64"),
        ("1.5", "column 'id' holds a value that is no int64"),
    ],
)
def test_sqlite_is_read_by_adbc_and_an_odd_value_is_never_made_another(
    shop: sqlite3.Connection, caplog: pytest.LogCaptureFixture, odd: str | None, told: str
) -> None:
    caplog.set_level("INFO")
    if odd:
        shop.execute(f"INSERT INTO orders VALUES ({odd}, 'odd')")
    ran = run(table="orders")
    assert told in (str(ran.error) if odd else caplog.text)


def test_sqlite_without_adbc_gives_the_same_bytes(
    shop: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.execute("ALTER TABLE orders ADD COLUMN paid REAL")
    shop.execute("ALTER TABLE orders ADD COLUMN seal BLOB")
    shop.execute("UPDATE orders SET paid = id / 3.0, seal = x'00ff' WHERE id < 7")
    fast = run(table="orders")
    monkeypatch.setattr("platform_ops.sources.tables.sqlite.find_spec", lambda _: None)
    slow = run(table="orders", run_id="second")
    assert (slow.xcom["revision"], slow.xcom["sha256"]) == (2, fast.xcom["sha256"])
