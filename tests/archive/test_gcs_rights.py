"""The permissions that the site's page asks for on Cloud Storage: enough for each, and not one too many."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from platform_ops import archive
from platform_ops.archive.stores import store
from platform_ops.errors import ArchiveUnwritable
from platform_ops.settings import Settings
from tests.archive.samples import aged, commit, faults, part, run, slot
from tests.fakes.gcs import GcsServer, gcs_server

_PAGE = Path(__file__).parents[2] / "docs/how-to/choose-a-store.md"
As = Callable[[str], None]


def documented() -> dict[str, set[str]]:
    """What the page's table gives each role."""
    text = _PAGE.read_text(encoding="utf-8").partition("## Google Cloud Storage")[2]
    section, found = text.partition("\n## ")[0], dict[str, set[str]]()
    for role, cell in re.findall(
        r"^\| (reader|writer|maintainer) \| (.*) \|$", section, re.MULTILINE
    ):
        inherited = re.search(r"the (reader|writer)'s", cell)
        found[role] = set(re.findall(r"`(storage\.[\w.]+)`", cell))
        found[role] |= found[inherited[1]] if inherited else set()
    return found


RIGHTS = documented()


@pytest.fixture
def guarded() -> Iterator[GcsServer]:
    """A server that gives each role's token what the page says."""
    with gcs_server() as server:
        server.rights = dict(RIGHTS)
        yield server


@pytest.fixture
def become(guarded: GcsServer, monkeypatch: pytest.MonkeyPatch) -> As:
    def become(role: str) -> None:
        monkeypatch.setenv("GOOGLE_BASE_URL", guarded.url)
        monkeypatch.setenv("GOOGLE_BEARER_TOKEN", role)
        store.opened.cache_clear()

    return become


@pytest.fixture
def site(guarded: GcsServer) -> Settings:
    entities = {"forecast": {"retention_days": 30}}
    plain = {
        "archive": {"root": f"gs://{guarded.new_bucket()}/raw"},
        "sources": {"weather": {"entities": entities}},
    }
    return Settings.model_validate(plain)


def write(site: Settings) -> None:
    """All that a writer does: small bodies and large ones, a retry, a revision, and one given up."""
    commit(site, part(b"small", "a"), part(b"x" * (9 << 20), "b"))
    commit(site, part(b"small", "a"), by=run(try_number=2))
    commit(site, part(b"small", "a"), part(b"other", "b"), by=run("another"))

    def broken() -> Iterator[bytes]:
        yield b"x" * (20 << 20)
        raise EOFError

    with suppress(EOFError):
        commit(site, part(broken(), "c"), at=slot(1))


def test_the_page_names_them() -> None:
    assert RIGHTS.keys() == {"reader", "writer", "maintainer"}
    assert RIGHTS["reader"] < RIGHTS["writer"] < RIGHTS["maintainer"]


def test_a_writer_needs_no_more(guarded: GcsServer, site: Settings, become: As) -> None:
    become("writer")
    write(site)
    assert [bucket.uploads for bucket in guarded.buckets.values()] == [{}]


@pytest.mark.parametrize("right", sorted(RIGHTS["writer"]))
def test_a_writer_can_do_without_none(
    guarded: GcsServer, site: Settings, become: As, right: str
) -> None:
    guarded.rights["lacking"] = RIGHTS["writer"] - {right}
    become("lacking")
    with suppress(ArchiveUnwritable):
        write(site)
        (bucket,) = guarded.buckets.values()
        assert right.endswith(".abort")
        assert len(bucket.uploads) == 1


def test_a_reader_reads_finds_and_verifies_and_writes_nothing(
    guarded: GcsServer, site: Settings, become: As
) -> None:
    become("writer")
    write(site)
    become("reader")
    assert archive.open(slot(), settings=site).read() == b"smallother"
    assert len(list(archive.find("weather.forecast", settings=site))) == 2
    assert faults(site) == []
    with pytest.raises(ArchiveUnwritable, match="give the worker the rights"):
        commit(site, at=slot(2))


@pytest.mark.parametrize("role", ["writer", "maintainer"])
def test_only_a_maintainer_lets_go(
    guarded: GcsServer, site: Settings, become: As, role: str
) -> None:
    become("writer")
    with aged(days=40):
        write(site)
    commit(site, part(b"secret", "a"), part(b"mild", "b"), at=slot(3))
    become(role)
    tasks: list[Callable[[], object]] = [
        lambda: list(archive.sweep(delete=True, settings=site)),
        lambda: list(archive.expire(delete=True, pause=timedelta(0), settings=site)),
        lambda: archive.erase(
            slot(3), name="a", reason="4711", by="privacy", delete=True, settings=site
        ),
        lambda: archive.erase(slot(3), reason="4711", by="privacy", delete=True, settings=site),
    ]
    for task in tasks:
        if role == "maintainer":
            task()
        else:
            with pytest.raises(ArchiveUnwritable):
                task()
    if role == "maintainer":
        assert faults(site) == []
        assert not [k for b in guarded.buckets.values() for k in b.blobs if "/data/" in k]
