"""PostgreSQL and MariaDB as they are: types, ways of reading, and failures made for real."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout

from platform_ops import archive
from platform_ops.errors import SourceRejected, SourceUnavailable
from platform_ops.sources.sql import ArchivingSqlOperator, partitions
from platform_ops.testing.runner import TaskResult, run_task
from tests import servers
from tests.contract.sql import connect, serve_mysql, serve_postgres

DAY = "2024-03-05"


@pytest.fixture(autouse=True)
def _archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", f"file://{tmp_path}/archive")


def read(run_id: str = "first", **arguments: Any) -> TaskResult:
    with DAG("sql"):
        operator = ArchivingSqlOperator(
            task_id="read", entity="shop.rows", conn_id="source", retries=1, **arguments
        )
    return run_task(operator, at=DAY, run_id=run_id)


def table_of(ran: TaskResult) -> pa.Table:
    assert ran.state == "success", ran.error
    return archive.as_arrow(ran.xcom)


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:  # Any: psycopg's connection
    server = servers.running("postgres")
    with server.connect() as owner:
        owner.execute("DROP TABLE IF EXISTS exact")
        owner.execute(
            "CREATE TABLE exact (id int, price numeric(18,4), wide numeric, at timestamptz, "
            "plain timestamp, about jsonb, tags text[], raw bytea, uid uuid, span interval, day date)"
        )
        owner.execute(
            "INSERT INTO exact VALUES (1, 1.25, 12345678901234567890123.5, "
            "'2024-03-05 12:00:00.000001+02', '2024-03-05 12:00', '{\"a\": 1}', '{x,NULL}', "
            "'\\x00ff', '00000000-0000-0000-0000-000000000001', '1 day 2 hours', '2024-03-05'), "
            "(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
        )
        about = {"host": "127.0.0.1", "port": server.port, "schema": "postgres"}
        connect(monkeypatch, "postgres", login="archivist", password=server.password, **about)
        yield owner


def test_postgres_keeps_every_type_exactly(postgres: Any) -> None:
    table = table_of(read(table="exact", order_by="id"))
    assert [str(kind) for kind in table.schema.types] == [
        *("int32", "decimal128(18, 4)", "string", "timestamp[us, tz=UTC]", "timestamp[us]"),
        *("extension<arrow.json>", "list<element: string>", "binary", "extension<arrow.uuid>"),
        *("string", "date32[day]"),
    ]
    first, second = table.to_pylist()
    assert first == {
        "id": 1,
        "price": Decimal("1.2500"),
        "wide": "12345678901234567890123.5",
        "at": datetime(2024, 3, 5, 10, 0, 0, 1, tzinfo=UTC),
        "plain": datetime.fromisoformat("2024-03-05T12:00"),
        "about": '{"a": 1}',
        "tags": ["x", None],
        "raw": b"\x00\xff",
        "uid": UUID(int=1),
        "span": "1 day 02:00:00",
        "day": date(2024, 3, 5),
    }
    assert {value for name, value in second.items() if name != "id"} == {None}


def test_a_cursor_makes_the_same_bytes_as_adbc(
    postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "SELECT id, price, wide, at, plain, about, raw, uid, span, day FROM exact ORDER BY id"
    fast = read(sql=query)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "platform_ops.sources.tables.postgres.find_spec",
        lambda name: None if name.startswith("adbc") else find(name),
    )
    slow = read(run_id="second", sql=query)
    table_of(slow)
    assert (slow.xcom["revision"], slow.xcom["sha256"]) == (2, fast.xcom["sha256"])


@pytest.mark.parametrize(
    ("value", "archived"),
    [
        ("'NaN'::numeric", "NaN"),
        ("'Infinity'::numeric", "Infinity"),
        ("'sad'::mood", "sad"),
        ("1.5::cents", Decimal("1.50")),
        ("row(1, 'x')::pair", "(1,x)"),
        ("array['sad']::mood[]", ["sad"]),
        ("array[1.5, 2]::numeric(5, 2)[]", ["1.50", "2.00"]),
        ("array[timestamptz '2024-03-05 12:00+02']", [datetime(2024, 3, 5, 10, tzinfo=UTC)]),
        ("'[1,5)'::int4range", "[1,5)"),
        ("B'101'", "101"),
        ("4294967295::oid", "4294967295"),
        ("'12:00+02'::timetz", "12:00:00+02"),
        ("'$1.50'::money", "$1.50"),
        ("'1.2.3.4'::inet", "1.2.3.4/32"),
    ],
)
def test_what_arrow_has_no_type_for_is_the_text_of_postgres(
    odd_types: None, value: str, archived: object
) -> None:
    assert table_of(read(sql=f"SELECT {value} AS v")).column("v").to_pylist() == [archived]


@pytest.mark.parametrize(
    "value",
    [
        "'NaN'::numeric(10, 2)",
        "'infinity'::timestamptz",
        "'-infinity'::timestamp",
        "'infinity'::date",
        "array['infinity'::date]",
        "'24:00'::time",
        "array[[1, 2], [3, 4]]",
    ],
)
def test_what_would_become_another_value_is_refused(odd_types: None, value: str) -> None:
    ran = read(sql=f"SELECT {value} AS v")
    assert isinstance(ran.error, AirflowFailException)
    assert "cast it in the query, for instance to text" in str(ran.error)
    assert list(archive.find("shop.rows")) == []
    assert table_of(read(sql=f"SELECT ({value})::text AS v", run_id="as text")).num_rows == 1


@pytest.fixture
def odd_types(postgres: Any) -> None:
    postgres.execute("DROP TYPE IF EXISTS mood, pair; DROP DOMAIN IF EXISTS cents")
    postgres.execute("CREATE TYPE mood AS ENUM ('ok', 'sad')")
    postgres.execute("CREATE TYPE pair AS (a int, b text)")
    postgres.execute("CREATE DOMAIN cents AS numeric(10, 2)")


@pytest.mark.parametrize(
    ("kind", "value", "archived"),
    [
        ("BIT(8)", "b'101'", b"\x05"),
        ("DATE", "'0000-00-00'", None),
        ("TIMESTAMP", "0", None),
        ("DATETIME", "'2024-00-10'", None),
        ("ENUM('a', 'b')", "'b'", "b"),
        ("SET('a', 'b')", "'a,b'", "a,b"),
        ("YEAR", "2024", 2024),
        ("TIME(6)", "'-838:59:59'", -timedelta(hours=838, minutes=59, seconds=59)),
        ("DECIMAL(65, 30) UNSIGNED", "1.5", Decimal("1.5")),
        ("MEDIUMINT UNSIGNED", "16777215", 16777215),
        ("CHAR(3) CHARACTER SET latin1", "'é'", "é"),
        ("UUID", "'00000000-0000-0000-0000-000000000001'", str(UUID(int=1))),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_odd_types_of_mariadb(
    monkeypatch: pytest.MonkeyPatch, kind: str, value: str, archived: object
) -> None:
    with serve_mysql(monkeypatch):
        with closing(servers.running("mariadb").connect()) as owner, owner.cursor() as cursor:
            cursor.execute("SET sql_mode = ''")
            cursor.execute("DROP TABLE IF EXISTS odd")
            cursor.execute(f"CREATE TABLE odd (v {kind})")
            cursor.execute(f"INSERT INTO odd VALUES ({value})")
        ran = read(table="odd")
    if archived is None:
        assert "cast it in the query, for instance to text" in str(ran.error)
    else:
        assert table_of(ran).column("v").to_pylist() == [archived]


def test_mariadb_keeps_every_type_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_mysql(monkeypatch):
        with closing(servers.running("mariadb").connect()) as owner, owner.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS exact")
            cursor.execute(
                "CREATE TABLE exact (small TINYINT, big BIGINT UNSIGNED, price DECIMAL(10, 2), "
                "at TIMESTAMP(6) NULL, plain DATETIME(6), word VARCHAR(9), raw VARBINARY(9))"
            )
            cursor.execute(
                "INSERT INTO exact VALUES (-1, 18446744073709551615, 1.5, "
                "'2024-03-05 12:00:00.000001', '2024-03-05 12:00:00', 'é', x'00ff')"
            )
        table = table_of(read(table="exact"))
    assert [str(kind) for kind in table.schema.types] == [
        *("int8", "uint64", "decimal128(10, 2)", "timestamp[us, tz=UTC]", "timestamp[us]"),
        *("string", "binary"),
    ]
    assert list(table.to_pylist()[0].values()) == [
        *(-1, 18446744073709551615, Decimal("1.50")),
        datetime(2024, 3, 5, 12, 0, 0, 1, tzinfo=UTC),
        *(datetime.fromisoformat("2024-03-05T12:00"), "é", b"\x00\xff"),
    ]


@pytest.mark.parametrize("serve", [serve_postgres, serve_mysql])
def test_a_wrong_password_is_told_at_once_and_never_shown(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = "postgres" if serve is serve_postgres else "mysql"
    with serve(monkeypatch) as source:
        about = {"host": "127.0.0.1", "port": source._door.port, "login": "reader"}
        schema = "postgres" if kind == "postgres" else "shop"
        connect(monkeypatch, kind, password="not-this-one", schema=schema, **about)
        ran = read(table="observations")
    assert isinstance(ran.error, AirflowFailException)
    assert isinstance(ran.error.__cause__, SourceRejected)
    assert "wrong user or password" in str(ran.error)
    assert "not-this-one" not in str(ran.error)


@pytest.mark.parametrize("serve", [serve_postgres, serve_mysql])
def test_a_connection_that_is_lost_in_the_middle_leaves_nothing_and_is_tried_again(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = {
        serve_postgres: "SELECT n, repeat('x', 100) AS pad FROM generate_series(1, 300000) AS n",
        serve_mysql: "SELECT seq, repeat('x', 100) AS pad FROM seq_1_to_300000",
    }
    with serve(monkeypatch) as source:
        source._door.breaks_after_bytes = 5 << 20
        ran = read(sql=many[serve])
        assert isinstance(ran.error, SourceUnavailable)
        assert (ran.state, list(archive.find("shop.rows"))) == ("up_for_retry", [])
        source._door.breaks_after_bytes = None
        assert table_of(read(sql=many[serve])).num_rows == 300_000


@pytest.mark.parametrize("rows_before", [0, 400_000])
def test_a_task_whose_time_is_over_does_not_wait_for_the_server(
    postgres: Any, rows_before: int
) -> None:
    query = (
        f"SELECT n, pg_sleep(CASE WHEN n > {rows_before} THEN 120 ELSE 0 END)::text AS pad "
        f"FROM generate_series(1, {rows_before} + 1) AS n"
    )
    started_s = time.monotonic()
    ran = read(sql=query, execution_timeout=timedelta(seconds=3))
    assert isinstance(ran.error, AirflowTaskTimeout)
    assert time.monotonic() - started_s < 60
    assert list(archive.find("shop.rows")) == []


def test_a_task_whose_time_is_over_does_not_wait_for_mariadb(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serve_mysql(monkeypatch):
        started_s = time.monotonic()
        ran = read(sql="SELECT SLEEP(120) AS slept", execution_timeout=timedelta(seconds=3))
        assert isinstance(ran.error, AirflowTaskTimeout)
        assert time.monotonic() - started_s < 60
    assert list(archive.find("shop.rows")) == []


def test_a_function_that_writes_is_refused_by_the_database(postgres: Any) -> None:
    postgres.execute(
        "CREATE OR REPLACE FUNCTION sweep() RETURNS int LANGUAGE sql AS "
        "'DELETE FROM exact RETURNING 1'"
    )
    ran = read(sql="SELECT sweep()")
    assert "the query writes" in str(ran.error)
    assert postgres.execute("SELECT count(*) FROM exact").fetchone() == (2,)


def test_a_table_that_is_dropped_between_partitions_is_named(postgres: Any) -> None:
    postgres.execute("CREATE TABLE IF NOT EXISTS parted AS SELECT generate_series(1, 100) AS id")
    plan = partitions("source", "parted", "id", 4)
    rows = table_of(read(table="parted", map_key=plan[0]["map_key"], where=plan[0]["where"]))
    assert 0 < rows.num_rows < 100
    postgres.execute("DROP TABLE parted")
    ran = read(table="parted", map_key=plan[1]["map_key"], where=plan[1]["where"])
    assert isinstance(ran.error, AirflowFailException)
    assert "parted: there is no such table or view, or it was dropped" in str(ran.error)


@pytest.mark.parametrize("column", ["wide", "words", "uid"])
def test_a_watermark_that_the_archive_would_sort_another_way_is_refused(
    postgres: Any, column: str
) -> None:
    postgres.execute("ALTER TABLE exact ADD COLUMN words text")
    ran = read(table="exact", watermark=column)
    assert isinstance(ran.error, AirflowFailException)
    assert f"column {column!r} is " in str(ran.error)
    cast = "SELECT id, wide::numeric(38, 4) AS wide FROM exact"
    assert table_of(read(run_id="cast", sql=cast, watermark="wide")).num_rows == 2


def test_the_watermark_goes_on_where_the_last_run_ended(postgres: Any) -> None:
    assert table_of(read(table="exact", watermark="at")).num_rows == 2
    postgres.execute("INSERT INTO exact (id, at) VALUES (3, '2024-03-06 00:00+00')")
    with DAG("sql"):
        operator = ArchivingSqlOperator(
            task_id="read", entity="shop.rows", conn_id="source", table="exact", watermark="at"
        )
    ran = run_task(operator, at="2024-03-06")
    assert table_of(ran).column("id").to_pylist() == [3]
    again = run_task(operator, at="2024-03-06", run_id="cleared")
    assert table_of(again).column("id").to_pylist() == [3]
    assert archive.manifest(again.xcom).watermark == '"2024-03-06 00:00:00+00:00"'
