"""The index knows each body of a pack, by what it is and what it was asked by."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from platform_ops import archive
from platform_ops.archive.indexing import Index, Question
from platform_ops.archive.indexing.question import UNREAD
from platform_ops.entity import Origin, Part
from platform_ops.settings import Settings
from tests.archive.places import Place
from tests.archive.samples import commit, run, slot
from tests.archive.strays import FOLDER

WHY = {"reason": "request 4711", "by": "privacy"}


def station(name: str, body: str = "") -> Part:
    fingerprint = hashlib.sha256(name.encode()).hexdigest()
    origin = Origin(f"https://weather.example/{name}", fingerprint=fingerprint)
    return Part(name, [(body or f"all of {name}").encode()], origin)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def site(place: Place, tmp_path: Path) -> Settings:
    entities = {"forecast": {"pack": True}}
    plain = {
        "archive": {"root": place.root, "index": str(tmp_path / "index")},
        "sources": {"weather": {"entities": entities}},
    }
    return Settings.model_validate(plain)


@pytest.fixture
def index(site: Settings) -> Index:
    commit(site, *(station(f"s-{number:03}") for number in range(200)))
    commit(site, station("s-007", "rainy"), station("s-300"), at=slot(1), by=run("run-2"))
    commit(site, station("s-400"), at=slot(2), by=run("run-3"))
    found = archive.index(site)
    found.refresh()
    return found


def runs(index: Index, **asked: Any) -> list[str | None]:
    return [hit.run_id for hit in index.find(Question(**asked)).hits]


def list_of(place: Place) -> str:
    return next(
        key for key in place.objects() if FOLDER in key and key.endswith(".members.jsonl.gz")
    )


def test_a_body_of_a_pack_is_found_by_all_that_it_is(index: Index) -> None:
    assert runs(index, name="s-007") == ["scheduled-1", "run-2"]
    assert runs(index, name="s-1*") == ["scheduled-1"]
    assert runs(index, name="s-400") == ["run-3"]
    assert runs(index, name="nobody") == []
    assert runs(index, sha256=digest("all of s-150")) == ["scheduled-1"]
    assert runs(index, sha256=digest("rainy")[:10]) == ["run-2"]
    assert runs(index, fingerprint=digest("s-300")) == ["run-2"]
    assert runs(index, url="https://weather.example/s-199") == ["scheduled-1"]
    assert runs(index, url="*/s-199", name="s-007") == ["scheduled-1"]


def test_an_index_made_anew_knows_them_as_well(site: Settings, index: Index) -> None:
    index.path.unlink()
    assert [each.slot.time_utc.day for each in archive.find(name="s-300", settings=site)] == [6]
    assert runs(index, name="s-007") == ["scheduled-1", "run-2"]


def test_a_list_is_read_once(index: Index, place: Place) -> None:
    place.write(list_of(place), b"damaged since, which is what verify is for")
    index.refresh()
    assert runs(index, name="s-150") == ["scheduled-1"]


def test_what_is_erased_is_found_no_more(site: Settings, index: Index) -> None:
    archive.erase(slot(), name="s-007", reason="4711", by="privacy", delete=True, settings=site)
    index.refresh()
    assert runs(index, name="s-007") == ["run-2"]
    assert runs(index, name="s-008") == ["scheduled-1"]
    archive.erase(slot(), 1, reason="4711", by="privacy", delete=True, settings=site)
    index.refresh()
    answer = index.find(Question(name="s-300"))
    assert [(hit.run_id, hit.removed) for hit in answer.hits] == [("run-2", False)]
    assert answer.faulty == []


def test_a_question_looks_at_lists_that_are_at_fault_not_at_all_manifests(index: Index) -> None:
    with closing(sqlite3.connect(index.path)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {UNREAD}", ("meta/", "meta0")).fetchall()
    assert "lists USING INDEX unread" in plan[0][-1]
    assert plan[1][-1] == "SEARCH manifests USING INTEGER PRIMARY KEY (rowid=?)"


@pytest.mark.parametrize("how", ["damaged", "missing"])
def test_a_list_that_cannot_be_read_is_named_and_tried_again(
    site: Settings, index: Index, place: Place, how: str
) -> None:
    key = list_of(place)
    before = place.read(key)
    index.path.unlink()
    if how == "damaged":
        place.write(key, before[:-1])
    else:
        place.remove(key)
    index.refresh()
    answer = index.find(Question(name="s-300"))
    assert [hit.run_id for hit in answer.hits] == ["run-2"]
    (faulty,) = answer.faulty
    assert str(faulty.fault).startswith(f"{place.root}/{key}: ")
    assert index.find(Question(run="run-2")).faulty == []
    place.write(key, before)
    index.refresh()
    assert index.find(Question(name="s-150")).faulty == []
    assert runs(index, name="s-150") == ["scheduled-1"]
