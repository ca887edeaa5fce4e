"""Erasing a revision on request: its bytes and what its manifest tells of people go, the chain holds."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TypedDict

import pytest

from platform_ops import archive
from platform_ops.archive import Commit, Removal
from platform_ops.entity import Origin, Part
from platform_ops.errors import ArchiveHeld, ConfigError, NotArchived, Removed
from platform_ops.settings import Settings
from tests.archive.places import Place, store_of
from tests.archive.samples import aged, commit, faults, run, slot
from tests.archive.strays import FOLDER, contents, swept
from tests.archive.test_expire import expired, keeping

META, GRAVE = f"meta/{FOLDER}", f"tombstones/{FOLDER}"


class Why(TypedDict):
    reason: str
    by: str


WHY: Why = {"reason": "request 4711", "by": "privacy@example.org"}
SUBJECT = "jane.doe"


def of_subject(body: bytes, name: str) -> Part:
    origin = Origin(
        f"https://crm.example/people?name={SUBJECT}",
        fingerprint="f" * 64,
        status=200,
        headers={"link": f"</people?name={SUBJECT}&page=2>"},
    )
    return Part(name, [body], origin)


@pytest.fixture
def history(site: Settings) -> list[Commit]:
    bodies = [(b"one", b"same"), (b"two", b"same"), (b"three", b"other")]
    return [
        commit(site, of_subject(first, "a"), of_subject(second, "b"), by=run(f"run-{number}"))
        for number, (first, second) in enumerate(bodies, start=1)
    ]


def outline(found: list[Removal]) -> list[tuple[str, int, int, bool]]:
    return [(each.step, each.revision, each.size_bytes, each.done) for each in found]


def test_a_dry_run_writes_nothing_and_tells_what_is_shared(
    site: Settings, place: Place, history: list[Commit]
) -> None:
    before = contents(place)
    (found,) = archive.erase(slot(), 2, **WHY, settings=site)
    assert (found.step, found.revision, found.shared_with, found.done) == ("bury", 2, (1,), False)
    assert contents(place) == before


def test_one_revision_goes_and_the_chain_still_holds(
    site: Settings, place: Place, history: list[Commit]
) -> None:
    found = archive.erase(slot(), 3, **WHY, delete=True, settings=site)
    assert outline(found) == [("bury", 3, 10, True), ("remove", 3, 10, True)]
    assert faults(site) == []
    assert [each.revision for each in archive.revisions(slot(), site)] == [3, 2, 1]
    later = commit(site, of_subject(b"four", "a"), by=run("run-4"))
    assert later.manifest.revision == 4
    assert faults(site) == []
    assert archive.open(history[1].reference, settings=site).read() == b"twosame"


def test_a_revision_committed_before_the_erasure_still_continues_the_chain(
    site: Settings, place: Place, history: list[Commit]
) -> None:
    digest = history[0].reference.manifest_sha256
    archive.erase(slot(), 1, **WHY, delete=True, settings=site)
    assert history[1].manifest.previous_sha256 == digest
    assert archive.newest(slot(), revision=2, settings=site).previous_sha256 == digest
    assert faults(site) == []
    tombstone = json.loads(place.read(f"{GRAVE}/000001.json"))
    assert (tombstone["manifest_sha256"], tombstone["cause"]) == (digest, "erased")
    assert (tombstone["reason"], tombstone["by"]) == (WHY["reason"], WHY["by"])


def test_nothing_of_the_request_stays_in_the_manifest(
    site: Settings, place: Place, history: list[Commit]
) -> None:
    archive.erase(slot(), **WHY, delete=True, settings=site)
    left = contents(place)
    assert not [key for key in left if key.startswith("data/")]
    assert not [key for key, body in left.items() if SUBJECT.encode() in body]
    (payload, _) = archive.newest(slot(), settings=site).payloads
    assert (payload.origin.url, payload.origin.fingerprint) == ("https://crm.example", None)
    assert faults(site) == []
    assert swept(site) == ([], [])


def test_a_shared_payload_goes_with_the_last_revision_that_names_it(
    site: Settings, place: Place, history: list[Commit]
) -> None:
    first = archive.erase(slot(), 2, **WHY, delete=True, settings=site)
    assert outline(first) == [("bury", 2, 7, True), ("remove", 2, 3, True)]
    assert archive.open(history[0].reference, settings=site).read() == b"onesame"
    second = archive.erase(slot(), 1, **WHY, delete=True, settings=site)
    assert outline(second) == [("bury", 1, 7, True), ("remove", 1, 7, True)]
    assert archive.erase(slot(), 1, **WHY, delete=True, settings=site)[1:] == []
    assert faults(site) == []


def test_a_reader_is_told_who_asked(site: Settings, history: list[Commit]) -> None:
    archive.erase(slot(), 1, **WHY, delete=True, settings=site)
    for read in (archive.open, archive.manifest):
        with pytest.raises(Removed, match=r"erased on .*Z by privacy@example.org: request 4711"):
            read(history[0].reference, settings=site)
    redacted = archive.newest(slot(), revision=1, settings=site)
    with pytest.raises(Removed, match="request 4711"):
        archive.open(archive.refer(redacted, site), settings=site).read()


def test_a_revision_that_had_expired_can_be_erased(site: Settings, place: Place) -> None:
    kept = keeping(place, retention_days=30)
    with aged(days=40):
        commit(kept, of_subject(b"one", "a"))
    expired(kept, delete=True, pause=timedelta(0))
    archive.erase(slot(), **WHY, delete=True, settings=site)
    assert not [key for key, body in contents(place).items() if SUBJECT.encode() in body]
    tombstone = json.loads(place.read(f"{GRAVE}/000001.json"))
    assert tombstone["reason"].startswith("request 4711 (expired before, on ")
    assert faults(site) == []


def test_a_hold_forbids_it(site: Settings, place: Place, history: list[Commit]) -> None:
    hold = archive.hold(slot(), reason="lawsuit 7", by="counsel", settings=site)
    before = contents(place)
    with pytest.raises(ArchiveHeld, match=f"hold {hold.id} on .*: lawsuit 7; release it first"):
        archive.erase(slot(), 1, **WHY, delete=True, settings=site)
    assert contents(place) == before


def test_what_is_not_there_and_who_gives_no_reason_are_refused(
    site: Settings, history: list[Commit]
) -> None:
    with pytest.raises(NotArchived, match="no such revision 9; nothing was erased"):
        archive.erase(slot(), 9, **WHY, delete=True, settings=site)
    with pytest.raises(NotArchived, match="nothing is archived"):
        archive.erase(slot(7), **WHY, delete=True, settings=site)
    with pytest.raises(ConfigError, match="reason is empty"):
        archive.erase(slot(), 1, reason=" ", by="x", delete=True, settings=site)


def test_an_erasure_that_died_before_the_redaction_is_named_and_finished(
    site: Settings, place: Place, history: list[Commit]
) -> None:
    intact = place.read(f"{META}/000001.json")
    archive.erase(slot(), 1, **WHY, delete=True, settings=site)
    place.write(f"{META}/000001.json", intact)
    assert faults(site) == [f"tombstone {place.root}/{GRAVE}/000001.json"]
    archive.erase(slot(), 1, **WHY, delete=True, settings=site)
    assert faults(site) == []
    assert SUBJECT.encode() not in place.read(f"{META}/000001.json")
    assert store_of(place).stat(history[0].manifest.payloads[0].key) is None
