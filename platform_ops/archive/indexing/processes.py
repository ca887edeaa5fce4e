"""Processes that read manifests on disk, one for each core, since parsing holds the interpreter.

They are started by name rather than forked or spawned, so that neither the caller's threads nor its
``__main__`` come into it. One is asked either for manifests that were listed, or for all of some
folders, which it lists as well.
"""

from __future__ import annotations

import gc
import marshal
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, Any, Final

from platform_ops.archive.indexing.listing import manifests
from platform_ops.archive.indexing.rows import Listed, Row, row_at
from platform_ops.archive.stores.store import Store, at
from platform_ops.errors import ArchiveError

__all__ = ["Reader", "read", "scan", "serve"]

_ROWS_AT_ONCE: Final = 500

Asked = list[Listed] | list[str]
"""Manifests that were listed; or folders of slots, without ``meta/``."""


def read(store: Store, listed: Iterable[Listed]) -> list[Row]:
    """The rows of manifests that are still there."""
    found = (row_at(store, each) for each in listed)
    return [row for row in found if row is not None]


def scan(store: Store, folders: Iterable[str], after: str = "") -> Iterator[list[Row]]:
    """The rows of every manifest below the folders, in the order of their keys, some at a time.

    :param after: Leave out keys up to and including this one.
    """
    listed = (each for folder in folders for each in manifests(store, folder) if each[0] > after)
    while chunk := list(islice(listed, _ROWS_AT_ONCE)):
        if rows := read(store, chunk):
            yield rows


class Reader:
    """One such process, for one thread to ask.

    What it cannot read, or does not answer, is read here: so an error is raised where it is met.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        code = f"from {__name__} import serve; serve()"
        paths = [path or os.getcwd() for path in sys.path]  # noqa: PTH109  # an entry of sys.path
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", code, store.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )

    def read(self, chunk: list[Listed]) -> list[Row]:
        """The rows of manifests that were listed.

        :raises ArchiveUnavailable: The store failed.
        """
        self._ask(chunk)
        rows: list[Row] = []
        while answer := self._answer():
            rows += answer
        return read(self._store, chunk) if answer is None else rows

    def scan(self, folders: list[str]) -> Iterator[list[Row]]:
        """The rows of every manifest below the folders, which are in order, some at a time.

        :raises ArchiveUnavailable: The store failed; what came before is right.
        """
        self._ask(folders)
        last = ""
        while answer := self._answer():
            last = answer[-1][0][0]
            yield answer
        if answer is None:
            yield from scan(self._store, folders, last)

    def stop(self) -> None:
        """End the process; whoever waits for its answer gets none."""
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                _pipe(pipe).close()
            except OSError:  # what was left to say to a process that has died
                continue
        self._process.wait()

    def _ask(self, asked: Asked) -> None:
        try:
            _send(_pipe(self._process.stdin), asked)
        except OSError:  # it has died, and will not answer either
            return

    def _answer(self) -> list[Row] | None:
        """Some rows; an empty list at the end of the answer, and None where it cannot give one."""
        try:
            answer: list[Row] | None = _receive(_pipe(self._process.stdout))
        except OSError:
            return None
        return answer


def serve() -> None:
    """The far end of :class:`Reader`: answers what standard input asks, until that ends."""
    gc.disable()  # rows have no cycles, and there are many of them
    store, asks, answers = at(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer
    while (asked := _receive(asks)) is not None:
        try:
            for rows in _answered(store, asked):
                _send(answers, rows)
        except ArchiveError:
            _send(answers, None)  # the other end reads it again, and raises the error itself
        else:
            _send(answers, [])


def _answered(store: Store, asked: Any) -> Iterator[list[Row]]:  # Any: one of two kinds of list
    return scan(store, asked) if isinstance(asked[0], str) else iter([read(store, asked)])


def _send(pipe: IO[bytes], value: list[Any] | None) -> None:  # Any: as asked, or rows
    data = marshal.dumps(value)
    pipe.write(len(data).to_bytes(8, "big") + data)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:  # Any: as asked, or rows; None where the other end is gone
    size = int.from_bytes(pipe.read(8), "big")
    data = pipe.read(size)
    # In one piece: loading from a file reads it by the letter, and holds up every other thread.
    return marshal.loads(data) if size and len(data) == size else None  # noqa: S302  # our own child's


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101  # both were asked for
    return pipe
