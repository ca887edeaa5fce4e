"""One batch: from which offset to which, and what of it each partition may take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol, Self

from platform_ops.sources.topics.rows import Rows, size_of

if TYPE_CHECKING:
    import pyarrow as pa
    from confluent_kafka import Message

__all__ = ["Batch", "Bounds", "Position", "Reader"]

Position = tuple[str, int]
"""A topic and the number of a partition."""

_BATCH_BYTES: Final = 8 << 20


class Reader(Protocol):
    """What reads a partition."""

    def read(self, place: Position, start: int) -> Iterator[Message]:
        """Records from an offset on; the last thing given says that the partition ended there."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a batch ends that finds more than it may take."""

    records: int
    size_bytes: int
    seconds: float | None


@dataclass(slots=True)
class Batch:
    """Records of one capture, read as they are asked for.

    :param begin: First offset of each partition.
    :param ends: Where each partition ends, the offset after its last record; exact once all was read.
    """

    _topics: Reader
    begin: dict[Position, int]
    ends: dict[Position, int]
    _bounds: Bounds | None
    _rows: Iterator[pa.RecordBatch] = field(init=False, default_factory=lambda: iter(()))

    def first(self) -> pa.RecordBatch | None:
        """The first records; None where there are none."""
        self._rows = self._read()
        return next(self._rows, None)

    def batches(self, first: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """All records, the first ones in front."""
        return chain([first], self._rows)

    def _read(self) -> Iterator[pa.RecordBatch]:
        rest = [place for place, start in self.begin.items() if start < self.ends[place]]
        for place in set(self.begin) - set(rest):
            self.ends[place] = self.begin[place]
        share = _Share(self._bounds, len(rest))
        held = Rows()
        for place in sorted(rest):
            for row in self._partition(place, share.next()):
                held.add(row)
                if held.size_bytes >= _BATCH_BYTES:
                    yield held.taken()
        if held.count:
            yield held.taken()

    def _partition(self, place: Position, share: _Share) -> Iterator[Message]:
        end, reached = self.ends[place], self.begin[place]
        try:
            for message in self._topics.read(place, reached):
                offset = message.offset() or 0
                if message.error() is not None:  # the end; before it may be marks of transactions
                    reached = max(reached, min(offset, end))
                    return
                if offset >= end:
                    reached = end
                    return
                reached = offset + 1
                yield message
                if reached == end or share.spent(message):
                    return
        finally:
            self.ends[place] = reached


class _Share:
    """What each partition may take, so that a long one leaves the others theirs."""

    def __init__(self, bounds: Bounds | None, partitions: int) -> None:
        self._bounds, self._left = bounds, partitions
        if bounds is not None:
            self._records, self._size_bytes = bounds.records, bounds.size_bytes
            self._until = time.monotonic() + bounds.seconds if bounds.seconds is not None else None
        self._own: tuple[int, int, float | None] = (0, 0, None)

    def next(self) -> Self:
        if self._bounds is not None:
            left, self._left = max(self._left, 1), self._left - 1
            now = time.monotonic()
            self._own = (
                max(1, self._records // left),
                max(1, self._size_bytes // left),
                None if self._until is None else now + max(0.0, self._until - now) / left,
            )
        return self

    def spent(self, message: Message) -> bool:
        """Whether this record was the partition's last of the batch."""
        if self._bounds is None:
            return False
        size = size_of(message)
        self._records -= 1
        self._size_bytes -= size
        records, size_bytes, until = self._own
        self._own = (records - 1, size_bytes - size, until)
        return (
            records <= 1 or size_bytes <= size or (until is not None and time.monotonic() >= until)
        )
