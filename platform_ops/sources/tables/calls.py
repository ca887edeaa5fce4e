"""What stock operators read through a hook of ours: each result set is archived, and given back by a retry.

A hook never learns which operator calls it, nor when the task ends: so each call is a slot of its own,
told apart by what was asked and by how often it was answered before.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from platform_ops import archive
from platform_ops.entity import Entity, Origin, Part
from platform_ops.ingest import Capture, connection, entity_of
from platform_ops.sources.calls import captured_call
from platform_ops.sources.tables import row_types
from platform_ops.sources.tables.rows import address
from platform_ops.sources.tables.statements import Parameters, Statement, is_query
from platform_ops.tabular import parquet_part, table_batches

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

__all__ = ["ArchivesResults"]

_COLUMN: Final = 7
"""Items of a column's description in PEP 249."""


class ArchivesResults:
    """What a ``DbApiHook`` needs to archive: result sets of queries, never checks nor what writes.

    Mixed in before the stock hook of a database.
    """

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """The connection, with an error that says how to make it where it does not exist."""
        return connection(conn_id)

    def run(
        self,
        sql: str | Iterable[str],
        autocommit: bool = False,
        parameters: Parameters | None = None,
        handler: Callable[[Any], Any] | None = None,  # Any: as in DbApiHook
        split_statements: bool = False,
        return_last: bool = True,
    ) -> Any:  # Any: as in DbApiHook
        """Run one statement or several, and archive the result sets of queries as one commit.

        Outside of a task nothing is archived, since there is no slot; nor is what an operator asks
        in order to check, nor a call that holds a statement which writes: its retry has to run it.
        """
        hook: Any = super()  # the DbApiHook that this is mixed into
        given = sql if isinstance(sql, str) else list(sql)
        asked = self._asked(given, parameters, split=split_statements) if handler else None
        context = _context() if asked else None
        if asked is None or handler is None or context is None:
            return hook.run(given, autocommit, parameters, handler, split_statements, return_last)
        texts, statement = asked
        with self._captured(context, statement) as capture:
            if capture.pending:
                found = hook.run(texts, autocommit, parameters, _all_rows)
                sets = [
                    _Kept(rows, description or ())
                    for rows, description in zip(found, self.descriptions, strict=True)
                ]
                for number, each in enumerate(sets, start=1):
                    capture.write(each.part(f"result-{number}", self._origin(statement)))
            else:
                sets = list(_read(capture))
        answers = [hook._make_common_data_structure(handler(each)) for each in sets]  # noqa: SLF001  # what run() itself ends with
        alone = isinstance(given, str) and (return_last or not split_statements)
        self.descriptions: list[Any] = [each.description for each in sets][-1 if alone else 0 :]
        return answers[-1] if alone else answers

    def get_df(
        self,
        sql: str | list[str],
        parameters: Parameters | None = None,
        **options: Any,  # Any: as in DbApiHook
    ) -> Any:  # Any: a dataframe of pandas or polars
        """A query's answer as a dataframe; its rows are archived as one commit.

        :param options: As in ``DbApiHook``; with any that changes how pandas reads, the dataframe
            itself is archived.
        """
        hook: Any = super()  # the DbApiHook that this is mixed into
        asked = self._asked(sql, parameters, split=False)
        context = _context() if asked else None
        if asked is None or context is None or len(asked[0]) > 1:
            return hook.get_df(sql, parameters, **options)
        _, statement = asked
        with self._captured(context, statement) as capture:
            if not capture.pending:
                table = archive.as_arrow(capture.reference)
                if options.get("df_type") == "polars":
                    import polars

                    return polars.from_arrow(table)
                return table.to_pandas()
            frame = hook.get_df(sql, parameters, **options)
            origin = self._origin(statement)
            capture.write(parquet_part(table_batches(frame), "result.parquet", origin))
        return frame

    def _asked(
        self, sql: str | list[str], parameters: Parameters | None, *, split: bool
    ) -> tuple[list[str], Statement] | None:
        """The queries of a call, one by one and as one question; None where any of them writes."""
        hook: Any = self  # the DbApiHook that this is mixed into
        texts = [sql] if isinstance(sql, str) else sql
        if split and isinstance(sql, str):
            texts = hook.split_sql_string(sql, hook.strip_semicolon)
        if not texts or not all(map(is_query, texts)):
            return None
        return texts, Statement(";\n".join(texts), parameters)

    def _captured(self, context: Context, statement: Statement) -> AbstractContextManager[Capture]:
        told = f"a query of {self._origin(statement).url}"
        return captured_call(context, self._entity(context), statement.fingerprint, told)

    def _entity(self, context: Context) -> Entity:
        hook: Any = self  # the DbApiHook that this is mixed into
        named = hook.connection.extra_dejson.get("entity")
        return entity_of(named or f"{hook.get_conn_id()}.{context['ti'].task_id}")

    def _origin(self, statement: Statement) -> Origin:
        hook: Any = self  # the DbApiHook that this is mixed into
        return Origin(
            url=address(hook),
            method="SELECT",
            fingerprint=statement.fingerprint,
            fetched_at_utc=datetime.now(UTC),
        )


@dataclass(slots=True)
class _Kept:
    """A cursor over rows that are here already: what a handler reads, and fetches no more."""

    rows: list[Any]  # Any: a driver's rows
    description: Sequence[Any]  # Any: as in PEP 249
    rowcount: int = field(init=False)
    arraysize: int = 1
    _next: int = 0

    def __post_init__(self) -> None:
        self.rowcount = len(self.rows)

    def fetchone(self) -> Any:  # Any: a driver's row
        found = self.fetchmany(1)
        return found[0] if found else None

    def fetchmany(self, size: int | None = None) -> list[Any]:  # Any: a driver's rows
        start = self._next
        self._next = min(start + (size or self.arraysize), len(self.rows))
        return self.rows[start : self._next]

    def fetchall(self) -> list[Any]:  # Any: a driver's rows
        return self.fetchmany(len(self.rows) or 1)

    def __iter__(self) -> Iterator[Any]:  # Any: a driver's rows
        return iter(self.fetchall())

    def close(self) -> None:
        """Nothing is open."""

    def part(self, stem: str, origin: Origin) -> Part:
        """The rows as they are archived; the types of columns follow from their values."""
        import pyarrow as pa

        names = [str(each[0]) for each in self.description]
        plain = [tuple(row.values()) if isinstance(row, Mapping) else row for row in self.rows]
        columns = list(zip(*plain, strict=True)) if plain else [()] * len(names)
        kinds = [row_types.inferred(values) for values in columns]
        fields = zip(columns, kinds, names, strict=True)
        arrays = [row_types.array(values, kind, name) for values, kind, name in fields]
        table = pa.Table.from_arrays(arrays, names=names)
        return parquet_part(table.to_batches(), f"{stem}.parquet", origin, schema=table.schema)


def _all_rows(cursor: Any) -> list[Any]:  # Any: a driver's cursor and rows
    return list(cursor.fetchall()) if cursor.description else []


def _context() -> Context | None:
    """The context of a task that takes something in; None outside of one, and of one that checks."""
    from airflow.providers.common.sql.operators.sql import BaseSQLOperator, SQLExecuteQueryOperator
    from airflow.sdk import BaseSensorOperator, get_current_context

    try:
        context = get_current_context()
    except RuntimeError:
        return None
    task = context["ti"].task
    checks = isinstance(task, (BaseSQLOperator, BaseSensorOperator))
    return context if isinstance(task, SQLExecuteQueryOperator) or not checks else None


def _read(capture: Capture) -> Iterator[_Kept]:
    """The archived answers, as the driver gave them."""
    import pyarrow.parquet as pq

    for body in archive.bodies(capture.reference):
        with body.open() as file:
            table = pq.read_table(io.BytesIO(file.read()))
        columns = [column.to_pylist() for column in table.columns]
        description = [(name, *([None] * (_COLUMN - 1))) for name in table.column_names]
        yield _Kept(list(zip(*columns, strict=True)), description)
