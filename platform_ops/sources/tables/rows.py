"""The rows of one query as Arrow batches, by the fastest way that is installed, in constant memory.

PostgreSQL and SQLite answer by ADBC where its driver is there and through a cursor otherwise, DuckDB
in Arrow itself, every other database through the cursor of its ``DbApiHook``; the log says which.
The types of columns do not depend on the way, but that arrays come as text through a cursor of
PostgreSQL's.

Source: https://arrow.apache.org/adbc/ and https://peps.python.org/pep-0249/
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

from platform_ops.errors import SourceRejected
from platform_ops.sources.tables import postgres, row_types, sqlite
from platform_ops.sources.tables.answers import (
    Answer,
    batches_of,
    described,
    fetched_rows,
    require_distinct,
    schema_of,
    with_texts,
)
from platform_ops.sources.tables.faults import translated
from platform_ops.sources.tables.statements import Statement
from platform_ops.tabular import GROUP_ROWS

if TYPE_CHECKING:
    import pyarrow as pa
    from airflow.providers.common.sql.hooks.sql import DbApiHook

__all__ = ["address", "answered", "mark_of", "system_of"]

log = logging.getLogger("platform_ops.ingest")


def system_of(hook: DbApiHook) -> str:
    """The kind of database below a hook: its connection's type, whether it archives or not."""
    return str(hook.connection.conn_type or "").removeprefix("archiving_")


def mark_of(system: str) -> str:
    """The quotation mark of identifiers."""
    return "`" if system == "mysql" else '"'


def address(hook: DbApiHook) -> str:
    """Where the database is, without user, password or options."""
    found = hook.connection
    port = f":{found.port}" if found.port else ""
    return f"{system_of(hook)}://{found.host or ''}{port}/{found.schema or ''}".rstrip("/")


@contextmanager
def answered(hook: DbApiHook, statement: Statement, where: str) -> Iterator[Answer]:
    """Ask, in a session that only reads; the connection is gone when the block ends.

    :param where: What the messages of errors begin with.
    :raises SourceUnavailable: The connection was refused or lost.
    :raises SourceRejected: The query is wrong, writes, or names a column twice.
    """
    told, way = _way(hook, statement)
    log.info("connection %s: read through %s", hook.get_conn_id(), told)
    with translated(where), way(hook, statement) as answer:
        require_distinct(answer.schema.names, where)
        yield Answer(answer.schema, _watched(answer.batches, where))


def _watched(batches: Iterable[pa.RecordBatch], where: str) -> Iterator[pa.RecordBatch]:
    with translated(where):
        yield from batches


# --- DuckDB ----------------------------------------------------------------------------------------


@contextmanager
def _by_duckdb(hook: Any, statement: Statement) -> Iterator[Answer]:  # Any: an ArchivingDuckDbHook
    import pyarrow as pa

    with closing(hook.get_conn(read_only=True)) as connection:
        bound = statement.parameters or None
        reader = _duckdb_reader(connection.sql(statement.bare, params=bound))
        # Parquet as Arrow writes it has no intervals.
        kinds = {
            each.name: None if pa.types.is_interval(each.type) else each.type
            for each in reader.schema
        }
        if None in kinds.values():
            require_distinct(reader.schema.names, "the query")
            reader.close()
            texts = with_texts(statement.bare, kinds)
            reader = _duckdb_reader(connection.sql(texts, params=bound))
        yield Answer(reader.schema, iter(reader))


def _duckdb_reader(asked: Any) -> pa.RecordBatchReader:  # Any: duckdb's answer
    if asked is None:
        raise SourceRejected("the query has no rows to archive; give one SELECT")
    # The second is its name in older releases.
    reader_of = getattr(asked, "to_arrow_reader", None) or asked.fetch_arrow_reader
    return reader_of(GROUP_ROWS)


# --- Any other database, through its cursor --------------------------------------------------------


@contextmanager
def _by_mysql_cursor(
    hook: Any, statement: Statement
) -> Iterator[Answer]:  # Any: an ArchivingMySqlHook
    from pymysql.cursors import SSCursor

    with closing(hook.get_conn()) as connection:
        with connection.cursor() as first:
            first.execute("SET time_zone = '+00:00'")
            first.execute("SET SESSION TRANSACTION READ ONLY")
        # The server's cursor: pymysql's own holds every row.
        cursor: Any = connection.cursor(SSCursor)  # Any: what is private is typed nowhere
        cursor.execute(statement.bare, statement.parameters or None)
        result = cursor._result  # noqa: SLF001  # the only place that tells sign and character set
        try:
            target = schema_of((each.name, row_types.mysql_type(each)) for each in result.fields)
            yield Answer(target, batches_of(fetched_rows(cursor), target))
        finally:
            # Else closing would read the rest of the rows, from a connection that may be lost.
            result.unbuffered_active = False


@contextmanager
def _by_cursor(hook: Any, statement: Statement) -> Iterator[Answer]:  # Any: a DbApiHook
    bound = () if statement.parameters is None else (statement.parameters,)
    with closing(hook.get_conn()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(statement.bare, *bound)
        with described(cursor, {}) as answer:
            yield answer


_Way = Callable[[Any, Statement], AbstractContextManager[Answer]]  # Any: a hook of one kind


def _way(hook: DbApiHook, statement: Statement) -> tuple[str, _Way]:
    """The fastest that is installed, and its name."""
    system = system_of(hook)
    if system == "postgres":
        return _POSTGRES_WAYS[not postgres.has_adbc(hook)]
    if system == "sqlite":
        return _SQLITE_WAYS[not sqlite.has_adbc(hook, statement)]
    return _WAYS.get(system) or (f"the cursor of {type(hook).__name__}", _by_cursor)


_POSTGRES_WAYS: Final = (("ADBC", postgres.by_adbc), ("a cursor of psycopg's", postgres.by_cursor))
_SQLITE_WAYS: Final = (("ADBC", sqlite.by_adbc), ("the cursor of sqlite3", sqlite.by_cursor))
_WAYS: Final = {
    "mysql": ("a cursor of pymysql's", _by_mysql_cursor),
    "duckdb": ("DuckDB's Arrow reader", _by_duckdb),
}
