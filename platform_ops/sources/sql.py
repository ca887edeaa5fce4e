"""SQL databases. Vendor page: https://peps.python.org/pep-0249/ (the interface of all their drivers).

PostgreSQL, MySQL and MariaDB, SQLite, DuckDB, and whatever else has a ``DbApiHook`` in Airflow.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow.sdk.log import mask_secret

from platform_ops.entity import Entity
from platform_ops.errors import ConfigError, ConnectionMissing
from platform_ops.facade import deferred
from platform_ops.ingest import ArchivingOperator, connection, slot_of

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk import Context

    from platform_ops.entity import Origin, Part
    from platform_ops.sources.tables.partitions import partitions
    from platform_ops.sources.tables.statements import Parameters, Statement
    from platform_ops.sources.tables.watermarks import Bounds

__all__ = ["ArchivingSqlOperator", "ArchivingSqlToSqlOperator", "partitions"]

_HOMES: Final = {"platform_ops.sources.tables.partitions": ("partitions",)}

if not TYPE_CHECKING:  # what reads a database is loaded by the task that does
    __getattr__, _ = deferred(__name__, _HOMES)


class ArchivingSqlOperator(ArchivingOperator):
    """Read a table or a query of a database, and archive its rows as one Parquet file.

    Rows are streamed in Arrow batches, so that memory stays the same whatever their number. Every
    type is kept exactly: decimals with their precision, timestamps with their zone, JSON, arrays,
    bytes, UUIDs; what Arrow has no type for is kept as the database's own text. A change of the
    columns since the last revision is told in the log and counted. The session only reads: a query
    that writes is refused by the database itself.

    Equal rows in equal order make equal bytes, and thereby no new payload. A database promises no
    order of its own: give ``order_by`` where that matters.

    :param conn_id: Connection of a type ``archiving_postgres``, ``archiving_mysql``,
        ``archiving_sqlite``, ``archiving_duckdb``, or of any other with a ``DbApiHook``.
    :param table: Table or view to read, as ``table`` or ``schema.table``; either this or ``sql``.
    :param sql: Query to read, or the path of a ``.sql`` file; one statement.
    :param parameters: What is bound to the query's placeholders, in the style of the driver.
    :param where: Condition on the rows, in SQL; what ``partitions`` plans for a mapped task.
    :param watermark: Column of numbers, dates or times that only grows, such as ``updated_at``: only
        rows above the highest value of earlier captures are read, of a mapped task those with the
        same ``map_key``. A capture that is made again reads the same range again.
    :param order_by: Column or columns to sort by, which makes equal rows equal bytes.
    :raises ConnectionMissing: Airflow knows no connection of this id.
    :raises ConfigError: Neither or both of ``table`` and ``sql`` are given, or the connection is
        to no SQL database.
    :raises ExtraMissing: The driver of the database is not installed.
    :raises SourceUnavailable: The database was out of reach, or the connection was lost.
    :raises SourceRejected: The query is wrong, writes, or names a column twice; or the password is.
    """

    template_fields: Sequence[str] = (
        *ArchivingOperator.template_fields,
        "conn_id",
        "table",
        "sql",
        "parameters",
        "where",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "parameters": "json"}
    ui_color = "#dcfce7"

    def __init__(
        self,
        *,
        conn_id: str,
        table: str | None = None,
        sql: str | None = None,
        parameters: Parameters | None = None,
        where: str | None = None,
        watermark: str | None = None,
        order_by: str | Sequence[str] | None = None,
        **kwargs: Any,  # Any: ArchivingOperator's own arguments
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.table = table
        self.sql = sql
        self.parameters = parameters
        self.where = where
        self.watermark = watermark
        self.order_by = order_by

    def render_template_fields(
        self,
        context: Context,
        jinja_env: Any = None,  # Any: Jinja's environment, as in BaseOperator
    ) -> None:
        from platform_ops.redaction import is_secret_name

        super().render_template_fields(context, jinja_env)
        if isinstance(self.parameters, Mapping):
            for name, value in self.parameters.items():
                if is_secret_name(name):
                    mask_secret(value)

    def fetch(self, context: Context) -> Iterator[Part]:
        """The rows as one part."""
        from platform_ops import metrics
        from platform_ops.sources.tables import drift
        from platform_ops.sources.tables.rows import address, answered, system_of
        from platform_ops.sources.tables.watermarks import Bounds, Highest
        from platform_ops.tabular import parquet_part

        hook = _hook(self.conn_id)
        entity, began_s = Entity.parse(self.entity), time.monotonic()
        slot = slot_of(context, entity, self.partition_key, self.map_key)
        bounds = Bounds.of(context, slot) if self.watermark else Bounds()
        where = f"{address(hook)} {self.table or 'query'}"
        with answered(hook, self._statement(hook, bounds), where) as answer:
            metrics.emit(metrics.SOURCE_LATENCY, (time.monotonic() - began_s) * 1000, entity)
            drift.report(slot, answer.schema)
            highest = Highest(self.watermark, answer, bounds.above, system_of(hook), where)
            part = parquet_part(
                highest.followed(), "rows.parquet", self._origin(hook), schema=answer.schema
            )
            yield replace(part, watermark=highest.told)

    def request_fingerprint(self, context: Context) -> str | None:  # noqa: ARG002  # the base class's signature
        """That of the query, without its watermark."""
        from platform_ops.sources.tables.watermarks import Bounds

        return self._statement(_hook(self.conn_id), Bounds()).fingerprint

    def _statement(self, hook: DbApiHook, bounds: Bounds) -> Statement:
        from platform_ops.sources.tables.rows import mark_of, system_of
        from platform_ops.sources.tables.statements import (
            Statement,
            listed,
            quoted,
            require_query,
        )

        if (self.table is None) == (self.sql is None):
            raise ConfigError(f"{self.task_id}: give either table= or sql=")
        system = system_of(hook)
        mark = mark_of(system)
        conditions = [f"({self.where})"] if self.where else []
        if self.watermark:
            conditions += bounds.conditions(quoted(self.watermark, mark), system)
        order = ", ".join(quoted(each, mark) for each in listed(self.order_by or ()))
        if self.sql is not None:
            require_query(self.sql, f"{self.task_id}: sql=")
        asked = Statement(self.sql or "", self.parameters)
        if self.sql is not None and not (conditions or order):
            return asked
        source = f"({asked.bare}) asked" if self.sql is not None else quoted(self.table or "", mark)
        text = f"SELECT * FROM {source}"  # noqa: S608  # names are quoted, the rest is the author's SQL
        if conditions:
            text += f" WHERE {' AND '.join(conditions)}"
        return Statement(f"{text} ORDER BY {order}" if order else text, self.parameters)

    def _origin(self, hook: DbApiHook) -> Origin:
        from platform_ops.entity import Origin
        from platform_ops.sources.tables.rows import address
        from platform_ops.sources.tables.watermarks import Bounds

        url = address(hook)
        return Origin(
            url=f"{url}/{self.table}" if self.table else url,
            method="SELECT",
            fingerprint=self._statement(hook, Bounds()).fingerprint,
            fetched_at_utc=datetime.now(UTC),
        )


class ArchivingSqlToSqlOperator(ArchivingSqlOperator):
    """Archive rows on their way from one database into a table of another.

    What is loaded is read back from the archive, so that both hold the same. Each loaded row says
    where it came from in three columns, which the target table has to have: ``archive_slot``,
    ``archive_revision`` and ``archive_run``. Rows of the same slot are replaced in one transaction
    with the statements before and after, so that a retry, a clear or a replay loads nothing twice.
    PostgreSQL takes the rows by ``COPY``, DuckDB as Arrow, other databases by inserts.

    :param to_conn_id: Connection to the target database.
    :param to_table: Table to load into, as ``table`` or ``schema.table``.
    :param before: Statements to run first, in the same transaction.
    :param after: Statements to run last, in the same transaction, such as a merge.
    :raises ConnectionMissing: Airflow knows no connection of this id.
    :raises ConfigError: Neither or both of ``table`` and ``sql`` are given, or a connection is to no
        SQL database.
    :raises ExtraMissing: The driver of a database is not installed.
    :raises SourceUnavailable: A database was out of reach, or a connection was lost; the target is
        as it was.
    :raises SourceRejected: A query or statement is wrong, or the target lacks a column.
    """

    template_fields: Sequence[str] = (
        *ArchivingSqlOperator.template_fields,
        "to_conn_id",
        "to_table",
        "before",
        "after",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **ArchivingSqlOperator.template_fields_renderers,
        "before": "sql",
        "after": "sql",
    }

    def __init__(
        self,
        *,
        to_conn_id: str,
        to_table: str,
        before: str | Sequence[str] = (),
        after: str | Sequence[str] = (),
        **kwargs: Any,  # Any: ArchivingSqlOperator's own arguments
    ) -> None:
        super().__init__(**kwargs)
        self.to_conn_id = to_conn_id
        self.to_table = to_table
        self.before = before
        self.after = after

    def execute(self, context: Context) -> dict[str, Any]:  # Any: JSON values
        """Archive first, then load what was archived; also by a retry or a replay that only reads it."""
        from platform_ops.entity import Reference
        from platform_ops.sources.tables import loading
        from platform_ops.sources.tables.statements import listed

        plain = super().execute(context)
        loading.load(
            lambda: _hook(self.to_conn_id),
            self.to_table,
            Reference.from_dict(plain),
            (listed(self.before), listed(self.after)),
        )
        return plain


def _hook(conn_id: str) -> DbApiHook:
    """The hook of a connection's type.

    :raises ConnectionMissing: There is no such connection.
    :raises ConfigError: Its type is no database's.
    """
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk.exceptions import AirflowException

    found = connection(conn_id)
    advice = f"connection {conn_id!r} has the type {found.conn_type!r}"
    try:
        hook = found.get_hook()  # type: ignore[no-untyped-call]  # Airflow's is untyped
    except ConnectionMissing:
        raise
    except AirflowException as err:
        raise ConfigError(f"{advice}, which no installed provider knows") from err
    if not isinstance(hook, DbApiHook):
        raise ConfigError(f"{advice}, which is no SQL database's; for instance: archiving_postgres")
    return hook
