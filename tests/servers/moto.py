"""S3 as a source: moto's server, behind a proxy that counts what is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.fakes.faulty import FaultyProxy, faulty_proxy
from tests.fakes.s3 import S3Server, s3_server

__all__ = ["Moto", "started"]


@dataclass(frozen=True)
class Moto:
    """A running server, and the proxy before it."""

    server: S3Server
    proxy: FaultyProxy


@contextmanager
def started() -> Iterator[Moto]:
    """Run both until the block ends."""
    with s3_server() as server, faulty_proxy(server.url) as proxy:
        yield Moto(server, proxy)
