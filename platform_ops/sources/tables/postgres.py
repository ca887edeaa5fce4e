"""PostgreSQL's rows: by ADBC in Arrow straight from the wire, or through a cursor of the server's.

Source: https://arrow.apache.org/adbc/current/driver/postgresql.html and
https://www.postgresql.org/docs/current/sql-declare.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from platform_ops.errors import SourceRejected
from platform_ops.sources.tables import row_types
from platform_ops.sources.tables.answers import (
    Answer,
    batches_of,
    fetched_rows,
    require_distinct,
    schema_of,
    whole,
    with_texts,
)
from platform_ops.sources.tables.statements import Statement

if TYPE_CHECKING:
    import pyarrow as pa
    from airflow.providers.common.sql.hooks.sql import DbApiHook

__all__ = ["by_adbc", "by_cursor", "has_adbc"]

_BATCH_HINT: Final = "adbc.postgresql.batch_size_hint_bytes"
_BATCH_BYTES: Final = 8 << 20
"""Half of what the driver takes by itself, since one batch is read while another is encoded."""


def has_adbc(hook: DbApiHook) -> bool:
    """Whether the driver is there and can connect as the hook does."""
    # A token that the hook fetches for each connection is its own business.
    own = hook.connection.extra_dejson
    return not (own.get("iam") or own.get("azure_conn_id")) and (
        find_spec("adbc_driver_postgresql") is not None
    )


@contextmanager
def by_adbc(hook: Any, statement: Statement) -> Iterator[Answer]:  # Any: a PostgresHook
    """In binary from the wire, a batch ahead of the one that is encoded."""
    import adbc_driver_postgresql.dbapi as adbc

    sql = _written_out(hook, statement)
    with adbc.connect(_dsn(hook)) as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{_BATCH_HINT: str(_BATCH_BYTES)})
        _only_read(cursor)
        schema = cursor.adbc_execute_schema(sql)
        require_distinct(schema.names, "the query")
        kept = {each.name: _postgres_kind(each) for each in schema}
        target = _target(kept.items())
        with _apart(cursor.adbc_cancel) as submit:
            submit(cursor.execute, _flagged(with_texts(sql, kept), kept)).result()
            reader = cursor.fetch_record_batch()
            yield Answer(target, _ahead(submit, (_cast(batch, target) for batch in reader)))


def _only_read(cursor: Any) -> None:  # Any: ADBC's or psycopg's
    """Have the transaction write nothing, and tell times in UTC."""
    cursor.execute("SET TRANSACTION READ ONLY")
    cursor.execute("SET LOCAL TIME ZONE 'UTC'")


_Submit = Callable[..., Future[Any]]  # Any: whatever a call takes and returns


@contextmanager
def _apart(cancel: Callable[[], object]) -> Iterator[_Submit]:
    """Calls in a thread of their own, which may be left: a task whose time is over ends at once.

    A signal is not seen while the main thread waits inside of the driver.

    :param cancel: Ends the call that nobody waits for any more.
    """
    last: Future[Any] | None = None  # Any: whatever a call returns
    with ThreadPoolExecutor(1, "platform_ops-sql") as thread:

        def submit(call: Callable[..., Any], *given: Any) -> Future[Any]:  # Any: as above
            nonlocal last
            last = thread.submit(call, *given)
            return last

        try:
            yield submit
        finally:
            if last is not None and not last.cancel() and not last.done():
                cancel()


def _ahead(submit: _Submit, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches, each read while the one before is encoded."""
    coming = submit(next, batches, None)
    while (batch := coming.result()) is not None:
        coming = submit(next, batches, None)
        yield batch


def _postgres_kind(field: pa.Field) -> pa.DataType | None:
    """The type that a column of ADBC's gets; None where it is asked for as text."""
    import pyarrow as pa

    kind, told = field.type, field.metadata or {}
    name = told.get(b"POSTGRESQL:type", b"").decode()
    if name == "numeric":
        modifier = int(told.get(b"POSTGRESQL:typmod", b"-1")) - 4
        precision, scale = modifier >> 16, modifier & 0x7FF
        return row_types.postgres_type(1700, precision if modifier >= 0 else None, scale)
    if name in ("money", "oid") or pa.types.is_interval(kind) or pa.types.is_struct(kind):
        return None  # of these the driver loses something: a currency, the sign, what is inside
    if pa.types.is_list(kind):
        value = pa.string() if _opaque_text(kind.value_type) else kind.value_type
        exact = not _opaque(value) and not pa.types.is_interval(value)
        return pa.list_(value) if exact else None
    return kind.storage_type if _opaque_text(kind) else None if _opaque(kind) else kind


def _opaque(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return isinstance(kind, pa.OpaqueType)


def _opaque_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return _opaque(kind) and pa.types.is_string(kind.storage_type)


def _target(kinds: Iterable[tuple[str, pa.DataType | None]]) -> pa.Schema:
    import pyarrow as pa

    return schema_of((name, kind or pa.string()) for name, kind in kinds)


def _flagged(sql: str, kinds: Mapping[str, pa.DataType | None]) -> str:
    """The query, and in one more column whether an array of a row has several dimensions.

    The driver strings all elements together, and nothing that it returns tells of it.
    """
    import pyarrow as pa

    lists = [name for name, kind in kinds.items() if kind is not None and pa.types.is_list(kind)]
    if not lists:
        return sql
    nested = " OR ".join(f"coalesce(array_ndims({whole(name)}), 1) > 1" for name in lists)
    return f"SELECT *, {nested} FROM ({sql}) AS told"  # noqa: S608  # the author's own query


def _cast(batch: pa.RecordBatch, target: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    if batch.num_columns > len(target) and batch.columns[-1].true_count:
        raise SourceRejected(
            "an array has several dimensions, which lists of Arrow's have not; cast it in the query, "
            "for instance to text or by to_jsonb()"
        )
    columns = []
    for column, field in zip(batch.columns[: len(target)], target, strict=True):
        plain = column.storage if _opaque(column.type) else column
        if pa.types.is_list(plain.type):
            plain = _plain_list(plain)
        if plain.type != field.type:
            plain = _exactly(plain, field)
        _require_finite(plain, field.name)
        columns.append(plain)
    return pa.RecordBatch.from_arrays(columns, schema=target)


def _plain_list(column: pa.Array) -> pa.Array:
    """The list without what ADBC remarks on its elements."""
    import pyarrow as pa

    values = column.values.storage if _opaque(column.type.value_type) else column.values
    empty = column.is_null() if column.null_count else None
    return pa.ListArray.from_arrays(column.offsets, values, mask=empty)


_RANGES: Final = {  # of Arrow's integers: from 4714 BC to what PostgreSQL has last, and one day
    "date32": (-2_440_588, (1 << 31) - 1),
    "time64": (0, 86_400_000_000),
    "timestamp": (-210_866_803_200_000_000, (1 << 63) - 1),
}


def _require_finite(column: pa.Array, name: str) -> None:
    """Refuse what only PostgreSQL has: infinity, which overflows to some day, and 24:00."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = column.values if pa.types.is_list(column.type) else column
    known = next((_RANGES[each] for each in _RANGES if str(values.type).startswith(each)), None)
    if known is None:
        return
    low, high = pc.min_max(values.view(f"int{values.type.bit_width}")).as_py().values()
    if low is not None and not known[0] <= low <= high < known[1]:
        raise SourceRejected(
            f"column {name!r} holds a value that is no {values.type}, such as infinity or 24:00; cast "
            "it in the query, for instance to text"
        )


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
def by_cursor(hook: Any, statement: Statement) -> Iterator[Answer]:  # Any: a PostgresHook
    """By a named cursor: its rows stay on the server until they are fetched."""
    with closing(hook.get_conn()) as connection:
        with connection.cursor() as first:
            _only_read(first)
            # An alias for each: the empty answer has every column's type and precision.
            empty = f"SELECT * FROM ({statement.bare}) AS asked LIMIT 0"  # noqa: S608  # the author's own query
            first.execute(empty, statement.parameters)
            told = [
                (each[0], row_types.postgres_type(each[1], each[4], each[5]))
                for each in first.description
            ]
        require_distinct([name for name, _ in told], "the query")
        target = _target(told)
        texts = {name: None if isinstance(kind, _json_type()) else kind for name, kind in told}
        # A named cursor is the server's: the client's own would hold every row.
        with connection.cursor(name="platform_ops") as cursor:
            cursor.execute(with_texts(statement.bare, texts), statement.parameters)
            yield Answer(target, batches_of(fetched_rows(cursor), target))


def _json_type() -> type:
    import pyarrow as pa

    return type(pa.json_())
