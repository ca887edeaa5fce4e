"""The rights that the site's page asks for on S3: enough for each role, and not one too many."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from platform_ops import archive
from platform_ops.archive.stores import store
from platform_ops.errors import ArchiveError
from platform_ops.settings import ArchiveSettings, Settings
from tests.archive.samples import commit, faults, part, run, slot
from tests.fakes.guarded_s3 import BUCKET, GuardedS3, guarded_s3

_PAGE = Path(__file__).parents[2] / "docs/how-to/choose-a-store.md"
_ROW = re.compile(r"\| (reader|writer) \| (.*) \| (.*) \|")
_OBJECTS, _BUCKET = f"arn:aws:s3:::{BUCKET}/raw/*", f"arn:aws:s3:::{BUCKET}"

Rights = dict[str, list[str]]
As = Callable[..., Settings]


def documented() -> dict[str, Rights]:
    """What the page's table for S3 gives each role."""
    section = _PAGE.read_text(encoding="utf-8").partition("## Amazon S3")[2].partition("\n## ")[0]
    return {
        role: {
            _OBJECTS: re.findall(r"`(s3:\w+)`", objects),
            _BUCKET: re.findall(r"`(s3:\w+)`", bucket),
        }
        for role, objects, bucket in _ROW.findall(section)
    }


def without(right: str) -> Rights:
    """The writer's rights but one."""
    return {
        resource: [each for each in actions if each != right]
        for resource, actions in documented()["writer"].items()
    }


WRITERS = [right for actions in documented()["writer"].values() for right in actions]


@pytest.fixture(scope="module")
def server() -> Iterator[GuardedS3]:
    lacking = {f"without-{right.partition(':')[2]}": without(right) for right in WRITERS}
    with guarded_s3({**documented(), **lacking}) as running:
        yield running


@pytest.fixture
def site_as(server: GuardedS3, monkeypatch: pytest.MonkeyPatch) -> Iterator[As]:
    def site(user: str, folder: str = "") -> Settings:
        for name, value in server.environment(user).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PLATFORM_OPS_STORE_ATTEMPTS", "1")
        store.opened.cache_clear()  # its clients keep the keys that they were made with
        return Settings(archive=ArchiveSettings(root=f"s3://{BUCKET}/raw/{folder or user}"))

    yield site
    store.opened.cache_clear()


def test_a_writer_commits_revises_and_verifies(site_as: As) -> None:
    site = site_as("writer")
    commit(site, part(b"small", "a"), part(b"x" * (12 << 20), "b"))
    second = commit(site, part(b"other"), by=run("another"))
    assert archive.open(second.reference, settings=site).read() == b"other"
    assert [found.revision for found in archive.revisions(slot(), site)] == [2, 1]
    assert list(archive.sweep(grace=timedelta(days=1), settings=site)) == []
    assert faults(site) == []


def test_a_reader_reads_and_cannot_write(site_as: As) -> None:
    written = commit(site_as("writer", "shared"), part(b"to read"))
    site = site_as("reader", "shared")
    assert archive.open(written.reference, settings=site).read() == b"to read"
    assert faults(site) == []
    with pytest.raises(ArchiveError):
        commit(site, at=slot(1))
    assert [found.slot for found in archive.find("weather.forecast", settings=site)] == [slot()]


def a_revision_over_another(site: Settings) -> None:
    commit(site, part(b"a"))
    commit(site, part(b"b"), by=run("another"))


@pytest.mark.parametrize("right", [each for each in WRITERS if "Abort" not in each])
def test_a_writer_needs_each_of_its_rights(site_as: As, right: str) -> None:
    site = site_as(f"without-{right.partition(':')[2]}")
    with pytest.raises(ArchiveError):
        a_revision_over_another(site)
