"""OpenSSH's own server, for the user who runs the tests, with a key alone: it knows no password.

Source: https://man.openbsd.org/sshd_config
"""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.program import Home, free_port, listens, program

__all__ = ["Sshd", "new_key", "public", "started"]

_SFTP = "/usr/lib/openssh/sftp-server"


@dataclass(frozen=True)
class Sshd:
    """A running server.

    :param folder: What it serves; the same path leads there on this machine.
    :param host_key: Its public key, as the extra of a connection names it.
    :param key_file: The private key that opens it.
    :param log: What it says of files.
    """

    port: int
    folder: Path
    host_key: str
    key_file: Path
    log: Path

    def connection(
        self, port: int | None = None, password: str | None = None, **extra: Any
    ) -> str:  # Any: JSON values
        """An Airflow connection as JSON, perhaps by way of a proxy on another port.

        :param extra: What is other in its extra; None takes a field out.
        """
        fields = {
            "conn_type": "sftp",
            "host": "127.0.0.1",
            "port": port or self.port,
            "login": getpass.getuser(),
            "password": password,
        }
        usual = {"private_key": self.key_file.read_text("utf-8"), "host_key": self.host_key}
        given = {name: each for name, each in {**usual, **extra}.items() if each is not None}
        return json.dumps({**fields, "extra": given})

    def reads(self, below: Path) -> int:
        """How many files below a folder were opened for reading so far."""
        text = self.log.read_text("utf-8", "replace")
        return len(re.findall(rf'open "{re.escape(str(below))}/[^"]*" flags READ', text))


@contextmanager
def started() -> Iterator[Sshd]:
    """Run it until the block ends."""
    server = program("SSHD", "sshd", "openssh-server")
    with tempfile.TemporaryDirectory(prefix="sshd-") as name:
        folder = Path(name)
        host_key, user_key = new_key(folder / "host"), new_key(folder / "user")
        (folder / "served").mkdir()
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # as root it insists on it
        port = free_port()
        settings = {
            "Port": port,
            "ListenAddress": "127.0.0.1",
            "HostKey": host_key,
            "PidFile": "none",
            "AuthorizedKeysFile": user_key.with_suffix(".pub"),
            "StrictModes": "no",
            "UsePAM": "no",
            "PermitRootLogin": "yes",
            "PasswordAuthentication": "yes",
            "KbdInteractiveAuthentication": "no",
            # Through a shell, since sshd hands what it says to the client.
            "Subsystem": f"sftp {_SFTP} -e -l INFO 2>>{folder / 'files'}",
            "MaxStartups": "100",
        }
        (folder / "files").touch()
        config = folder / "sshd_config"
        config.write_text("".join(f"{each} {value}\n" for each, value in settings.items()))
        with Home(folder).started([server, "-D", "-e", "-f", config], lambda: listens(port)):
            yield Sshd(port, folder / "served", public(host_key), user_key, folder / "files")


def new_key(path: Path) -> Path:
    """A fresh key pair; the public half lies beside it."""
    keygen = shutil.which("ssh-keygen")
    assert keygen, "no ssh-keygen; on Debian: apt-get install openssh-client"
    command = [keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def public(path: Path) -> str:
    """The public half of a key, without its comment."""
    return " ".join(path.with_suffix(".pub").read_text("utf-8").split()[:2])
