"""Child processes that never outlive the demo, each with a log of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

__all__ = ["Child", "DemoFailed", "Nursery", "poll"]

POLL_S = 0.1


class DemoFailed(Exception):
    """A step of the demo did not do what it shows.

    :param log: The file that tells more, if there is one.
    """

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log
        self.folder: Path | None = None
        """What was kept for a closer look; set where the folder is."""


@dataclass(frozen=True, slots=True)
class Child:
    """A process in a session of its own; what it starts stays in that session."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    def check(self) -> None:
        """Complain where it has ended in failure.

        :raises DemoFailed: It has; the error names its log.
        """
        if self.process.poll() not in (None, 0):
            raise DemoFailed(
                f"{self.name} ended with exit code {self.process.returncode}", self.log
            )

    def finish(self, timeout_s: float) -> None:
        """Wait until it ends by itself, well.

        :raises DemoFailed: It did not.
        """
        poll(lambda: self.process.poll() is not None, f"{self.name} to end", timeout_s, self.log)
        self.check()


@dataclass(slots=True)
class Nursery:
    """Starts children, and ends them all with everything that they started.

    :param logs: Folder for their logs.
    """

    logs: Path
    children: list[Child] = field(default_factory=list)

    @classmethod
    @contextmanager
    def opened(cls, logs: Path) -> Iterator[Nursery]:
        """End every child where the block ends, however it ends."""
        logs.mkdir(parents=True, exist_ok=True)
        nursery = cls(logs)
        try:
            yield nursery
        finally:
            with _undisturbed():
                nursery.end()

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str], cwd: Path) -> Child:
        """Start a process in a session of its own: a Ctrl-C in the terminal reaches the demo alone."""
        log = self.logs / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        child = Child(name, log, process)
        self.children.append(child)
        return child

    def check(self) -> None:
        """Complain where a child has ended in failure."""
        for child in self.children:
            child.check()

    def end(self, grace_s: float = 4.0) -> None:
        """SIGTERM to all that lives, then SIGKILL; returns when nothing is left.

        Airflow moves each task to a process group of its own, so a group does not hold them all; the
        session does.
        """
        sessions = {child.process.pid for child in self.children}
        self._signal(signal.SIGTERM, [child.process.pid for child in self.children])
        deadline = time.monotonic() + grace_s
        while self._living(sessions) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        while living := self._living(sessions):
            self._signal(signal.SIGKILL, living)
            time.sleep(POLL_S)
        for child in self.children:
            child.process.wait()  # one may have ended after it was last asked
        self.children.clear()

    def _living(self, sessions: set[int]) -> list[int]:
        for child in self.children:
            child.process.poll()  # takes its exit code, or it would stay as a zombie
        return [pid for pid in psutil.pids() if _session(pid) in sessions and _runs(pid)]

    @staticmethod
    def _signal(number: signal.Signals, pids: Sequence[int]) -> None:
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C must not leave half of the processes behind."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def poll(
    done: Callable[[], bool],
    what: str,
    timeout_s: float,
    log: Path | None = None,
    interval_s: float = POLL_S,
) -> None:
    """Wait until something holds.

    :param what: What is waited for, for the message.
    :raises DemoFailed: It did not within the time.
    """
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            raise DemoFailed(f"waited {timeout_s:.0f} s for {what}, in vain", log)
        time.sleep(interval_s)
