"""What a function returns or yields, as parts: bytes, text, rows and tables, each in its own format.

All that is yielded is one body, piece by piece; whoever wants several yields :class:`Part` itself.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from platform_ops import tabular
from platform_ops.entity import Origin, Part
from platform_ops.errors import NotArchivable

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Production"]

_CHUNK_BYTES: Final = 1 << 16
_KINDS: Final = "bytes, text, dictionaries, Arrow tables or batches, dataframes, or Parts"


@dataclass(frozen=True, slots=True)
class Production:
    """Turns what a function made into parts.

    :param of: What made it, for messages.
    :param stem: Name of the body without its ending, where :attr:`name` is None.
    :param name: Of the one body; its ending tells the media type.
    :param media_type: Takes the place of the one that follows from the kind or from the name.
    """

    of: str
    stem: str
    origin: Origin
    name: str | None = None
    media_type: str | None = None

    def parts(self, found: object) -> Iterator[Part]:
        """The parts, lazily: of an iterator the first piece is drawn with the first part.

        :raises NotArchivable: It is of no kind that the archive takes.
        """
        try:
            if _kind(found):
                yield from self._of_kind(_kind(found), iter((found,)))
            elif isinstance(found, Iterable):
                yield from self._of_pieces(iter(found))
            else:
                raise self._refused(found)
        finally:
            if isinstance(found, Generator):
                found.close()

    def _of_pieces(self, pieces: Iterator[object]) -> Iterator[Part]:
        first = next(pieces, None)
        if first is None:
            return
        kind = _kind(first)
        if not kind:
            raise self._refused(first)
        yield from self._of_kind(kind, self._alike(kind, chain((first,), pieces)))

    def _alike(self, kind: str, pieces: Iterator[object]) -> Iterator[object]:
        for each in pieces:
            if _kind(each) != kind:
                raise NotArchivable(
                    f"{self.of} yields {kind} and then {type(each).__name__}; yield one kind, "
                    "or a Part for each body"
                )
            yield each

    def _of_kind(self, kind: str, pieces: Iterator[Any]) -> Iterator[Part]:  # Any: of that kind
        if kind == "parts":
            yield from pieces
        elif kind == "tables":
            yield self._table(pieces)
        elif kind == "rows":
            rows = _Rows(self.of, pieces)
            part = self._part(".jsonl", "application/x-ndjson", rows.chunks())
            yield replace(part, rows=lambda: rows.count)
        elif kind == "text":
            encoded = (each.encode() for each in pieces)
            yield self._part(".txt", "text/plain; charset=utf-8", encoded)
        else:
            yield self._part(".bin", "application/octet-stream", map(bytes, pieces))

    def _table(self, pieces: Iterator[Any]) -> Part:  # Any: whatever speaks Arrow's interface
        readers = map(tabular.table_batches, pieces)
        first = next(readers)
        batches = chain(first, self._of_schema(first.schema, readers))
        part = tabular.parquet_part(
            batches, self.name or f"{self.stem}.parquet", self.origin, schema=first.schema
        )
        return replace(part, media_type=self.media_type or part.media_type)

    def _of_schema(
        self, schema: pa.Schema, readers: Iterator[pa.RecordBatchReader]
    ) -> Iterator[pa.RecordBatch]:
        for each in readers:
            if tabular.columns(each.schema) != tabular.columns(schema):
                raise NotArchivable(
                    f"{self.of} yields a table with {_named(each.schema)}, after one with "
                    f"{_named(schema)}; give all the same columns, or yield a Part for each"
                )
            yield from each

    def _part(self, suffix: str, media_type: str, chunks: Iterator[bytes]) -> Part:
        guessed = mimetypes.guess_type(self.name)[0] if self.name else None
        return Part(
            name=self.name or self.stem + suffix,
            body=chunks,
            origin=self.origin,
            media_type=self.media_type or guessed or media_type,
        )

    def _refused(self, found: object) -> NotArchivable:
        told = "nothing" if found is None else f"a {type(found).__qualname__}"
        return NotArchivable(f"{self.of} gave {told}; what can be archived is: {_KINDS}")


def _kind(found: object) -> str:
    """What a single piece is; empty where it is none, but may be many."""
    if isinstance(found, Part):
        return "parts"
    if isinstance(found, str):
        return "text"
    if isinstance(found, (bytes, bytearray, memoryview)):
        return "bytes"
    if isinstance(found, Mapping):
        return "rows"
    # Of the type: a mock or a proxy answers to any name.
    kind = type(found)
    if hasattr(kind, "__arrow_c_stream__") or hasattr(kind, "__arrow_c_array__"):
        return "tables"
    return ""


@dataclass(slots=True)
class _Rows:
    """Dictionaries as JSON lines."""

    of: str
    rows: Iterator[Mapping[str, object]]
    count: int = field(default=0, init=False)

    def chunks(self) -> Iterator[bytes]:
        held = bytearray()
        for row in self.rows:
            held += self._line(row)
            self.count += 1
            if len(held) >= _CHUNK_BYTES:
                yield bytes(held)
                held.clear()
        if held:
            yield bytes(held)

    def _line(self, row: Mapping[str, object]) -> bytes:
        try:
            return _encode(row).encode() + b"\n"
        except (TypeError, ValueError) as err:
            # Not the error's own words: they may quote a value.
            wrong = [str(name) for name, value in row.items() if not _encodable(value)]
            raise NotArchivable(
                f"{self.of}: row {self.count + 1} is no JSON, for {', '.join(wrong) or 'its keys'}; "
                "what JSON lacks may be a time, a Decimal or a UUID"
            ) from err


def _encode(value: object) -> str:
    return json.dumps(
        dict(value) if isinstance(value, Mapping) else value,
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
        default=_plain,
    )


def _encodable(value: object) -> bool:
    try:
        _encode(value)
    except (TypeError, ValueError):
        return False
    return True


def _plain(value: object) -> object:
    """What JSON has no word for, exactly: times by ISO 8601, the others as they write themselves."""
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(type(value), "item") and hasattr(type(value), "dtype"):  # a number of numpy's
        item: Callable[[], object] = value.item  # type: ignore[attr-defined]  # asked of its type
        return item()
    raise TypeError(type(value).__name__)


def _named(schema: pa.Schema) -> str:
    return ", ".join(f"{each.name} {each.type}" for each in tabular.columns(schema)) or "no column"
