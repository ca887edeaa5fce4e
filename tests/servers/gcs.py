"""Google Cloud Storage as a source: its XML API, behind a proxy that counts what is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.fakes.faulty import FaultyProxy, faulty_proxy
from tests.fakes.gcs import GcsServer, gcs_server

__all__ = ["Gcs", "started"]


@dataclass(frozen=True)
class Gcs:
    """A running server, and the proxy before it."""

    server: GcsServer
    proxy: FaultyProxy


@contextmanager
def started() -> Iterator[Gcs]:
    """Run both until the block ends."""
    with gcs_server() as server, faulty_proxy(server.url) as proxy:
        yield Gcs(server, proxy)
