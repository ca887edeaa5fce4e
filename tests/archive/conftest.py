"""Each contract holds on every store: a test that takes ``place`` runs once on each."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_ops.settings import Settings
from tests.archive.places import ObjectServer, Place, place_of, settings_of
from tests.fakes.faulty import FaultyProxy, faulty_proxy


@pytest.fixture(params=["disk", "s3", "gcs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_of(request, tmp_path / "archive")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is such a thing: the calls are the same, an fsync costs nothing."""
    shared = Path("/dev/shm")
    made = Path(
        tempfile.mkdtemp(prefix="platform-ops-", dir=shared if shared.is_dir() else tmp_path)
    )
    yield made
    shutil.rmtree(made)


@pytest.fixture
def site(place: Place) -> Settings:
    return settings_of(place)


@pytest.fixture(scope="module", params=["s3", "gcs"])
def object_server(request: pytest.FixtureRequest) -> ObjectServer:
    served: ObjectServer = request.getfixturevalue(f"{request.param}_server")
    return served


@pytest.fixture(scope="module")
def proxy(object_server: ObjectServer) -> Iterator[FaultyProxy]:
    with faulty_proxy(object_server.url) as running:
        yield running


@pytest.fixture
def bucket(object_server: ObjectServer, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a bucket behind the proxy, for a client that asks each thing once."""
    for name, value in object_server.environment(proxy.url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PLATFORM_OPS_STORE_ATTEMPTS", "1")
    proxy.arm(None, 0)
    return f"{object_server.scheme}://{object_server.new_bucket()}"
