"""The calls by which a process writes to disk: counted, cut short by a kill or an error, and watched.

It stands between Python and the kernel, so that whatever writes below is tested as it is.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

CALLS: Final = (
    "open",
    "write",
    "fsync",
    "fdatasync",
    "close",
    "link",
    "rename",
    "mkdir",
    "unlink",
    "rmdir",
    "scandir",
)

Moment = Literal["before", "after", "torn"]
"""When a fault strikes: instead of the call, once it is done, or (a write) when half is done."""


@dataclass
class Names:
    """Which names would survive a power failure now: each needs an fsync of its folder.

    :param pending: Names that were made and whose folder was not synced since.
    :param unsynced: Files with content that was not synced.
    """

    pending: set[Path] = field(default_factory=set)
    unsynced: set[Path] = field(default_factory=set)

    def lost(self, path: Path) -> list[Path]:
        """What a power failure would take of this file: a folder above it, its name or content."""
        return [each for each in (path, *path.parents) if each in self.pending | self.unsynced]


class OperatingSystem:
    """The process's calls; at the ``at``-th of them, counted from 1, something happens.

    :param kill: SIGKILL this process at that call.
    :param error: Raise this errno at that call.
    :param narrow: Every write takes one byte.
    :param names: What is durable; carried over from a process that was killed.
    """

    def __init__(
        self,
        *,
        at: int = 0,
        moment: Moment = "before",
        kill: bool = False,
        error: int = 0,
        narrow: bool = False,
        names: Names | None = None,
        last_words: Callable[[Names], None] = lambda _: None,
    ) -> None:
        self._at, self._moment, self._kill, self._error = at, moment, kill, error
        self._narrow, self._last_words = narrow, last_words
        self.names = names or Names()
        self.steps: list[str] = []
        self._real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in CALLS}
        self._paths: dict[int, Path] = {}
        self.at_link: Callable[[Path], None] = lambda _: None

    @contextmanager
    def installed(self) -> Iterator[OperatingSystem]:
        for name in CALLS:
            setattr(os, name, self._watched(name))
        try:
            yield self
        finally:
            for name, call in self._real.items():
                setattr(os, name, call)

    def _watched(self, name: str) -> Callable[..., Any]:  # Any: every call has its own arguments
        def call(*arguments: Any, **options: Any) -> Any:
            self.steps.append(name)
            now = len(self.steps) == self._at
            if now and self._moment == "before":
                self._strike()
            try:
                return self._done(name, arguments, options, torn=now and self._moment == "torn")
            finally:
                if now:
                    self._strike()

        return call

    def _done(
        self, name: str, arguments: tuple[Any, ...], options: dict[str, Any], *, torn: bool
    ) -> Any:
        if name == "write" and (torn or self._narrow):
            data = arguments[1]
            return self._real["write"](arguments[0], data[: len(data) // 2 if torn else 1])
        result = self._real[name](*arguments, **options)
        self._note(name, arguments, result)
        return result

    def _strike(self) -> None:
        if self._kill:
            self._last_words(self.names)
            os.kill(os.getpid(), signal.SIGKILL)
        if self._error:
            raise OSError(self._error, os.strerror(self._error))

    def _note(self, name: str, arguments: tuple[Any, ...], result: Any) -> None:  # Any: as above
        if name == "open":
            self._paths[result] = Path(arguments[0])
            if arguments[1] & os.O_CREAT:
                self.names.pending.add(Path(arguments[0]))
        elif name == "write":
            self.names.unsynced.add(self._paths[arguments[0]])
        elif name == "fsync":
            synced = self._paths[arguments[0]]
            self.names.unsynced.discard(synced)
            self.names.pending = {each for each in self.names.pending if each.parent != synced}
        elif name == "mkdir":
            self.names.pending.add(Path(arguments[0]))
        elif name == "link":
            source, target = map(Path, arguments)
            self.names.pending.add(target)
            if source in self.names.unsynced:
                self.names.unsynced.add(target)
            self.at_link(target)
