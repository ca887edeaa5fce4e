"""The contract of the archive's tests once more, over Microsoft's own emulator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pytest
from obstore.store import AzureStore

from platform_ops.settings import Settings
from tests.archive.places import Place, settings_of
from tests.fakes.azurite import Azurite, azurite, installed_azurite


@dataclass(frozen=True)
class Container:
    """A container, seen past the archive."""

    server: Azurite
    name: str

    @property
    def root(self) -> str:
        return f"abfs://{self.name}/some/prefix"

    def objects(self) -> list[str]:
        found = [each["path"] for batch in self._client.list() for each in batch]
        return sorted(path.removeprefix("some/prefix/") for path in found)

    def read(self, key: str) -> bytes:
        return bytes(self._client.get(f"some/prefix/{key}").bytes())

    def write(self, key: str, data: bytes) -> None:
        self._client.put(f"some/prefix/{key}", data)

    def remove(self, key: str) -> None:
        self._client.delete(f"some/prefix/{key}")

    def date(self, key: str, when: datetime) -> None:
        raise NotImplementedError("Azurite lets nobody date a blob")

    def unfinished(self) -> list[str]:
        """Nothing: blocks of an upload that was given up cannot be aborted, and end after a week."""
        return []

    @property
    def _client(self) -> AzureStore:
        return self.server.client(self.name)


@pytest.fixture(scope="session")
def azurite_server() -> Iterator[Azurite]:
    """One server for all tests of this folder."""
    with azurite(installed_azurite()) as running:
        yield running


@pytest.fixture(scope="module")
def object_server(azurite_server: Azurite) -> Azurite:
    """The server that the fixtures of the archive's crash tests build on."""
    return azurite_server


@pytest.fixture
def place(azurite_server: Azurite, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in azurite_server.environment().items():
        monkeypatch.setenv(name, value)
    return Container(azurite_server, azurite_server.new_bucket())


@pytest.fixture
def site(place: Place) -> Settings:
    return settings_of(place)
