"""The index: right after every refresh, as of a time that it tells, and never trusted further."""

from __future__ import annotations

import random
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from platform_ops import archive
from platform_ops.archive.indexing import Index, Question, Refreshed, processes, reading, scanning
from platform_ops.archive.indexing.rows import row_of
from platform_ops.archive.stores.store import Store
from platform_ops.entity import Entity, Manifest, Origin, Part, Slot
from platform_ops.errors import ArchiveCorrupt, PlatformError
from platform_ops.settings import Settings
from tests.archive.places import Disk, Place, settings_of, store_of
from tests.archive.samples import FORECAST, TUESDAY, commit, part, run, slot

SLOT = "v1/weather/forecast/dt=2024-03-05/at=000000Z"
ASKED = Origin("https://weather.example/forecast?station=EWX", fingerprint="ab" * 32)


@pytest.fixture
def site(place: Place, tmp_path: Path) -> Settings:
    return settings_of(place, index=str(tmp_path / "index"))


@pytest.fixture
def index(site: Settings) -> Index:
    return archive.index(site)


@pytest.fixture
def filled(site: Settings) -> Settings:
    """Tuesday twice, Wednesday's mapped slot, and Tuesday of another source."""
    commit(site, part(b"sunny", rows=1))
    commit(site, part(b"rainy", rows=1), by=run("manual-2"))
    commit(site, Part("a.json", [b"windy"], ASKED), at=slot(1, map_key="EWX"), by=run("backfill-3"))
    commit(site, part(b"sunny"), at=Slot(Entity("shop", "orders"), TUESDAY), by=run("shop-4"))
    return site


def runs(index: Index, **asked: Any) -> list[str | None]:
    return [hit.run_id for hit in index.find(Question(**asked)).hits]


def of(manifest: Manifest) -> str:
    return manifest.payloads[0].sha256


def test_a_refresh_reads_what_is_new_and_nothing_else(filled: Settings, index: Index) -> None:
    assert index.as_of() is None
    before = datetime.now(UTC)
    assert index.refresh() == Refreshed(listed=4, read=4, gone=0)
    assert before <= (index.as_of() or before - timedelta(1)) <= datetime.now(UTC)
    assert index.refresh() == Refreshed(listed=4, read=0, gone=0)
    commit(filled, part(b"calm"), by=run("manual-5"))
    assert index.refresh() == Refreshed(listed=5, read=1, gone=0)
    assert runs(index, run="manual-5") == ["manual-5"]


def test_every_question_finds_its_revisions(filled: Settings, index: Index) -> None:
    index.refresh()
    all_runs = ["shop-4", "scheduled-1", "manual-2", "backfill-3"]
    tuesday = archive.newest(slot(), revision=1, settings=filled)
    assert runs(index) == all_runs
    assert runs(index, entity=FORECAST) == all_runs[1:]
    assert runs(index, since=TUESDAY + timedelta(days=1)) == ["backfill-3"]
    assert runs(index, until=TUESDAY) == []
    assert runs(index, run="manual-2") == ["manual-2"]
    assert runs(index, dag="weather", task="forecast", entity=FORECAST) == all_runs[1:]
    assert runs(index, task="load") == []
    assert runs(index, sha256=of(tuesday)) == ["shop-4", "scheduled-1"]
    assert runs(index, sha256=of(tuesday)[:8].upper()) == ["shop-4", "scheduled-1"]
    assert runs(index, sha256=tuesday.sha256) == ["shop-4", "scheduled-1"]
    assert runs(index, sha256=archive.refer(tuesday, filled).manifest_sha256) == ["scheduled-1"]
    assert runs(index, fingerprint="ab" * 32) == ["backfill-3"]
    assert runs(index, fingerprint="ababab") == ["backfill-3"]
    assert runs(index, url=ASKED.url) == ["backfill-3"]
    assert runs(index, url="https://weather.example/*") == all_runs
    assert runs(index, url="*?station=*") == ["backfill-3"]
    assert runs(index, run="manual-2", sha256=of(tuesday)) == []


def test_a_hit_says_what_its_manifest_says(filled: Settings, index: Index) -> None:
    index.refresh()
    (hit,) = index.find(Question(run="manual-2")).hits
    manifest = archive.newest(slot(), settings=filled)
    assert (hit.slot, hit.revision, hit.key) == (slot(), 2, f"meta/{SLOT}/000002.json")
    assert (hit.dag_id, hit.task_id, hit.try_number) == ("weather", "forecast", 1)
    assert (hit.size_bytes, hit.rows, hit.bodies, hit.removed) == (5, 1, 1, False)
    assert (hit.committed_at_utc, hit.sha256) == (manifest.committed_at_utc, manifest.sha256)


def test_find_in_python_reads_manifests_as_of_now(filled: Settings) -> None:
    (found,) = archive.find(run="manual-2", settings=filled)
    assert found == archive.newest(slot(), settings=filled)
    commit(filled, part(b"calm"), at=slot(2), by=run("manual-2"))
    times = [each.slot.time_utc.day for each in archive.find(run="manual-2", settings=filled)]
    assert times == [5, 7]
    assert list(archive.find("shop.orders", run="manual-2", settings=filled)) == []


def test_a_part_may_be_refreshed_alone_and_says_so(filled: Settings, index: Index) -> None:
    index.refresh("v1/weather")
    assert runs(index, entity=Entity("shop", "orders")) == []
    assert index.as_of() is None
    assert index.find(Question(), [""]).as_of_utc is None
    assert index.as_of("v1/weather/forecast") == index.as_of("v1/weather")
    assert index.as_of("v1/weatherman") is None
    index.refresh()
    assert index.as_of("v1/weather/forecast") == index.as_of()


def test_a_manifest_that_is_gone_is_lost_and_no_answer(
    filled: Settings, place: Place, index: Index
) -> None:
    index.refresh()
    kept = place.read(f"meta/{SLOT}/000002.json")
    place.remove(f"meta/{SLOT}/000002.json")
    assert index.refresh() == Refreshed(listed=3, read=0, gone=1)
    assert [hit.run_id for hit in index.lost()] == ["manual-2"]
    assert index.lost("v1/shop") == []
    assert runs(index, run="manual-2") == []
    assert index.refresh().gone == 0
    place.write(f"meta/{SLOT}/000002.json", kept)
    assert index.refresh() == Refreshed(listed=4, read=1, gone=0)
    assert (index.lost(), runs(index, run="manual-2")) == ([], ["manual-2"])


def test_a_damaged_manifest_is_named_with_every_answer(
    filled: Settings, place: Place, index: Index
) -> None:
    key = f"meta/{SLOT}/000002.json"
    place.write(key, place.read(key).replace(b'"rows": 1', b'"rows": 22'))
    index.refresh()
    answer = index.find(Question(run="scheduled-1"))
    assert [hit.run_id for hit in answer.hits] == ["scheduled-1"]
    fault = f"{place.root}/{key}: damaged manifest: its seal does not match its text; restore it from a copy"
    assert [hit.fault for hit in answer.faulty] == [fault]
    with pytest.raises(ArchiveCorrupt) as caught:
        list(archive.find(run="scheduled-1", settings=filled))
    assert str(caught.value) == fault
    assert [
        found.run.run_id for found in archive.find("shop.orders", run="shop-4", settings=filled)
    ] == ["shop-4"]


def test_a_manifest_that_was_damaged_later_is_read_again(
    filled: Settings, place: Place, index: Index
) -> None:
    index.refresh()
    key = f"meta/{SLOT}/000001.json"
    place.write(key, b"{}")
    place.date(key, datetime(2026, 1, 1, tzinfo=UTC))
    assert index.refresh() == Refreshed(listed=4, read=1, gone=0)
    assert [hit.key for hit in index.find(Question()).faulty] == [key]


def test_a_moved_manifest_is_told(filled: Settings, place: Place, index: Index) -> None:
    moved = f"meta/{SLOT.replace('forecast', 'gale')}/000001.json"
    place.write(moved, place.read(f"meta/{SLOT}/000001.json"))
    index.refresh()
    (faulty,) = index.find(Question()).faulty
    assert faulty.fault == (
        f"{place.root}/{moved}: its slot and revision belong at meta/{SLOT}/000001.json"
    )


def test_the_quick_reading_finds_every_flipped_bit(tmp_path: Path) -> None:
    site = settings_of(Disk(tmp_path / "archive"))
    commit(site, part(b"sunny"))
    store = archive.root(site)
    (entry,) = store.entries("meta")
    data = store.read(entry.key)
    listed = (entry.key, entry.size_bytes, None)
    assert row_of(store, listed, data)[0][3] is None
    chance = random.Random(7)
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << chance.randrange(8)
        assert row_of(store, listed, bytes(flipped))[0][3] is not None, position


def test_foreign_files_and_hostile_names_do_no_harm(
    site: Settings, place: Place, index: Index
) -> None:
    odd = Slot(Entity("weather", "n\ud800\n"), TUESDAY, "\u00e9/..", 'x"; DROP TABLE manifests')
    commit(site, part(), at=odd, by=run("r\ud800"))
    place.write("meta/notes.txt", b"mine")
    place.write(f"meta/{SLOT}/notes.json", b"mine")
    assert index.refresh() == Refreshed(listed=1, read=1, gone=0)
    assert len(index.find(Question(entity=odd.entity, run="r\ud800")).hits) == 1
    assert [each.slot for each in archive.find(run="r\ud800", settings=site)] == [odd]


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(b"no index at all" * 1000),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-6000]),
        lambda path: path.unlink(),
        lambda path: sqlite3.connect(path).execute("PRAGMA user_version = 99"),
        lambda path: sqlite3.connect(path).execute("PRAGMA application_id = 1"),
    ],
    ids=["foreign", "empty", "cut", "deleted", "another format", "another program's"],
)
def test_an_index_that_cannot_be_used_is_made_anew(
    tmp_path: Path, harm: Any, caplog: pytest.LogCaptureFixture
) -> None:
    site = settings_of(Disk(tmp_path / "archive"), index=str(tmp_path / "index"))
    for day in range(40):
        commit(site, part(b"sunny"), at=slot(day), by=run(f"run-{day}"))
    index = archive.index(site)
    index.refresh()
    harm(index.path)
    index.refresh()
    assert runs(index, run="run-39") == ["run-39"]
    assert len(runs(index)) == 40


def test_flipped_bits_in_the_index_never_give_a_wrong_answer(tmp_path: Path) -> None:
    site = settings_of(Disk(tmp_path / "archive"), index=str(tmp_path / "index"))
    for day in range(8):
        commit(site, part(b"sunny"), at=slot(day), by=run(f"run-{day}"))
    index = archive.index(site)
    index.refresh()
    whole, right = index.path.read_bytes(), index.find(Question(run="run-7")).hits
    chance = random.Random(11)
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        index.path.write_bytes(damaged)
        for hit in index.find(Question(run="run-7")).hits:
            assert hit in right
        index.refresh()
        assert index.find(Question(run="run-7")).hits == right


def test_the_index_of_another_archive_is_not_taken(tmp_path: Path) -> None:
    here, there = Disk(tmp_path / "here"), Disk(tmp_path / "there")
    commit(settings_of(here), part())
    path = tmp_path / "index.sqlite"
    Index(store_of(here), path).refresh()
    other = Index(store_of(there), path)
    assert (other.as_of(), runs(other)) == (None, [])


def test_two_archives_share_a_folder(tmp_path: Path) -> None:
    folder = str(tmp_path / "index")
    sites = [settings_of(Disk(tmp_path / name), index=folder) for name in ("here", "there")]
    commit(sites[0], part())
    for site in sites:
        archive.index(site).refresh()
    assert [len(runs(archive.index(site))) for site in sites] == [1, 0]


def test_refreshes_at_once_wait_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = settings_of(Disk(tmp_path / "archive"), index=str(tmp_path / "index"))
    for day in range(30):
        commit(site, part(b"sunny"), at=slot(day), by=run(f"run-{day}"))
    monkeypatch.setattr(reading, "_A_PROCESS_READS", 5)
    monkeypatch.setattr(sys.modules[Index.__module__], "_COMMIT_EVERY", 5)
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(archive.index(site).refresh) for _ in range(4)]
    assert sorted(each.result().read for each in done) == [0, 0, 0, 30]
    assert len(runs(archive.index(site))) == 30


def test_a_refresh_that_was_killed_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = settings_of(Disk(tmp_path / "archive"), index=str(tmp_path / "index"))
    for day in range(20):
        commit(site, part(b"sunny"), at=slot(day), by=run(f"run-{day}"))
    index = archive.index(site)
    monkeypatch.setattr(reading, "_A_PROCESS_READS", 5)
    monkeypatch.setattr(sys.modules[Index.__module__], "_COMMIT_EVERY", 5)

    def die(listed: int, read: int) -> None:
        if read == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.refresh(progress=die)
    assert index.as_of() is None
    assert index.refresh() == Refreshed(listed=20, read=10, gone=0)
    assert len(runs(index)) == 20


@pytest.mark.parametrize("digits", ["abc", "xyz123", "a" * 65])
def test_what_is_no_digest_is_told(digits: str) -> None:
    with pytest.raises(PlatformError, match="is no digest; give 6 to 64 hex digits of its start"):
        Question(sha256=digits)


def test_processes_read_as_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index made anew, and one that many manifests are new to."""
    place = Disk(tmp_path / "archive")
    site = settings_of(place, index=str(tmp_path / "index"))
    anew, known = (
        Index(store_of(place), tmp_path / f"{name}.sqlite") for name in ("anew", "known")
    )
    commit(site, part(b"sunny"), at=slot(0), by=run("run-0"))
    known.refresh()
    for day in range(1, 30):
        commit(site, part(b"sunny"), at=slot(day), by=run(f"run-{day}"))
    place.write(f"meta/{SLOT}/000002.json", b"{}")
    place.write("meta/v1/000001.json", b"above all slots")
    place.write("meta/notes.txt", b"no manifest")
    alone = archive.index(site)
    alone.refresh()
    monkeypatch.setattr(reading, "PROCESSES_FROM", 10)
    monkeypatch.setattr(reading, "_A_PROCESS_READS", 4)
    monkeypatch.setattr(scanning, "_FOLDERS_AT_ONCE", 4)
    assert anew.refresh() == Refreshed(listed=32, read=32, gone=0)
    assert known.refresh() == Refreshed(listed=32, read=31, gone=0)
    expected = alone.find(Question())
    for index in (anew, known):
        found = index.find(Question())
        assert (found.hits, found.faulty) == (expected.hits, expected.faulty)
    assert (len(expected.hits), len(expected.faulty)) == (30, 2)


@pytest.mark.parametrize("shared_out", [reading, scanning])
def test_what_a_process_took_with_it_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_out: ModuleType
) -> None:
    """The process was killed, as by the kernel where memory runs short."""
    place = Disk(tmp_path / "archive")
    site = settings_of(place, index=str(tmp_path / "index"))
    index = archive.index(site)
    if shared_out is reading:
        commit(site, part(b"sunny"), at=slot(0))
        index.refresh()
    for day in range(1, 21):
        commit(site, part(b"sunny"), at=slot(day), by=run(f"run-{day}"))

    class Doomed(processes.Reader):
        def __init__(self, store: Store) -> None:
            super().__init__(store)
            self._process.kill()
            self._process.wait()

    monkeypatch.setattr(shared_out, "Reader", Doomed)
    monkeypatch.setattr(reading, "PROCESSES_FROM", 10)
    assert index.refresh().read == 20
    assert {f"run-{day}" for day in range(1, 21)} <= {
        hit.run_id for hit in index.find(Question()).hits
    }


def test_an_index_made_anew_ends_its_processes_where_it_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Disk(tmp_path / "archive")
    site = settings_of(place, index=str(tmp_path / "index"))
    for day in range(30):
        commit(site, part(b"sunny"), at=slot(day))
    started: list[processes.Reader] = []

    class Seen(processes.Reader):
        def __init__(self, store: Store) -> None:
            super().__init__(store)
            started.append(self)

    monkeypatch.setattr(scanning, "Reader", Seen)
    monkeypatch.setattr(scanning, "_FOLDERS_AT_ONCE", 1)
    monkeypatch.setattr(reading, "PROCESSES_FROM", 10)

    def interrupt(listed: int, read: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive.index(site).refresh(progress=interrupt)
    assert started
    assert all(each._process.poll() is not None for each in started)
