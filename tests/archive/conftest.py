"""Each contract holds on every store: a test that takes ``place`` runs once on each."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_ops.settings import Settings
from tests.archive.places import Disk, Place, in_a_bucket, settings_of


@pytest.fixture(params=["disk", "s3", "gcs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "disk":
        return Disk(tmp_path / "archive")
    return in_a_bucket(request)


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
