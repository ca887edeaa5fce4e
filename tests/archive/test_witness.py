"""What nothing in an archive can tell of itself: a witness that kept the newest manifests does."""

from __future__ import annotations

import json

import pytest

from platform_ops import archive
from platform_ops.archive import Head
from platform_ops.archive.records.read import manifest_digest
from platform_ops.archive.upkeep.witnesses import parse
from platform_ops.entity import Manifest
from platform_ops.errors import ConfigError
from platform_ops.settings import Settings
from tests.archive.places import Place
from tests.archive.samples import commit, faults, part, run, slot
from tests.archive.strays import FOLDER

NEWEST = f"meta/{FOLDER}/000003.json"


@pytest.fixture
def kept(site: Settings) -> list[Head]:
    """Of three revisions of one slot, and one of another."""
    for number in range(3):
        commit(site, part(b"%d" % number), by=run(f"run-{number}"))
    commit(site, part(b"other"), at=slot(1))
    return list(archive.witness(settings=site))


def denied(site: Settings, kept: list[Head], prefix: str = "") -> list[str]:
    verdicts = archive.verify(prefix, share=0, against=kept, settings=site)
    return [f"{fault.kind} {fault.url}" for verdict in verdicts for fault in verdict.faults]


def test_a_witness_is_told_the_newest_manifest_of_each_slot(
    site: Settings, kept: list[Head]
) -> None:
    newest = [archive.newest(each, settings=site) for each in (slot(), slot(1))]
    assert [head.sha256 for head in kept] == [manifest_digest(each) for each in newest]
    assert kept[0].key == NEWEST
    assert list(archive.witness("v1/shop", site)) == []


def test_what_came_since_is_no_fault(site: Settings, kept: list[Head]) -> None:
    commit(site, part(b"newer"), by=run("run-9"))
    commit(site, part(b"another day"), at=slot(2))
    assert denied(site, kept) == []


def test_a_newest_manifest_and_a_slot_that_are_gone_are_named(
    site: Settings, place: Place, kept: list[Head]
) -> None:
    place.remove(NEWEST)
    assert faults(site) == []  # the chain ends one earlier, without a gap
    assert denied(site, kept) == [f"gone {place.root}/{NEWEST}"]
    place.remove(kept[1].key)
    assert denied(site, kept) == [f"gone {place.root}/{head.key}" for head in kept]
    assert denied(site, kept, "v1/shop") == []


def test_a_revision_that_takes_the_number_of_one_that_is_gone_is_named(
    site: Settings, place: Place, kept: list[Head]
) -> None:
    """Whoever may delete and write can make a chain that fits."""
    place.remove(NEWEST)
    commit(site, part(b"forged"), by=run("run-2"))
    assert faults(site) == []
    assert denied(site, kept) == [f"rewritten {place.root}/{NEWEST}"]


def test_a_manifest_that_an_erasure_has_amended_is_the_same(
    site: Settings, place: Place, kept: list[Head]
) -> None:
    before = place.read(NEWEST)
    archive.erase(slot(), reason="request 4711", by="privacy", delete=True, settings=site)
    assert place.read(NEWEST) != before
    assert denied(site, kept) == []


def test_a_body_that_was_erased_alone_is_no_fault(site: Settings, place: Place) -> None:
    commit(site, part(b"a", "a"), part(b"b", "b"))
    kept = list(archive.witness(settings=site))
    archive.erase(slot(), reason="4711", by="privacy", name="a", delete=True, settings=site)
    assert Manifest.from_json(place.read(kept[0].key), "").bodies == 1
    assert denied(site, kept) == []


def test_a_list_is_written_and_read_by_the_line(kept: list[Head]) -> None:
    assert list(parse((head.to_json() for head in kept), "heads.jsonl")) == kept


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "{}",
        '{"key": 1, "sha256": "0"}',
        json.dumps({"key": "data/a/000001.json", "sha256": "0" * 64}),
        json.dumps({"key": "meta/../a/000001.json", "sha256": "0" * 64}),
        json.dumps({"key": "meta/a/000001.json", "sha256": "0" * 63}),
    ],
    ids=["empty", "list", "object", "numbers", "payload", "outside", "short"],
)
def test_another_list_is_refused_by_its_line(line: str) -> None:
    with pytest.raises(ConfigError, match=r"heads\.jsonl, line 1: no line of a list of heads"):
        list(parse([line], "heads.jsonl"))
