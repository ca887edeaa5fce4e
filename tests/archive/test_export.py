"""A bag that outside validators accept, and that refuses to be made of what is damaged."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import bagit
import pytest

from platform_ops import archive
from platform_ops.errors import ArchiveCorrupt, ConfigError, NotArchived
from platform_ops.settings import Settings
from tests.archive.places import Disk, Place, settings_of
from tests.archive.samples import FORECAST, commit, faults, part, run, slot


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.getLogger("bagit").setLevel(logging.ERROR)
    yield
    logging.getLogger("bagit").setLevel(logging.NOTSET)


@pytest.fixture
def filled(site: Settings) -> Settings:
    """Names that BagIt would have escaped, revisions that share, one that was erased."""
    commit(site, part(b"sunny", "a b%.json"), part(b"mild", "ü\n"))
    commit(site, part(b"rainy", "a b%.json"), part(b"mild", "ü\n"), by=run("manual-2"))
    commit(site, part(b"windy"), at=slot(1, map_key="Ünter/Weg"))
    commit(site, part(b"secret"), at=slot(2))
    archive.erase(slot(2), reason="request 4711", by="privacy", delete=True, settings=site)
    return site


def check(folder: Path) -> None:
    """By the validator of the Library of Congress, and by coreutils."""
    bagit.Bag(str(folder)).validate()
    for listing in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        command = ["sha256sum", "--check", "--strict", "--quiet", listing]
        subprocess.run(command, cwd=folder, check=True)


def test_outside_validators_accept_it(filled: Settings, tmp_path: Path) -> None:
    bag = archive.export(tmp_path / "bag", settings=filled)
    check(bag.path)
    assert (bag.manifests, bag.payloads, bag.size_bytes) == (4, 4, 19)
    told = bagit.Bag(str(bag.path)).info
    assert told["Payload-Oxum"] == "19.4"
    assert told["External-Description"] == "all entities"
    assert [path.name for path in tmp_path.iterdir() if "bag" in path.name] == ["bag"]


def test_a_validator_finds_a_bit_that_flips_afterwards(filled: Settings, tmp_path: Path) -> None:
    bag = archive.export(tmp_path / "bag", settings=filled)
    (payload,) = (
        each for each in bag.path.rglob("*") if each.is_file() and each.read_bytes() == b"windy"
    )
    payload.write_bytes(b"Windy")
    with pytest.raises(bagit.BagValidationError):
        bagit.Bag(str(bag.path)).validate()


def test_the_bag_of_plain_names_is_an_archive(tmp_path: Path) -> None:
    commit(settings_of(Disk(tmp_path / "archive")), part(b"sunny"))
    bag = archive.export(tmp_path / "bag", settings=settings_of(Disk(tmp_path / "archive")))
    inside = settings_of(Disk(bag.path))
    assert faults(inside) == []
    (found,) = archive.find(FORECAST, settings=inside)
    assert archive.open(archive.refer(found, inside), settings=inside).read() == b"sunny"


def test_a_selection_takes_an_entity_and_a_range(filled: Settings, tmp_path: Path) -> None:
    since = datetime(2024, 3, 6, tzinfo=UTC)
    bag = archive.export(tmp_path / "bag", FORECAST, since, settings=filled)
    check(bag.path)
    assert (bag.manifests, bag.payloads) == (2, 1)
    description = bagit.Bag(str(bag.path)).info["External-Description"]
    assert description == "weather.forecast from 2024-03-06T00:00:00+00:00"


def test_a_damaged_payload_makes_no_bag(filled: Settings, place: Place, tmp_path: Path) -> None:
    key = next(key for key in place.objects() if key.startswith("data/"))
    place.write(key, b"Sunny")
    with pytest.raises(ArchiveCorrupt, match="were committed"):
        archive.export(tmp_path / "bag", settings=filled)
    assert not list(tmp_path.glob("*bag*"))


def test_nothing_to_export_and_a_folder_that_is_there_are_refused(
    filled: Settings, tmp_path: Path
) -> None:
    with pytest.raises(NotArchived, match="nothing of that selection"):
        archive.export(tmp_path / "bag", "weather.warnings", settings=filled)
    assert not list(tmp_path.glob("*bag*"))
    with pytest.raises(ConfigError, match="name a folder that does not exist"):
        archive.export(tmp_path, settings=filled)
