"""MariaDB, with data of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

from tests.servers.certificate import self_signed
from tests.servers.program import free_port, home, program

__all__ = ["MariaDb", "started"]

USER = "archivist"


@dataclass(frozen=True)
class MariaDb:
    """A running server, with the database ``shop``.

    :param password: Of the user ``archivist``, who may do everything.
    """

    port: int
    password: str

    def connect(self) -> pymysql.Connection[Any]:  # Any: its cursor
        """A connection of the server's owner."""
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=self.password,
            database="shop",
            autocommit=True,
        )


@contextmanager
def started(password: str = "archivist", *, tls: bool = False) -> Iterator[MariaDb]:
    """Run it until the block ends.

    :param tls: Whether it has a certificate, which nobody else vouches for.
    """
    server = program("MARIADB", "mariadbd", "mariadb-server")
    with home() as place:
        data, first = place.folder / "data", place.folder / "first.sql"
        first.write_text(  # one statement a line
            "CREATE DATABASE shop CHARACTER SET utf8mb4;\n"
            f"CREATE USER {USER}@'%' IDENTIFIED BY '{password}';\n"
            f"GRANT ALL ON *.* TO {USER}@'%' WITH GRANT OPTION;\n",
            "utf-8",
        )
        first.chmod(0o644)
        place.run(
            _installer(server),
            *(
                "--no-defaults",
                f"--datadir={data}",
                "--skip-test-db",
                "--auth-root-authentication-method=normal",
            ),
        )
        port = free_port()
        command: list[str | Path] = [
            server,
            "--no-defaults",
            f"--datadir={data}",
            f"--socket={place.folder / 'socket'}",
            f"--pid-file={place.folder / 'pid'}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=64M",
            "--default-time-zone=+00:00",
            f"--init-file={first}",
        ]
        if tls:
            public, key = self_signed(place.folder)
            command += [f"--ssl-cert={public}", f"--ssl-key={key}"]
        # Not the port alone: told to end before it has read its first file, it may never do so.
        with place.started(command, lambda: _knows(port, password)):
            yield MariaDb(port, password)


def _knows(port: int, password: str) -> bool:
    """Whether the user is there already and has every right, as the first file's last line gives it."""
    try:
        MariaDb(port, password).connect().close()
    except pymysql.OperationalError:
        return False
    return True


def _installer(server: Path) -> Path:
    """The program that makes an empty database, which Debian keeps in another folder."""
    folders = (server.parent, Path("/usr/bin"), Path("/usr/local/bin"))
    found = [each / "mariadb-install-db" for each in folders]
    return next(path for path in found if path.exists())
