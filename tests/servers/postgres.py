"""PostgreSQL, with a cluster of its own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.servers.certificate import self_signed
from tests.servers.program import free_port, home, program

__all__ = ["Postgres", "started"]

USER = "archivist"


@dataclass(frozen=True)
class Postgres:
    """A running server, with the database ``postgres``.

    :param password: Of the user ``archivist``, who may do everything.
    """

    port: int
    password: str

    @property
    def dsn(self) -> str:
        return (
            f"host=127.0.0.1 port={self.port} dbname=postgres user={USER} password={self.password}"
        )

    @property
    def sqlalchemy_url(self) -> str:
        """The same database, as Airflow's own option asks for it."""
        return f"postgresql+psycopg2://{USER}:{self.password}@127.0.0.1:{self.port}/postgres"

    def connect(self) -> psycopg.Connection:
        """A connection of the server's owner."""
        return psycopg.connect(self.dsn, autocommit=True)


@contextmanager
def started(password: str = "archivist", *, tls: bool = False) -> Iterator[Postgres]:
    """Run it until the block ends.

    :param tls: Whether it has a certificate, which nobody else vouches for.
    """
    server = program("POSTGRES", "postgres", "postgresql").resolve()
    with home() as place:
        cluster, secret = place.folder / "cluster", place.folder / "password"
        secret.write_text(password, "utf-8")
        secret.chmod(0o644)
        place.run(
            server.with_name("initdb"),
            *("--pgdata", cluster, "--username", USER, "--pwfile", secret, "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
        )
        port = free_port()
        settings: dict[str, object] = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "timezone": "UTC",
        }
        if tls:
            public, key = self_signed(place.folder)
            os.chown(key, place.identity.get("user", -1), -1)
            key.chmod(0o600)  # else the server refuses it
            settings |= {"ssl": "on", "ssl_cert_file": public, "ssl_key_file": key}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with place.started(
            [server, "-D", cluster, *options],
            lambda: _answers(server.with_name("pg_isready"), port),
            signal.SIGINT,  # SIGTERM would wait for the last client
        ):
            yield Postgres(port, password)


def _answers(asker: Path, port: int) -> bool:
    command = [str(asker), "--quiet", "--host=127.0.0.1", f"--port={port}"]
    return subprocess.run(command, check=False).returncode == 0
