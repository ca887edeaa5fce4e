"""Archived rows into a table of another database: all of a slot in one transaction, each row traced."""

from __future__ import annotations

import datetime
import io
import json
import logging
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from platform_ops import archive
from platform_ops.errors import SourceRejected
from platform_ops.ingest.effects import reported
from platform_ops.sources.tables.copying import copied
from platform_ops.sources.tables.faults import translated
from platform_ops.sources.tables.rows import address, mark_of, system_of
from platform_ops.sources.tables.statements import quoted

if TYPE_CHECKING:
    import pyarrow as pa
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from platform_ops.entity import Manifest, Reference, Slot

__all__ = ["AUDIT_COLUMNS", "load", "slot_id"]

log = logging.getLogger("platform_ops.ingest")

AUDIT_COLUMNS: Final = ("archive_slot", "archive_revision", "archive_run")
"""Columns of the target that say where a row came from."""


def slot_id(slot: Slot) -> str:
    """What ``archive_slot`` holds: the entity, the exact time and the keys, on any archive the same."""
    named = {"part": slot.partition_key, "map": slot.map_key}
    keys = [f"{name}={key}" for name, key in named.items() if key is not None]
    return " ".join([str(slot.entity), slot.time_utc.isoformat(), *keys])


def load(
    hook_of: Callable[[], DbApiHook],
    table: str,
    reference: Reference,
    around: tuple[Sequence[str], Sequence[str]],
) -> None:
    """Replace the rows of a revision's slot in the target, in one transaction.

    :param hook_of: Makes the target's hook; a failure to do so is counted like any other.
    :param around: Statements to run before, and after.
    :raises SourceUnavailable: The target was out of reach; it is as it was.
    :raises SourceRejected: The target refused; it is as it was.
    """
    manifest = archive.manifest(reference)
    with reported(manifest.slot.entity):
        hook = hook_of()
        where = f"{address(hook)} {table}"
        with translated(where), closing(hook.get_conn()) as connection:
            if hook.supports_autocommit:
                hook.set_autocommit(connection, False)
            with closing(connection.cursor()) as cursor:
                if system_of(hook) == "duckdb":
                    cursor.begin()  # DuckDB commits each statement where none is begun
                gone, rows = _replace(cursor, hook, table, manifest, reference, around)
                (cursor if system_of(hook) == "duckdb" else connection).commit()
    told = "loaded %d rows of %s into %s through %s, in place of %d"
    log.info(told, rows, manifest.slot, table, _way(hook)[0], gone)


def _replace(
    cursor: Any,  # Any: a driver's
    hook: DbApiHook,
    table: str,
    manifest: Manifest,
    reference: Reference,
    around: tuple[Sequence[str], Sequence[str]],
) -> tuple[int, int]:
    system = system_of(hook)
    target, sign = quoted(table, mark_of(system)), hook.placeholder
    before, after = around
    for statement in before:
        cursor.execute(statement)
    audit = (slot_id(manifest.slot), manifest.revision, manifest.run.run_id)
    slot_column = quoted(AUDIT_COLUMNS[0], mark_of(system))
    cursor.execute(f"DELETE FROM {target} WHERE {slot_column} = {sign}", audit[:1])  # noqa: S608  # quoted
    gone, loaded = max(cursor.rowcount, 0), 0
    append = _way(hook)[1]
    for batch in archive.batches(reference):
        traced = _traced(batch, audit)
        names = (name.replace(".", "\0") for name in traced.schema.names)
        columns = ", ".join(quoted(name, mark_of(system)) for name in names).replace("\0", ".")
        append(cursor, hook, f"{target} ({columns})", traced)
        loaded += batch.num_rows
    for statement in after:
        cursor.execute(statement)
    return gone, loaded


def _traced(batch: pa.RecordBatch, audit: tuple[str, int, str]) -> pa.RecordBatch:
    """The rows with their audit columns."""
    import pyarrow as pa

    traces = [pa.repeat(each, batch.num_rows) for each in audit]
    return pa.RecordBatch.from_arrays(
        [*batch.columns, *traces], names=[*batch.schema.names, *AUDIT_COLUMNS]
    )


# --- By the fastest way of each database -----------------------------------------------------------


def _copy(cursor: Any, hook: DbApiHook, into: str, batch: pa.RecordBatch) -> None:  # Any: psycopg's
    """PostgreSQL's COPY; as text, which each column takes by its own type, whatever the archive's is."""
    where, text = f"{address(hook)} {into.partition(' ')[0]}", copied(batch)
    statement = f"COPY {into} FROM STDIN"
    if hasattr(cursor, "copy_expert"):  # psycopg 2
        cursor.copy_expert(statement, io.BytesIO(text))
    else:
        with cursor.copy(statement) as copy:
            copy.write(text)
    if cursor.rowcount != batch.num_rows:
        raise SourceRejected(
            f"{where}: took {cursor.rowcount} of {batch.num_rows} rows; look for a rule or trigger"
        )


def _append(cursor: Any, hook: DbApiHook, into: str, batch: pa.RecordBatch) -> None:  # noqa: ARG001  # as _copy  # Any: duckdb's
    """DuckDB reads Arrow itself."""
    cursor.register("platform_ops_rows", batch)
    try:
        cursor.execute(f"INSERT INTO {into} SELECT * FROM platform_ops_rows")  # noqa: S608  # quoted
    finally:
        cursor.unregister("platform_ops_rows")


def _insert(
    cursor: Any, hook: DbApiHook, into: str, batch: pa.RecordBatch
) -> None:  # Any: a driver's
    """What every driver can."""
    plain = _PLAIN.get(system_of(hook), {})
    signs = ", ".join([hook.placeholder] * batch.num_columns)
    for start in range(0, batch.num_rows, _LOAD_ROWS):
        piece = batch.slice(start, _LOAD_ROWS)
        columns = [[_value(each, plain) for each in column.to_pylist()] for column in piece.columns]
        rows = list(zip(*columns, strict=True))
        cursor.executemany(f"INSERT INTO {into} VALUES ({signs})", rows)  # noqa: S608  # quoted


_Way = Callable[[Any, Any, str, Any], None]  # Any: a driver's cursor, a DbApiHook, an Arrow batch


def _way(hook: DbApiHook) -> tuple[str, _Way]:
    """The fastest, and its name."""
    return _WAYS.get(system_of(hook)) or (f"inserts of {type(hook).__name__}", _insert)


_WAYS: Final[dict[str, tuple[str, _Way]]] = {
    "postgres": ("COPY", _copy),
    "duckdb": ("DuckDB's Arrow reader", _append),
}
_LOAD_ROWS: Final = 10_000

_PLAIN: Final[dict[str, dict[type, Callable[[Any], Any]]]] = {  # Any: values of rows
    "sqlite": {
        Decimal: str,
        uuid.UUID: str,
        datetime.datetime: lambda value: value.isoformat(sep=" "),
        datetime.date: datetime.date.isoformat,
        datetime.time: datetime.time.isoformat,
        list: json.dumps,
        dict: json.dumps,
    },
    "mysql": {
        uuid.UUID: str,
        datetime.datetime: lambda value: value.replace(tzinfo=None),
        list: json.dumps,
        dict: json.dumps,
    },
}
"""What drivers cannot bind, and what they can in its place; times with a zone are in UTC here."""


def _value(value: Any, plain: dict[type, Callable[[Any], Any]]) -> Any:  # Any: values of rows
    made = plain.get(type(value))
    return value if made is None else made(value)
