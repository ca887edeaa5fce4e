"""The servers of databases themselves: each answers, and is gone when its block ends."""

from __future__ import annotations

from tests.servers import mariadb, postgres
from tests.servers.program import listens


def test_postgres_starts_and_ends() -> None:
    with postgres.started() as server:
        assert listens(server.port)
    assert not listens(server.port)


def test_mariadb_starts_and_ends() -> None:
    with mariadb.started() as server:
        assert listens(server.port)
    assert not listens(server.port)
