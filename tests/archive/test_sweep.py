"""What crashed writers left goes; whatever a manifest names, or may name, stays."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from threading import Barrier
from typing import Self

import pytest

from platform_ops import archive
from platform_ops.archive.upkeep import sweeping
from platform_ops.entity import Payload
from platform_ops.errors import ConfigError
from platform_ops.settings import Settings
from tests.archive.places import Disk, Gcs, Place, settings_of, store_of
from tests.archive.samples import commit, faults, part, run, slot
from tests.archive.strays import FOLDER, LONG_AGO, Littered, contents, littered, orphan, swept

META = f"meta/{FOLDER}"


@pytest.fixture
def litter(place: Place) -> Littered:
    return littered(place)


def test_a_dry_run_names_the_strays_and_writes_nothing(litter: Littered) -> None:
    before = litter.objects
    assert swept(litter.site, delete=False) == (litter.strays, [])
    assert litter.objects == before


def test_a_sweep_removes_the_strays_and_nothing_else(litter: Littered) -> None:
    assert swept(litter.site) == (litter.strays, [])
    assert litter.objects == litter.needed
    assert faults(litter.site) == []
    assert swept(litter.site) == ([], [])


def test_a_sweep_tells_size_time_and_kind(place: Place, site: Settings) -> None:
    commit(site)
    key = orphan(place, f"{FOLDER}/000002-0123456789ab/a", timedelta(days=8))
    (found,) = archive.sweep(settings=site)
    assert isinstance(found, archive.Stray)
    assert (found.kind, found.url, found.size_bytes) == ("payload", f"{place.root}/{key}", 6)
    age = datetime.now(UTC) - found.modified_utc
    assert timedelta(days=8) <= age < timedelta(days=8, hours=1)


def test_a_prefix_bounds_the_sweep(litter: Littered) -> None:
    below = [key for key in litter.strays if key.startswith("data/v1/weather/warnings/")]
    assert swept(litter.site, "v1/weather/warnings") == (below, [])
    assert swept(litter.site, "v1/weather/forec") == ([], [])
    rest = [key for key in litter.strays if key not in below]
    assert sorted(litter.objects) == sorted([*litter.needed, *rest])


@pytest.mark.parametrize(("days", "goes"), [(6, False), (8, True)])
def test_the_grace_period_counts(place: Place, site: Settings, days: int, goes: bool) -> None:
    commit(site)
    key = orphan(place, f"{FOLDER}/000002-0123456789ab/a", timedelta(days=days))
    assert swept(site)[0] == ([key] if goes else [])


def test_a_writer_at_its_next_page_keeps_its_first_ones(place: Place, site: Settings) -> None:
    """Pages of one revision: as long as one is young, all of them are somebody's."""
    commit(site)
    with archive.session(slot(), run("slow"), settings=site) as session:
        first = session.write(part(b"page one", "1"))
        assert isinstance(first, Payload)
        place.date(first.key, datetime.now(UTC) - LONG_AGO)
        session.write(part(b"page two", "2"))
        assert swept(site) == ([], [])
    assert session.commit is not None
    assert archive.open(session.commit.reference, settings=site).read() == b"page onepage two"


def test_a_time_that_is_yet_to_come_keeps_the_object(place: Place, site: Settings) -> None:
    commit(site)
    orphan(place, f"{FOLDER}/000002-0123456789ab/a", -timedelta(days=400))
    assert swept(site) == ([], [])


def test_a_file_without_a_time_is_kept(tmp_path: Path) -> None:
    place = Disk(tmp_path / "archive")
    commit(settings_of(place))
    place.write(f"data/{FOLDER}/000002-0123456789ab/a", b"restored without its time")
    place.date(f"data/{FOLDER}/000002-0123456789ab/a", datetime(1970, 1, 1, tzinfo=UTC))
    assert swept(settings_of(place)) == ([], [])


def test_a_clock_of_this_machine_that_jumped_sweeps_nothing_young(
    place: Place, site: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store's clock tells the age of what the store holds."""
    commit(site)
    key = orphan(place, f"{FOLDER}/000002-0123456789ab/a", timedelta(days=1))

    class NextYear(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(time.time() + 400 * 86_400, tz)

    monkeypatch.setattr(sweeping, "datetime", NextYear)
    assert swept(site) == ([], [])
    assert key in place.objects()


def test_a_clock_object_of_a_sweep_that_was_killed_goes_with_the_next(
    place: Place, site: Settings
) -> None:
    commit(site)
    place.write(".sweep/0123456789abcdef/now", b"")
    assert swept(site) == ([], [])
    place.date(".sweep/0123456789abcdef/now", datetime.now(UTC) - LONG_AGO)
    assert swept(site) == ([".sweep/0123456789abcdef/now"], [])
    assert not [key for key in place.objects() if key.startswith(".sweep")]


def test_less_than_a_day_of_grace_is_refused(site: Settings) -> None:
    with pytest.raises(ConfigError, match="give 1 day or more"):
        archive.sweep(grace=timedelta(hours=23), settings=site)


# --- What nobody can be sure of -------------------------------------------------------------------


def damage(place: Place, key: str) -> None:
    place.write(key, place.read(key).replace(b'"rows": null', b'"rows": 7'))


@pytest.mark.parametrize("revision", ["000001", "000002"])
@pytest.mark.parametrize("harm", ["damaged", "missing"])
def test_a_slot_whose_history_is_not_whole_is_left_alone(
    litter: Littered, harm: str, revision: str
) -> None:
    if harm == "damaged":
        damage(litter.place, f"{META}/{revision}.json")
    else:
        # The last of a chain leaves no gap: with a third, the second is no longer the last.
        commit(litter.site, part(b"mild", "b"), by=run("manual-3"))
        litter.place.remove(f"{META}/{revision}.json")
    data = {key for key in litter.objects if key.startswith("data/")}
    elsewhere = [key for key in litter.strays if not key.startswith(f"data/{FOLDER}/000003-")]
    assert swept(litter.site) == (elsewhere, [f"{litter.place.root}/data/{FOLDER}"])
    assert {key for key in litter.objects if key.startswith("data/")} == data - set(elsewhere)


def test_a_file_beside_the_manifests_that_is_none_keeps_the_slot(litter: Littered) -> None:
    litter.place.write(f"{META}/000002.json.part", b"{")
    _, alone = swept(litter.site)
    assert alone == [f"{litter.place.root}/data/{FOLDER}"]
    assert f"data/{FOLDER}/000003-0123456789ab/a" in litter.objects


def test_a_manifest_in_another_slots_place_keeps_that_slot(litter: Littered) -> None:
    """So it looks where a file system folds case, and two slots meet in one folder."""
    warnings = "v1/weather/warnings/dt=2024-03-05/at=000000Z"
    litter.place.write(f"meta/{warnings}/000001.json", litter.place.read(f"{META}/000001.json"))
    strays, alone = swept(litter.site)
    assert alone == [f"{litter.place.root}/data/{warnings}"]
    assert f"data/{warnings}/000001-0123456789ab/a" not in strays


def test_what_is_no_payload_by_its_name_is_named_and_left(litter: Littered) -> None:
    names = ["data/notes.txt", f"data/{FOLDER}/000003-0123/a", f"data/{FOLDER}/x"]
    for name in names:
        litter.place.write(name, b"somebody's")
        litter.place.date(name, datetime.now(UTC) - LONG_AGO)
    strays, alone = swept(litter.site)
    assert sorted(alone) == sorted(f"{litter.place.root}/{name}" for name in names)
    assert strays == litter.strays
    assert litter.objects.keys() - litter.needed == set(names)


def test_an_archive_without_any_manifest_is_left_alone(place: Place, site: Settings) -> None:
    """A restore brings the payloads first, or a wrong hand took the manifests."""
    key = orphan(place, f"{FOLDER}/000001-0123456789ab/a")
    assert swept(site) == ([], [f"{place.root}/data"])
    assert place.objects() == [key]


def test_an_empty_archive_has_nothing_to_sweep(place: Place, site: Settings) -> None:
    assert swept(site) == ([], [])
    assert place.objects() == []


# --- At the same time -----------------------------------------------------------------------------


def test_rival_sweeps_remove_the_same_once_and_meet_no_error(litter: Littered) -> None:
    together = Barrier(4)

    def sweep(_: int) -> list[str]:
        together.wait()
        return swept(litter.site)[0]

    with ThreadPoolExecutor(4) as pool:
        removed = list(pool.map(sweep, range(4)))
    assert sorted({key for keys in removed for key in keys}) == litter.strays
    assert litter.objects == litter.needed


def test_writers_and_sweeps_do_not_disturb_each_other(place: Place) -> None:
    """Each writer's slot has old orphans in it, which go while the writer works."""
    litter = littered(place)
    together = Barrier(3)

    def write(number: int) -> bytes:
        together.wait()
        bodies = [b"%d %d" % (number, each) for each in range(5)]
        parts = [(part(body, "a"), part(b"mild", "b")) for body in bodies]
        done = [
            commit(litter.site, *pair, by=run(f"{number}-{each}"))
            for each, pair in enumerate(parts)
        ]
        return archive.open(done[-1].reference, settings=litter.site).read()

    def sweep() -> None:
        together.wait()
        for _ in range(5):
            swept(litter.site)

    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(write, number) for number in range(2)]
        pool.submit(sweep).result()
        assert [each.result() for each in writers] == [b"0 4mild", b"1 4mild"]
    assert faults(litter.site) == []
    assert set(litter.strays).isdisjoint(contents(place))
    assert len(list(archive.revisions(slot(), litter.site))) == 12


def test_what_is_deleted_is_gone_and_what_is_not_there_is_no_error(place: Place) -> None:
    place.write("data/some/folder/x", b"1")
    place.write("data/some/folder/y", b"1")
    store = store_of(place)
    for _ in range(2):
        store.delete("data/some/folder/x")
        assert place.objects() == ["data/some/folder/y"]
    store.delete("data/no/such/folder/x")


def test_a_folder_goes_with_its_last_file(tmp_path: Path) -> None:
    litter = littered(Disk(tmp_path / "archive"))
    swept(litter.site)
    left = [each for each, folders, files in os.walk(tmp_path) if not folders and not files]
    assert {Path(each).name for each in left} == {".sweep", ".tmp", "at=000000Z"}


def test_a_bucket_is_told_which_rule_ends_its_unfinished_uploads(place: Place) -> None:
    told = sweeping.unlisted(store_of(place))
    if isinstance(place, Disk):
        assert told is None
    else:
        assert told is not None
        terms = (
            ("age", "matchesPrefix")
            if isinstance(place, Gcs)
            else ("DaysAfterInitiation", "prefix")
        )
        assert f"AbortIncompleteMultipartUpload, {terms[0]} 7" in told
        assert told.endswith(f'{terms[1]} "some/prefix/data/"')
