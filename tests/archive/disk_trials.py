"""Work on an archive on disk, broken at every call to the operating system, and what is left of it.

It runs in a process of its own, which forks: a fork of one that has threads might hang.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from platform_ops.archive.stores import store
from platform_ops.errors import ArchiveError, PlatformError
from tests.fakes.operating_system import Moment, OperatingSystem

State = TypeVar("State")


@dataclass(frozen=True)
class Trial(Generic[State]):
    """What is tried; functions of modules, since it travels to another process.

    :param prepare: Makes the archive in a new folder.
    :param work: What is broken off.
    :param broken: Each promise that does not hold afterwards; it ends the work, and looks again.
    """

    prepare: Callable[[Path], State]
    work: Callable[[State], object]
    broken: Callable[[State], Iterator[str]]

    def kills(self, folder: Path, moment: Moment) -> tuple[int, list[str]]:
        """SIGKILL at each call in turn: how many schedules ran, and each that broke a promise."""
        steps, violations = self._steps(folder, moment), []
        for step, call in steps:
            state = self._prepared(folder / str(step))
            child = os.fork()
            if not child:
                try:
                    self._done(state, OperatingSystem(at=step, moment=moment, kill=True))
                finally:
                    os._exit(1)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if status != -signal.SIGKILL:
                raise AssertionError(f"the child ended with {status}, not by SIGKILL")
            found = self._violations(state)
            violations += [f"kill {moment} call {step} ({call}): {each}" for each in found]
        return len(steps), violations

    def errors(self, folder: Path, moment: Moment, code: int) -> tuple[int, list[str]]:
        """The same with an error of the operating system in place of the kill."""
        steps, violations = self._steps(folder, moment), []
        for step, call in steps:
            state = self._prepared(folder / str(step))
            found = self._tried(state, OperatingSystem(at=step, moment=moment, error=code))
            found += self._violations(state)
            what = f"{os.strerror(code)} {moment} call {step} ({call})"
            violations += [f"{what}: {each}" for each in found]
        return len(steps), violations

    def narrow_writes(self, folder: Path) -> list[str]:
        """Every write takes a single byte, as near a full disk."""
        state = self._prepared(folder / "narrow")
        return [*self._tried(state, OperatingSystem(narrow=True)), *self._violations(state)]

    def _steps(self, folder: Path, moment: Moment) -> list[tuple[int, str]]:
        """The calls of work that nothing disturbs, by number; only a write can be torn."""
        system = OperatingSystem()
        self._done(self._prepared(folder / "undisturbed"), system)
        numbered = enumerate(system.steps, start=1)
        return [each for each in numbered if moment != "torn" or each[1] == "write"]

    def _prepared(self, folder: Path) -> State:
        store.opened.cache_clear()  # what one process knows of folders, the next does not
        return self.prepare(folder)

    def _done(self, state: State, system: OperatingSystem) -> None:
        store.opened.cache_clear()
        with system.installed():
            self.work(state)

    def _tried(self, state: State, system: OperatingSystem) -> list[str]:
        try:
            self._done(state, system)
        except ArchiveError:
            return []
        except (OSError, PlatformError) as err:
            return [f"not an archive error: {err!r}"]
        return []

    def _violations(self, state: State) -> list[str]:
        store.opened.cache_clear()
        return list(self.broken(state))
