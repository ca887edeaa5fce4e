"""Azure Blob Storage as a source: Microsoft's emulator, behind a proxy that counts what is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.fakes.azurite import Azurite as Emulator
from tests.fakes.azurite import azurite, installed_azurite
from tests.fakes.faulty import FaultyProxy, faulty_proxy

__all__ = ["Azurite", "started"]


@dataclass(frozen=True)
class Azurite:
    """A running server, and the proxy before it."""

    server: Emulator
    proxy: FaultyProxy


@contextmanager
def started() -> Iterator[Azurite]:
    """Run both until the block ends."""
    with azurite(installed_azurite()) as server, faulty_proxy(server.url) as proxy:
        yield Azurite(server, proxy)
