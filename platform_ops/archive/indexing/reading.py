"""Reading manifests by the thousand: on disk in several processes, from an object store in threads.

A process for each core, since parsing holds the interpreter; started by name rather than forked or
spawned, so that neither the caller's threads nor its ``__main__`` come into it.
"""

from __future__ import annotations

import gc
import marshal
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from typing import IO, Any, Final, TypeVar

from platform_ops.archive.indexing.rows import Listed, Row, bodies_of, row_at
from platform_ops.archive.pack import listing
from platform_ops.archive.store import Store, at, locate
from platform_ops.errors import ArchiveCorrupt, ArchiveError, NotArchived

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
        with _processes(store) as read:
            yield from _parallel(cores, _A_PROCESS_READS, read, everything)


Unread = tuple[int, int, str, str]
"""Ids of a pack's list and of its manifest in the index; the list's key and digest."""
Bodies = tuple[Unread, list[tuple[Any, ...]], str]  # Any: as in a row
"""What a list says of its pack's bodies; or why it cannot be read."""


def bodies(store: Store, unread: Iterable[Unread]) -> Iterator[Bodies]:
    """The bodies that the lists of packs name, list by list: one is as long as ten thousand manifests.

    :raises ArchiveUnavailable: The store failed.
    """

    def read(chunk: list[Unread]) -> list[Bodies]:
        return [_bodies(store, each) for each in chunk]

    if store.url.startswith("file://"):
        found: Iterator[list[Bodies]] = map(read, _chunks(unread, 1))
    else:
        found = _parallel(_LISTS_UNDER_WAY, 1, read, unread)
    return chain.from_iterable(found)


def _bodies(store: Store, unread: Unread) -> Bodies:
    url = locate(store, unread[2])
    try:
        return unread, bodies_of(listing(store, unread[2], unread[3])), ""
    except (ArchiveCorrupt, NotArchived) as err:
        return unread, [], str(err)
    except (ValueError, KeyError, TypeError) as err:
        return unread, [], f"{url}: no list of this release: {type(err).__name__}"


def serve() -> None:
    """The far end of :func:`_processes`: reads what standard input lists, until that ends."""
    gc.disable()  # rows have no cycles, and there are many of them
    read = _here(at(sys.argv[1]))
    while (asked := _receive(sys.stdin.buffer)) is not None:
        try:
            answer = read(asked)
        except ArchiveError:
            answer = None  # the other end reads it again, and raises the error itself
        _send(sys.stdout.buffer, answer)


def _here(store: Store) -> Read:
    def read(chunk: list[Listed]) -> list[Row]:
        found = (row_at(store, each) for each in chunk)
        return [row for row in found if row is not None]

    return read


def _chunks(listed: Iterable[Item], size: int) -> Iterator[list[Item]]:
    remaining = iter(listed)
    while chunk := list(islice(remaining, size)):
        yield chunk


def _parallel(
    threads: int, size: int, read: Callable[[list[Item]], Result], listed: Iterable[Item]
) -> Iterator[Result]:
    """Chunks read by a pool, in order; never more than two for each thread ahead of the consumer."""
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, "archive-index") as pool:
        try:
            for chunk in _chunks(listed, size):
                waiting.append(pool.submit(read, chunk))
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
    own, started, inline = threading.local(), list[subprocess.Popen[bytes]](), _here(store)

    def read(chunk: list[Listed]) -> list[Row]:
        if not hasattr(own, "process"):
            own.process = _start(store.url)
            started.append(own.process)
        answer = _ask(own.process, chunk)
        return inline(chunk) if answer is None else answer

    try:
        yield read
    finally:
        for process in started:
            _stop(process)


def _start(root: str) -> subprocess.Popen[bytes]:
    code = f"from {__name__} import serve; serve()"
    paths = [path or os.getcwd() for path in sys.path]  # noqa: PTH109  # an entry of sys.path
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code, root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )


def _ask(process: subprocess.Popen[bytes], chunk: list[Listed]) -> list[Row] | None:
    """What the process answers; None where it cannot, or has died."""
    try:
        _send(_pipe(process.stdin), chunk)
        answer: list[Row] | None = _receive(_pipe(process.stdout))
    except OSError:
        return None
    return answer


def _send(pipe: IO[bytes], value: list[Any] | None) -> None:  # Any: as listed, or rows
    data = marshal.dumps(value)
    pipe.write(len(data).to_bytes(8, "big") + data)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:  # Any: as listed, or rows; None where the other end is gone
    size = int.from_bytes(pipe.read(8), "big")
    data = pipe.read(size)
    # In one piece: loading from a file reads it by the letter, and holds up every other thread.
    return marshal.loads(data) if size and len(data) == size else None  # noqa: S302  # our own child's


def _stop(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        try:
            _pipe(pipe).close()
        except OSError:  # what was left to say to a process that has died
            continue
    process.wait()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101  # both were asked for
    return pipe
