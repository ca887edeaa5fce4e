"""Each contract holds on every store: a test that takes ``place`` runs once on each."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_ops.settings import Settings
from tests.archive.places import Bucket, Disk, Place, settings_of
from tests.fakes.s3 import S3Server


@pytest.fixture(params=["disk", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "disk":
        return Disk(tmp_path / "archive")
    server: S3Server = request.getfixturevalue("s3_server")
    return Bucket(server, request.getfixturevalue("s3_bucket"))


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
