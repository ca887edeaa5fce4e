"""SQLite's rows: by ADBC where the declared types are those of the values, or through Python's own cursor.

Source: https://arrow.apache.org/adbc/current/driver/sqlite.html and
https://www.sqlite.org/datatype3.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from platform_ops.sources.tables import row_types
from platform_ops.sources.tables.answers import Answer, described, schema_of
from platform_ops.sources.tables.statements import Statement

if TYPE_CHECKING:
    import pyarrow as pa
    from airflow.providers.common.sql.hooks.sql import DbApiHook

__all__ = ["by_adbc", "by_cursor", "has_adbc"]

_INFERENCE: Final = "adbc.sqlite.query.batch_rows"
_BATCH_ROWS: Final = 1 << 16
"""Rows of a batch; the driver takes a column's type from those of the first."""


def has_adbc(hook: DbApiHook, statement: Statement) -> bool:
    """Whether the driver is there and can ask this: it binds no names, and opens a plain file."""
    own = set(hook.connection.extra_dejson) - {"entity"}
    plain = not statement.parameters and not own and hook.connection.host not in (None, ":memory:")
    return plain and find_spec("adbc_driver_sqlite") is not None


@contextmanager
def by_adbc(hook: Any, statement: Statement) -> Iterator[Answer]:  # Any: a SqliteHook
    """By ADBC, or as :func:`by_cursor` does where a column's first values are not of its declared type."""
    import adbc_driver_sqlite.dbapi as adbc

    with closing(hook.get_conn()) as connection:
        declared = _declared(connection, statement)
    known = [(name, row_types.sqlite_type(kind)) for name, kind in declared.items()]
    if all(kind is not None for _, kind in known):
        target = schema_of(known)
        uri = f"file:{quote(hook.connection.host)}?mode=rw"
        with adbc.connect(uri) as asked, asked.cursor() as cursor:
            cursor.execute("PRAGMA query_only = ON")
            cursor.adbc_statement.set_options(**{_INFERENCE: str(_BATCH_ROWS)})
            cursor.execute(statement.bare)
            with cursor.fetch_record_batch() as reader:
                if reader.schema.equals(target):
                    yield Answer(target, _valid(reader))
                    return
    with by_cursor(hook, statement) as answer:
        yield answer


def _valid(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """The batches, once text is seen to be text: SQLite does not look."""
    for batch in reader:
        batch.validate(full=True)
        yield batch


@contextmanager
def by_cursor(hook: Any, statement: Statement) -> Iterator[Answer]:  # Any: a SqliteHook
    """Row by row, which is what tells an odd value's column."""
    with closing(hook.get_conn()) as connection:
        declared = _declared(connection, statement)
        connection.execute("PRAGMA query_only = ON")
        with closing(connection.cursor()) as cursor:
            cursor.execute(statement.bare, statement.parameters or ())
            kinds = {name: row_types.sqlite_type(kind) for name, kind in declared.items()}
            with described(cursor, kinds) as answer:
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
