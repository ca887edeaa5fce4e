"""Reading manifests by the thousand: on disk in several processes, from an object store in threads."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, Final, TypeVar

from platform_ops.archive.indexing.processes import Reader, read
from platform_ops.archive.indexing.rows import Listed, Row, bodies_of
from platform_ops.archive.payloads.pack import listing
from platform_ops.archive.stores.store import Store, locate
from platform_ops.errors import ArchiveCorrupt, NotArchived

__all__ = ["bodies", "rows"]

Read = Callable[[list[Listed]], list[Row]]
Item = TypeVar("Item")
Result = TypeVar("Result")

PROCESSES_FROM: Final = 5_000
"""Manifests from which processes pay for their start, which takes as long as reading thousands."""
_A_PROCESS_READS: Final = 500
_A_THREAD_READS: Final = 16
_LISTS_UNDER_WAY: Final = 4
_THREADS: Final = 32
"""Requests under way to an object store, which answers each in tens of milliseconds."""


def rows(store: Store, listed: Iterable[Listed]) -> Iterator[list[Row]]:
    """The rows of manifests that a listing showed, some at a time, in their order.

    :raises ArchiveUnavailable: The store failed; what came before is right.
    """
    remaining = iter(listed)
    first = list(islice(remaining, PROCESSES_FROM))
    everything = chain(first, remaining)
    if not store.url.startswith("file://"):
        yield from _parallel(_THREADS, _A_THREAD_READS, _here(store), everything)
    elif len(first) < PROCESSES_FROM or (cores := os.cpu_count() or 1) == 1:
        yield from map(_here(store), _chunks(everything, _A_PROCESS_READS))
    else:
        with _processes(store) as ask:
            yield from _parallel(cores, _A_PROCESS_READS, ask, everything)


Unread = tuple[int, int, str, str]
"""Ids of a pack's list and of its manifest in the index; the list's key and digest."""
Bodies = tuple[Unread, list[tuple[Any, ...]], str]  # Any: as in a row
"""What a list says of its pack's bodies; or why it cannot be read."""


def bodies(store: Store, unread: Iterable[Unread]) -> Iterator[Bodies]:
    """The bodies that the lists of packs name, list by list: one is as long as ten thousand manifests.

    :raises ArchiveUnavailable: The store failed.
    """

    def look(chunk: list[Unread]) -> list[Bodies]:
        return [_bodies(store, each) for each in chunk]

    if store.url.startswith("file://"):
        found: Iterator[list[Bodies]] = map(look, _chunks(unread, 1))
    else:
        found = _parallel(_LISTS_UNDER_WAY, 1, look, unread)
    return chain.from_iterable(found)


def _bodies(store: Store, unread: Unread) -> Bodies:
    url = locate(store, unread[2])
    try:
        return unread, bodies_of(listing(store, unread[2], unread[3])), ""
    except (ArchiveCorrupt, NotArchived) as err:
        return unread, [], str(err)
    except (ValueError, KeyError, TypeError) as err:
        return unread, [], f"{url}: no list of this release: {type(err).__name__}"


def _here(store: Store) -> Read:
    return lambda chunk: read(store, chunk)


def _chunks(listed: Iterable[Item], size: int) -> Iterator[list[Item]]:
    remaining = iter(listed)
    while chunk := list(islice(remaining, size)):
        yield chunk


def _parallel(
    threads: int, size: int, work: Callable[[list[Item]], Result], listed: Iterable[Item]
) -> Iterator[Result]:
    """Chunks read by a pool, in order; never more than two for each thread ahead of the consumer."""
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, "archive-index") as pool:
        try:
            for chunk in _chunks(listed, size):
                waiting.append(pool.submit(work, chunk))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()


@contextmanager
def _processes(store: Store) -> Iterator[Read]:
    """A reader that has a process for each thread that calls it."""
    own, started = threading.local(), list[Reader]()

    def ask(chunk: list[Listed]) -> list[Row]:
        if not hasattr(own, "reader"):
            own.reader = Reader(store)
            started.append(own.reader)
        reader: Reader = own.reader
        return reader.read(chunk)

    try:
        yield ask
    finally:
        for reader in started:
            reader.stop()
