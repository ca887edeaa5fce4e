"""How far a column was read: from where the next capture goes on, and where a capture made again ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from platform_ops import archive
from platform_ops.errors import NotArchived, SourceRejected
from platform_ops.ingest import site_settings, watermark_before

if TYPE_CHECKING:
    import pyarrow as pa
    from airflow.sdk import Context

    from platform_ops.entity import Manifest, Slot
    from platform_ops.sources.tables.answers import Answer

__all__ = ["Bounds", "Highest"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The range of a column that a capture reads; each end as a watermark tells it.

    :param above: Rows above this; all from the first on where it is None.
    :param up_to: Rows up to this; all to the last where it is None.
    """

    above: str | None = None
    up_to: str | None = None

    @classmethod
    def of(cls, context: Context, slot: Slot) -> Bounds:
        """Those of a slot: where earlier captures ended; of one that is made again, its own end too."""
        try:
            own: Manifest | None = archive.newest(slot, settings=site_settings())
        except NotArchived:
            own = None
        return cls(above=watermark_before(context, slot), up_to=own.watermark if own else None)

    def conditions(self, column: str, system: str) -> list[str]:
        """In SQL.

        :param column: Quoted.
        """
        ends = ((">", self.above), ("<=", self.up_to))
        return [f"{column} {sign} {_literal(end, system)}" for sign, end in ends if end is not None]


class Highest:
    """Watches batches go by, and keeps the highest value of one column.

    :param column: None where nothing is watched.
    :param above: What holds where no row comes.
    :param system: The kind of database, which has its own order of texts.
    :raises SourceRejected: The answer has no such column, or one that the database sorts otherwise.
    """

    def __init__(
        self, column: str | None, answer: Answer, above: str | None, system: str, where: str
    ) -> None:
        self._column, self._answer, self._above = column, answer, above
        self._highest: Any = None  # Any: a value of the column
        names = answer.schema.names
        if column is not None and column not in names:
            raise SourceRejected(
                f"{where}: no column {column!r} to go on from; there are {', '.join(names)}"
            )
        if column is not None and not _ordered(answer.schema.field(column).type, system):
            raise SourceRejected(
                f"{where}: column {column!r} is {answer.schema.field(column).type} here, whose order "
                "is not the database's; go on from a number, a date or a time, and cast a numeric in "
                "the query, for instance to numeric(38, 0)"
            )

    def followed(self) -> Iterator[pa.RecordBatch]:
        """The batches, as they are drawn."""
        for batch in self._answer.batches:
            if self._column is not None and batch.num_rows:
                self._see(batch.column(self._column))
            yield batch

    def told(self) -> str | None:
        """The watermark, once all were drawn."""
        return self._above if self._highest is None else _told(self._highest)

    def _see(self, column: pa.Array) -> None:
        import pyarrow.compute as pc

        found = pc.max(column).as_py()
        if found is not None and (self._highest is None or found > self._highest):
            self._highest = found


def _ordered(kind: pa.DataType, system: str) -> bool:
    """Whether the highest value here is the highest there: of text only where bytes are compared."""
    import pyarrow as pa

    if pa.types.is_string(kind):
        return system in ("sqlite", "duckdb")
    known = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_temporal)
    return any(each(kind) for each in known)


def _told(value: Any) -> str:  # Any: a value of a column
    """A number as such, everything else as JSON text; of a time its zone comes along."""
    if isinstance(value, (int, float, Decimal)):
        return format(Decimal(str(value)), "f")
    text = value.isoformat(sep=" ") if isinstance(value, datetime) else str(value)
    return json.dumps(text, ensure_ascii=False)


def _literal(watermark: str, system: str) -> str:
    """A watermark in SQL. A literal, since a parameter would take the style of the author's own."""
    value = json.loads(watermark, parse_float=Decimal)
    if not isinstance(value, str):
        return format(Decimal(value), "f")
    if system == "mysql":
        # Its session's zone is UTC, and MariaDB reads no offset.
        value = value.removesuffix("+00:00").replace("\\", r"\\")
    text = value.replace("'", "''")
    return f"'{text}'"
