"""Starting a server's program: found, in a folder of its own, as nobody where we are root, and ended."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

READY_S: Final = 60.0
"""How long a server may take to answer: long, since a test waits for it and never on it."""


@dataclass(frozen=True)
class Home:
    """A folder that belongs to the user whom the program runs as.

    :param identity: What makes ``subprocess`` run as that user; empty where we are not root.
    """

    folder: Path
    identity: dict[str, Any] = field(default_factory=dict)  # Any: Popen's own arguments

    def run(self, *command: str | Path) -> None:
        """Run one command of the server's to its end.

        :raises AssertionError: It failed; the message holds what it said.
        """
        done = subprocess.run(
            command,
            check=False,
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **self.identity,
        )
        assert done.returncode == 0, f"{command[0]}: {done.stdout}"

    @contextmanager
    def started(
        self,
        command: Sequence[str | Path],
        ready: Callable[[], bool],
        ending: signal.Signals = signal.SIGTERM,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run the server until the block ends.

        :param ready: Whether it answers; asked until it does.
        :param ending: What makes it end at once, whoever is connected.
        :raises AssertionError: It ended, or never answered; the message holds what it said.
        """
        log = self.folder / "log"
        with log.open("wb") as said:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                **self.identity,
            )
        try:
            deadline = time.monotonic() + READY_S
            while not ready():
                alive = process.poll() is None and time.monotonic() < deadline
                assert alive, f"{command[0]} is not ready: {log.read_text(errors='replace')}"
                time.sleep(0.02)
            yield process
        finally:
            process.send_signal(ending)
            try:
                process.wait(READY_S / 2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}


@contextmanager
def home() -> Iterator[Home]:
    """A temporary folder for one server, gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="server-", ignore_cleanup_errors=True) as name:
        if os.geteuid() != 0:
            yield Home(Path(name))
            return
        # Servers of databases refuse to run as root.
        nobody = pwd.getpwnam("nobody")
        os.chown(name, nobody.pw_uid, nobody.pw_gid)
        identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        yield Home(Path(name), identity)


def program(variable: str, name: str, package: str) -> Path:
    """The path of a server's program.

    :param variable: The one that the session ``sources`` sets to it.
    :raises AssertionError: It is not installed; the message says how to get it.
    """
    found = os.environ.get(variable) or shutil.which(name)
    assert found, f"no {name}; on Debian: apt-get install {package}, or set {variable} to its path"
    return Path(found)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether somebody accepts connections on a port of 127.0.0.1."""
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
