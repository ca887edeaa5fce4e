"""Arrow batches on their way into the archive: one Parquet body, in constant memory.

Every source whose answer is a table goes through here, so that equal rows make equal bytes: row groups
are cut by their number of rows, never by how a driver happened to batch them.

Source: https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html and
https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from platform_ops.entity import Origin, Part
from platform_ops.errors import ExtraMissing

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "GROUP_BYTES",
    "GROUP_ROWS",
    "PARQUET",
    "Column",
    "columns",
    "parquet_part",
    "schema_digest",
    "table_batches",
]

PARQUET: Final = "application/vnd.apache.parquet"
GROUP_ROWS: Final = 1 << 17
"""Rows of one row group; below 64k the file's footer would grow with the number of groups."""
GROUP_BYTES: Final = 128 << 20
"""Of very wide rows a group ends here, so that memory stays constant whatever they hold."""

Compression = str


@dataclass(frozen=True, slots=True)
class Column:
    """One column, as the archive compares it.

    :param type: As Arrow writes it, parameters included: ``decimal128(18, 4)``, ``timestamp[us, tz=UTC]``.
    """

    name: str
    type: str
    nullable: bool


def columns(schema: pa.Schema) -> tuple[Column, ...]:
    """The columns of a table, without what a driver remarks on them in metadata."""
    return tuple(Column(each.name, _type(each), each.nullable) for each in schema)


def schema_digest(schema: pa.Schema) -> str:
    """SHA-256 in hex over the columns' names, types and nullability, in order.

    It does not depend on how the rows were batched, nor on metadata that carries versions.
    """
    plain = [[each.name, each.type, each.nullable] for each in columns(schema)]
    text = json.dumps(plain, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def table_batches(found: Any) -> pa.RecordBatchReader:  # Any: whatever speaks Arrow's interface
    """Any table that speaks Arrow's C stream interface as a reader: pandas, polars, DuckDB, pyarrow.

    :param found: An object with ``__arrow_c_stream__``, or a single batch with ``__arrow_c_array__``.
    :raises ExtraMissing: pyarrow is not installed.
    """
    arrow = _arrow()
    if isinstance(found, arrow.RecordBatchReader):
        return found
    if hasattr(found, "__arrow_c_stream__"):
        return arrow.RecordBatchReader.from_stream(found)
    batch = arrow.record_batch(found)
    return arrow.RecordBatchReader.from_batches(batch.schema, [batch])


def parquet_part(
    batches: Iterable[pa.RecordBatch],
    name: str,
    origin: Origin,
    *,
    schema: pa.Schema | None = None,
    compression: Compression = "zstd",
    group_rows: int = GROUP_ROWS,
) -> Part:
    """The batches as one Parquet body, read and written while the archive takes it.

    Rows and the digest of the columns are known once it was read to its end.

    :param batches: Shape ``(batches,)``, drawn one at a time; a ``RecordBatchReader`` is one such.
    :param name: Of the body, such as ``orders.parquet``.
    :param schema: Of the batches, where they do not tell: it is asked of a reader, else of the first
        batch, and a table of no batch has none.
    :param compression: Of the column chunks, as pyarrow names it.
    :param group_rows: Rows of one row group.
    :raises ExtraMissing: pyarrow is not installed.
    """
    _arrow()
    stream = _Stream(batches, schema or getattr(batches, "schema", None), compression, group_rows)
    return Part(
        name=name,
        body=stream.chunks(),
        origin=origin,
        media_type=PARQUET,
        rows=lambda: stream.rows,
        schema_sha256=stream.digest,
    )


@dataclass(slots=True)
class _Stream:
    """One Parquet body in the making."""

    batches: Iterable[pa.RecordBatch]
    schema: pa.Schema | None
    compression: Compression
    group_rows: int
    rows: int = field(default=0, init=False)

    def digest(self) -> str | None:
        return None if self.schema is None else schema_digest(self.schema)

    def chunks(self) -> Iterator[bytes]:
        """The file from its first byte to its footer."""
        import pyarrow.parquet as pq

        batches = iter(self.batches)
        if self.schema is None:
            first = next(batches, None)
            if first is None:
                raise ValueError("a table of no batch has no columns; pass schema=")
            self.schema, batches = first.schema, chain([first], batches)
        sink = _Sink()
        with pq.ParquetWriter(sink, self.schema, compression=self.compression) as writer:
            for group in _groups(batches, self.schema, self.group_rows):
                writer.write_table(group, row_group_size=group.num_rows)
                self.rows += group.num_rows
                del group  # else it would be held while the next one is gathered
                yield from sink.drained()
        yield from sink.drained()


def _groups(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, group_rows: int
) -> Iterator[pa.Table]:
    """Tables of exactly ``group_rows`` rows, but the last, and those that would hold too many bytes."""
    arrow = _arrow()
    held: list[pa.RecordBatch] = []
    rows = size_bytes = 0

    def table() -> pa.Table:
        return arrow.Table.from_batches(held, schema)

    for each in batches:
        batch = each
        while batch.num_rows:
            taken = batch.slice(0, group_rows - rows)
            batch = batch.slice(taken.num_rows)
            held.append(taken)
            rows += taken.num_rows
            size_bytes += taken.nbytes
            if rows == group_rows or size_bytes >= GROUP_BYTES:
                yield table()
                held.clear()
                rows = size_bytes = 0
    if held:
        yield table()


class _Sink:
    """The file that Arrow writes to: what it holds is taken away as the body goes by."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._at = 0
        self.closed = False

    def write(self, data: Any) -> int:  # Any: bytes or a buffer of Arrow's
        piece = bytes(data)
        self._held.append(piece)
        self._at += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        """Nothing waits: what was written is held until it is drained."""

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def drained(self) -> Iterator[bytes]:
        held, self._held = self._held, []
        if held:
            yield b"".join(held)


def _type(column: Any) -> str:  # Any: a field of pyarrow, which ships no types
    """The type, and of an extension that this process does not know the name that it came with."""
    extension: Callable[..., bytes | None] = (column.metadata or {}).get
    named = extension(b"ARROW:extension:name")
    return f"{column.type}" if named is None else f"{named.decode()}<{column.type}>"


def _arrow() -> Any:  # Any: pyarrow ships no types
    try:
        import pyarrow
    except ModuleNotFoundError as err:
        raise ExtraMissing("pyarrow", "arrow", "a table as Parquet") from err
    return pyarrow
