"""A store's writes in a thread of their own, so that the source is read and hashed meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final

__all__ = ["write_ahead"]

BATCH_BYTES: Final = 1 << 20
BATCHES_AHEAD: Final = 8
"""Batches that may wait for the store: what bounds the memory, at 1 MiB and a chunk each."""
SMALL_BYTES: Final = 1 << 16
"""Chunks below this are put together: a call for each would cost more than the copy."""


def write_ahead(chunks: Iterable[bytes], write: Callable[[Sequence[bytes]], None]) -> int:
    """Hand the chunks to ``write``, in order and in batches of 1 MiB or more; how many bytes they were.

    Errors of the source pass through unchanged, and so do those of ``write``. A body of one batch needs
    no thread.
    """
    waiting: deque[Future[None]] = deque()
    size_bytes = 0
    batches = _batches(chunks)
    for first in islice(batches, 1):
        write(first)
        size_bytes += sum(map(len, first))
    with ThreadPoolExecutor(1, "archive-write") as thread:  # it starts with the first task
        for batch in batches:
            waiting.append(thread.submit(write, batch))
            size_bytes += sum(map(len, batch))
            if len(waiting) > BATCHES_AHEAD:
                waiting.popleft().result()
    for each in waiting:
        each.result()
    return size_bytes


def _batches(chunks: Iterable[bytes]) -> Iterator[Sequence[bytes]]:
    """The same bytes in batches of 1 MiB or more, the last one aside; large chunks as they are."""
    batch: list[bytes] = []
    small = bytearray()
    size_bytes = 0
    for chunk in chunks:
        size_bytes += len(chunk)
        if len(chunk) < SMALL_BYTES:
            small += chunk
        else:
            batch += [bytes(small), chunk] if small else [chunk]
            small.clear()
        if size_bytes >= BATCH_BYTES:
            yield [*batch, bytes(small)] if small else batch
            batch, size_bytes = [], 0
            small.clear()
    if size_bytes:
        yield [*batch, bytes(small)] if small else batch
