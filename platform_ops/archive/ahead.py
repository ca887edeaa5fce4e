"""A store's writes in a thread of their own, so that the source is read and hashed meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final

__all__ = ["write_ahead"]

BATCH_BYTES: Final = 1 << 20
BATCHES_AHEAD: Final = 8
"""Pieces that may wait for the store: what bounds the memory, at 1 MiB each."""


def write_ahead(chunks: Iterable[bytes], write: Callable[[bytes], None]) -> int:
    """Hand every chunk to ``write``, in order and in pieces of 1 MiB or more; how many bytes they were.

    Errors of the source pass through unchanged, and so do those of ``write``. A body of one piece needs
    no thread.
    """
    waiting: deque[Future[None]] = deque()
    size_bytes = 0
    batches = _batches(chunks)
    for first in islice(batches, 1):
        write(first)
        size_bytes += len(first)
    with ThreadPoolExecutor(1, "archive-write") as thread:  # it starts with the first task
        for batch in batches:
            waiting.append(thread.submit(write, batch))
            size_bytes += len(batch)
            if len(waiting) > BATCHES_AHEAD:
                waiting.popleft().result()
    for each in waiting:
        each.result()
    return size_bytes


def _batches(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of 1 MiB or more, the last one aside."""
    small = bytearray()
    for chunk in chunks:
        if not small and len(chunk) >= BATCH_BYTES:
            yield chunk
            continue
        small += chunk
        if len(small) >= BATCH_BYTES:
            yield bytes(small)
            small.clear()
    if small:
        yield bytes(small)
