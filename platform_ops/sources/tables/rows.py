"""The rows of one query as Arrow batches, by the fastest way that is installed, in constant memory.

PostgreSQL answers by ADBC where its driver is there and through a cursor of the server's otherwise,
DuckDB in Arrow itself, every other database through the cursor of its ``DbApiHook``. The types of
columns do not depend on the way, but that arrays come as text through a cursor of PostgreSQL's.

Source: https://arrow.apache.org/adbc/ and https://peps.python.org/pep-0249/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from platform_ops.errors import SourceRejected
from platform_ops.sources.tables import row_types
from platform_ops.sources.tables.faults import translated
from platform_ops.sources.tables.statements import Statement, quoted
from platform_ops.tabular import GROUP_ROWS

if TYPE_CHECKING:
    import pyarrow as pa
    from airflow.providers.common.sql.hooks.sql import DbApiHook

__all__ = ["Answer", "address", "answered", "mark_of", "system_of"]

FETCH_ROWS: Final = 1 << 14
"""Rows that a cursor fetches at once; row groups are cut elsewhere, whatever this is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a database answers: columns that are known at once, and rows that come as they are drawn."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


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
    way = _WAYS.get(system_of(hook), _by_cursor)
    if way is _by_adbc and not _has_adbc(hook):
        way = _by_postgres_cursor
    with translated(where), way(hook, statement) as answer:
        _require_distinct(answer.schema.names, where)
        yield Answer(answer.schema, _watched(answer.batches, where))


def _watched(batches: Iterable[pa.RecordBatch], where: str) -> Iterator[pa.RecordBatch]:
    with translated(where):
        yield from batches


def _require_distinct(names: Sequence[str], where: str) -> None:
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise SourceRejected(
            f"{where}: columns share the names {', '.join(twice)}; give each an alias of its own"
        )


# --- PostgreSQL ------------------------------------------------------------------------------------


def _has_adbc(hook: DbApiHook) -> bool:
    # A token that the hook fetches for each connection is its own business.
    own = hook.connection.extra_dejson
    return not (own.get("iam") or own.get("azure_conn_id")) and (
        find_spec("adbc_driver_postgresql") is not None
    )


@contextmanager
def _by_adbc(hook: Any, statement: Statement) -> Iterator[Answer]:  # Any: a PostgresHook
    import adbc_driver_postgresql.dbapi as adbc

    sql = _written_out(hook, statement)
    with adbc.connect(_dsn(hook)) as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        cursor.execute("SET LOCAL TIME ZONE 'UTC'")
        schema = cursor.adbc_execute_schema(sql)
        _require_distinct(schema.names, "the query")
        kept = {each.name: _postgres_kind(each) for each in schema}
        cursor.execute(_with_texts(sql, kept))
        reader = cursor.fetch_record_batch()
        target = _schema((name, kind or _string()) for name, kind in kept.items())
        yield Answer(target, (_cast(batch, target) for batch in reader))


def _postgres_kind(field: pa.Field) -> pa.DataType | None:
    """The type that a column of ADBC's gets; None where it is asked for as text."""
    import pyarrow as pa

    kind, told = field.type, field.metadata or {}
    name = told.get(b"POSTGRESQL:type", b"").decode()
    if name == "numeric":
        modifier = int(told.get(b"POSTGRESQL:typmod", b"-1")) - 4
        precision, scale = modifier >> 16, modifier & 0x7FF
        return row_types.postgres_type(1700, precision if modifier >= 0 else None, scale)
    if name == "money" or pa.types.is_interval(kind):
        return None
    if pa.types.is_list(kind):
        value = pa.string() if _opaque_text(kind.value_type) else kind.value_type
        whole = not _opaque(value) and not pa.types.is_interval(value)
        return pa.list_(value) if whole else None
    return kind.storage_type if _opaque_text(kind) else None if _opaque(kind) else kind


def _opaque(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return isinstance(kind, pa.OpaqueType)


def _opaque_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return _opaque(kind) and pa.types.is_string(kind.storage_type)


def _with_texts(sql: str, kinds: dict[str, pa.DataType | None]) -> str:
    """The query, with those columns as text that Arrow has no type for."""
    if all(kind is not None for kind in kinds.values()):
        return sql
    names = {name: quoted(name.replace(".", "\0")).replace("\0", ".") for name in kinds}
    listed = ", ".join(
        names[name] if kind is not None else f"{names[name]}::text AS {names[name]}"
        for name, kind in kinds.items()
    )
    return f"SELECT {listed} FROM ({sql}) AS asked"  # noqa: S608  # the author's own query


def _cast(batch: pa.RecordBatch, target: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    columns = []
    for column, field in zip(batch.columns, target, strict=True):
        plain = column.storage if _opaque(column.type) else column
        if pa.types.is_list(plain.type):
            plain = _plain_list(plain)
        if plain.type != field.type:
            plain = _exactly(plain, field)
        columns.append(plain)
    return pa.RecordBatch.from_arrays(columns, schema=target)


def _plain_list(column: pa.Array) -> pa.Array:
    """The list without what ADBC remarks on its elements."""
    import pyarrow as pa

    values = column.values.storage if _opaque(column.type.value_type) else column.values
    empty = column.is_null() if column.null_count else None
    return pa.ListArray.from_arrays(column.offsets, values, mask=empty)


def _exactly(column: pa.Array, field: pa.Field) -> pa.Array:
    import pyarrow as pa

    try:
        return column.cast(field.type)
    except pa.ArrowInvalid:
        raise SourceRejected(
            f"column {field.name!r} holds a value that is no {field.type}, such as NaN; cast it in "
            "the query, for instance to text"
        ) from None


def _written_out(hook: Any, statement: Statement) -> str:  # Any: a PostgresHook
    """The query with its parameters in it, as the hook's own driver writes them."""
    if not statement.parameters:
        return statement.bare
    with closing(hook.get_conn()) as connection:
        cursor = connection.cursor()
        if not hasattr(cursor, "mogrify"):  # psycopg 3, whose usual cursor binds on the server
            import psycopg

            cursor = psycopg.ClientCursor(connection)
            return str(cursor.mogrify(statement.bare, statement.parameters))
        return str(cursor.mogrify(statement.bare, statement.parameters).decode())


def _dsn(hook: Any) -> str:  # Any: a PostgresHook
    found = hook.connection
    options = {
        "host": found.host,
        "port": found.port,
        "dbname": hook.database or found.schema,
        "user": found.login,
        "password": found.password,
        "options": hook.options,
    }
    ours = {*hook.ignored_extra_options, "entity"}
    options |= {name: each for name, each in found.extra_dejson.items() if name not in ours}
    known = {name: str(each) for name, each in options.items() if each not in (None, "")}
    escaped = {name: each.replace("\\", r"\\").replace("'", r"\'") for name, each in known.items()}
    return " ".join(f"{name}='{each}'" for name, each in escaped.items())


@contextmanager
def _by_postgres_cursor(hook: Any, statement: Statement) -> Iterator[Answer]:  # Any: a PostgresHook
    with closing(hook.get_conn()) as connection:
        with connection.cursor() as first:
            first.execute("SET TRANSACTION READ ONLY")
            first.execute("SET LOCAL TIME ZONE 'UTC'")
            # An alias for each: the empty answer has every column's type and precision.
            empty = f"SELECT * FROM ({statement.bare}) AS asked LIMIT 0"  # noqa: S608  # the author's own query
            first.execute(empty, statement.parameters)
            told = [
                (each[0], row_types.postgres_type(each[1], each[4], each[5]))
                for each in first.description
            ]
        _require_distinct([name for name, _ in told], "the query")
        target = _schema((name, kind or _string()) for name, kind in told)
        texts = {name: None if isinstance(kind, _json_type()) else kind for name, kind in told}
        # A named cursor is the server's: the client's own would hold every row.
        with connection.cursor(name="platform_ops") as cursor:
            cursor.execute(_with_texts(statement.bare, texts), statement.parameters)
            yield Answer(target, _batches(_fetched(cursor), target))


def _json_type() -> type:
    import pyarrow as pa

    return type(pa.json_())


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
            _require_distinct(reader.schema.names, "the query")
            reader.close()
            texts = _with_texts(statement.bare, kinds)
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
            target = _schema((each.name, row_types.mysql_type(each)) for each in result.fields)
            yield Answer(target, _batches(_fetched(cursor), target))
        finally:
            # Else closing would read the rest of the rows, from a connection that may be lost.
            result.unbuffered_active = False


@contextmanager
def _by_sqlite_cursor(hook: Any, statement: Statement) -> Iterator[Answer]:  # Any: a SqliteHook
    with closing(hook.get_conn()) as connection:
        declared = _declared(connection, statement)
        connection.execute("PRAGMA query_only = ON")
        with closing(connection.cursor()) as cursor:
            cursor.execute(statement.bare, statement.parameters or ())
            kinds = {name: row_types.sqlite_type(kind) for name, kind in declared.items()}
            with _described(cursor, kinds) as answer:
                yield answer


def _declared(connection: Any, statement: Statement) -> dict[str, str]:  # Any: sqlite3's
    """The declared types of a query's columns, which only a view of it tells."""
    if statement.parameters:
        return {}
    connection.execute(f"CREATE TEMP VIEW asked AS {statement.bare}")
    try:
        return {row[1]: row[2] for row in connection.execute("PRAGMA temp.table_info(asked)")}
    finally:
        connection.execute("DROP VIEW temp.asked")


@contextmanager
def _by_cursor(hook: Any, statement: Statement) -> Iterator[Answer]:  # Any: a DbApiHook
    bound = () if statement.parameters is None else (statement.parameters,)
    with closing(hook.get_conn()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(statement.bare, *bound)
        with _described(cursor, {}) as answer:
            yield answer


@contextmanager
def _described(cursor: Any, known: dict[str, Any]) -> Iterator[Answer]:  # Any: a driver's; pyarrow
    """The answer of a cursor that names its columns alone; their first rows tell the types."""
    names = [str(each[0]) for each in cursor.description or ()]
    _require_distinct(names, "the query")
    rows = _fetched(cursor)
    first = next(rows, [])
    columns = list(zip(*first, strict=True)) if first else [()] * len(names)
    pairs = zip(names, columns, strict=True)
    target = _schema(
        (name, known.get(name) or row_types.inferred(values)) for name, values in pairs
    )
    yield Answer(target, _batches(chain([first], rows), target))


def _fetched(cursor: Any) -> Iterator[list[Any]]:  # Any: a driver's cursor and rows
    while rows := cursor.fetchmany(FETCH_ROWS):
        yield list(rows)


def _batches(
    fetched: Iterable[Sequence[Any]],  # Any: a driver's rows
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for rows in fetched:
        if rows:
            columns = [
                row_types.array(values, field.type, field.name)
                for values, field in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _schema(fields: Iterable[tuple[str, Any]]) -> pa.Schema:  # Any: pyarrow's types
    import pyarrow as pa

    return pa.schema([pa.field(name, kind) for name, kind in fields])


def _string() -> Any:  # Any: pyarrow's type
    import pyarrow as pa

    return pa.string()


_WAYS: Final = {
    "postgres": _by_adbc,
    "mysql": _by_mysql_cursor,
    "sqlite": _by_sqlite_cursor,
    "duckdb": _by_duckdb,
}
