"""SQL databases: a table of observations that two secrets guard, over each kind of database."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import BaseHook, BaseOperator

from platform_ops.sources.duckdb import ArchivingDuckDbHook
from platform_ops.sources.mysql import ArchivingMySqlHook
from platform_ops.sources.postgres import ArchivingPostgresHook
from platform_ops.sources.sql import ArchivingSqlOperator, ArchivingSqlToSqlOperator
from platform_ops.sources.sqlite import ArchivingSqliteHook
from tests import servers
from tests.contract.case import ENTITY, SECRETS, Case, HookCase
from tests.servers.proxy import Proxy, proxy

TOKEN = SECRETS["parameter of the URL"]
PASSWORD = SECRETS["password"]
ROWS = [(1, "KSEA", 31.5), (2, "KBOS", 33.25)]
TABLE = "CREATE TABLE observations (id INTEGER, station VARCHAR(9), high DOUBLE PRECISION, token VARCHAR(99))"
LOADED = (
    "CREATE TABLE loaded (id INTEGER, station VARCHAR(9), high DOUBLE PRECISION, "
    "archive_slot VARCHAR(200), archive_revision INTEGER, archive_run VARCHAR(200))"
)
SELECT = "SELECT id, station, high FROM observations WHERE token = {} ORDER BY id"


def as_lines(rows: Iterable[Iterable[Any]]) -> bytes:
    """Rows as the suite compares them."""
    return b"".join(json.dumps(list(row)).encode() + b"\n" for row in rows)


def readable(archived: bytes) -> bytes:
    """The rows of a Parquet file."""
    table = pq.read_table(io.BytesIO(archived))
    return as_lines(zip(*(column.to_pylist() for column in table.columns), strict=True))


def fill(execute: Callable[[str], object]) -> None:
    """Make the tables in a new database."""
    for name in ("observations", "loaded"):
        execute(f"DROP TABLE IF EXISTS {name}")
    execute(TABLE)
    execute(LOADED)
    for number, station, high in ROWS:
        execute(f"INSERT INTO observations VALUES ({number}, '{station}', {high}, '{TOKEN}')")


class FileSource:
    """A database that is one file; its driver's connections are counted."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.count = 0

    def asked(self) -> int:
        return self.count

    def stream(self, pieces: Callable[[], Iterable[bytes]], size_bytes: int) -> None:
        raise NotImplementedError("rows are no bytes that are made while they are sent")

    def stop(self) -> None:
        self._file.rename(self._file.with_suffix(".gone"))


class ServerSource(FileSource):
    """A database behind a proxy."""

    def __init__(self, door: Proxy) -> None:
        self._door = door

    def asked(self) -> int:
        return self._door.connections

    def stop(self) -> None:
        self._door.close()


def connect(monkeypatch: pytest.MonkeyPatch, kind: str, **about: Any) -> None:
    """Tell Airflow of the database, as the connection ``source``."""
    about["extra"] = {"entity": ENTITY, **about.get("extra", {})}
    text = json.dumps({"conn_type": f"archiving_{kind}", **about})
    monkeypatch.setenv("AIRFLOW_CONN_SOURCE", text)


@contextmanager
def serve_file(
    monkeypatch: pytest.MonkeyPatch, kind: str, driver: Any
) -> Iterator[FileSource]:  # Any: a module
    with TemporaryDirectory() as folder:
        file = Path(folder) / "shop.db"
        with closing(driver.connect(str(file))) as made:
            fill(made.execute)
            made.commit()
        source, real = FileSource(file), driver.connect

        def counted(path: Any, **options: Any) -> Any:  # Any: the driver's own
            source.count += str(file) in str(path)
            return real(path, **options)

        with monkeypatch.context() as patched:
            patched.setattr(driver, "connect", counted)
            connect(monkeypatch, kind, host=str(file))
            yield source


@contextmanager
def serve_postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerSource]:
    server = servers.running("postgres")
    with server.connect() as owner:
        fill(owner.execute)
        owner.execute("DROP OWNED BY reader") if owner.execute(
            "SELECT 1 FROM pg_roles WHERE rolname = 'reader'"
        ).fetchone() else owner.execute(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
        owner.execute("GRANT SELECT, INSERT, DELETE ON observations, loaded TO reader")
    with proxy(server.port) as door:
        about = {"host": "127.0.0.1", "port": door.port, "schema": "postgres", "login": "reader"}
        connect(monkeypatch, "postgres", password=PASSWORD, **about)
        yield ServerSource(door)


@contextmanager
def serve_mysql(monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerSource]:
    server = servers.running("mariadb")
    with closing(server.connect()) as owner, owner.cursor() as cursor:
        fill(cursor.execute)
        cursor.execute(f"CREATE OR REPLACE USER reader@'%' IDENTIFIED BY '{PASSWORD}'")
        cursor.execute("GRANT ALL ON shop.* TO reader@'%'")
    with proxy(server.port) as door:
        about = {"host": "127.0.0.1", "port": door.port, "schema": "shop", "login": "reader"}
        connect(monkeypatch, "mysql", password=PASSWORD, **about)
        yield ServerSource(door)


@dataclass
class _Database:
    """One kind of database: how it is served, and how its driver binds by name."""

    kind: str
    serve: Callable[[pytest.MonkeyPatch], Any]  # Any: a context manager of Source
    sign: str
    servers: tuple[str, ...] = ()


@contextmanager
def with_target(monkeypatch: pytest.MonkeyPatch, source: Any) -> Iterator[Any]:  # Any: a Source
    """The source, and a database of SQLite's beside it as the connection ``target``."""
    with TemporaryDirectory() as folder, source as served:
        file = Path(folder) / "target.db"
        with closing(sqlite3.connect(file)) as made:
            fill(made.execute)
        about = {"conn_type": "archiving_sqlite", "host": str(file)}
        monkeypatch.setenv("AIRFLOW_CONN_TARGET", json.dumps(about))
        yield served


SQLITE = _Database("sqlite", lambda patch: serve_file(patch, "sqlite", sqlite3), ":token")
DUCKDB = _Database("duckdb", lambda patch: serve_file(patch, "duckdb", duckdb), "$token")
POSTGRES = _Database("postgres", serve_postgres, "%(token)s", ("postgres",))
MYSQL = _Database("mysql", serve_mysql, "%(token)s", ("mariadb",))


@dataclass
class SqlCase:
    """A query with a secret parameter."""

    database: _Database
    operator: type[BaseOperator] = ArchivingSqlOperator
    expected: bytes = as_lines(ROWS)
    payload_count: int = 1
    streams: bool = False
    name: str = ""
    servers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.name = f"{self.operator.__name__}-{self.database.kind}"
        self.servers = self.database.servers

    def readable(self, archived: bytes) -> bytes:
        return readable(archived)

    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Any:  # Any: a context manager of Source
        return self.database.serve(monkeypatch)

    @property
    def arguments(self) -> dict[str, Any]:  # Any: the operator's own
        return {
            "conn_id": "source",
            "sql": SELECT.format(self.database.sign),
            "parameters": {"token": TOKEN},
        }

    @property
    def mapped(self) -> list[tuple[dict[str, Any], bytes]]:  # Any: the operator's own
        return [({"where": f"id = {row[0]}"}, as_lines([row])) for row in ROWS]


@dataclass
class SqlToSqlCase(SqlCase):
    """The same query, loaded into another database."""

    operator: type[BaseOperator] = ArchivingSqlToSqlOperator

    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Any:  # Any: a context manager of Source
        return with_target(monkeypatch, super().serve(monkeypatch))

    @property
    def arguments(self) -> dict[str, Any]:  # Any: the operator's own
        return {**super().arguments, "to_conn_id": "target", "to_table": "loaded"}


CASES: tuple[Case, ...] = (
    *(SqlCase(database) for database in (SQLITE, POSTGRES, MYSQL, DUCKDB)),
    SqlToSqlCase(SQLITE),
)


@dataclass
class SqlHookCase:
    """``SQLExecuteQueryOperator``: one query, one call of the hook."""

    database: _Database
    hook: type[BaseHook]
    bodies: tuple[bytes, ...] = (as_lines(ROWS),)
    xcom: tuple[Any, ...] = tuple(  # as Airflow serialises rows
        {"__classname__": "builtins.tuple", "__version__": 1, "__data__": list(row)} for row in ROWS
    )

    name: str = ""
    servers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.name = self.hook.__name__
        self.servers = self.database.servers

    def readable(self, archived: bytes) -> bytes:
        return readable(archived)

    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Any:  # Any: a context manager of Source
        return self.database.serve(monkeypatch)

    def build(self, **arguments: Any) -> BaseOperator:  # Any: BaseOperator's own arguments
        arguments.pop("log_response", None)  # HttpOperator's
        hook = {"log_sql": False}  # what it logs of a query is the stock hook's to switch off
        return SQLExecuteQueryOperator(
            **{
                "task_id": "stock",
                "conn_id": "source",
                "sql": SELECT.format(self.database.sign),
                "parameters": {"token": TOKEN},
                "hook_params": hook,
                **arguments,
            }
        )

    def hook_of(self, stock: Any) -> Any:  # Any: the stock operator, and the registered hook
        return stock.get_db_hook()

    def ask(self, hook: Any) -> bytes:  # Any: the registered hook
        sql = SELECT.format(self.database.sign)
        return as_lines(hook.get_records(sql, {"token": TOKEN}))


HOOK_CASES: tuple[HookCase, ...] = (
    SqlHookCase(SQLITE, ArchivingSqliteHook),
    SqlHookCase(DUCKDB, ArchivingDuckDbHook),
    SqlHookCase(POSTGRES, ArchivingPostgresHook),
    SqlHookCase(MYSQL, ArchivingMySqlHook),
)
