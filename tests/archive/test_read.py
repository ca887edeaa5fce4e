"""Reading back: by reference, by slot, by entity and time, and past a template that has changed."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from platform_ops import archive
from platform_ops.entity import Entity, Manifest, Slot
from platform_ops.errors import ArchiveCorrupt, NotArchived, UrlError
from platform_ops.settings import Settings
from tests.archive.places import Place, settings_of
from tests.archive.samples import FORECAST, TUESDAY, commit, faults, part, run, slot

OLDER = "v1/{source}/{entity}/dt={date}/at={time}/part={partition_key}/map={map_key}"
BY_DAY = "v2/{date}/{time}/{source}/{entity}/team={team}/part={partition_key}/map={map_key}"


def body(manifest: Manifest, settings: Settings) -> bytes:
    return archive.open(archive.refer(manifest, settings), settings=settings).read()


def test_a_reference_survives_xcom_and_a_change_of_the_sites_root(
    site: Settings, place: Place
) -> None:
    done = commit(site, part(b"kept"))
    plain = done.reference.to_dict()
    elsewhere = Settings.model_validate({"archive": {"root": "file:///nowhere/at/all"}})
    assert archive.open(plain, settings=elsewhere).read() == b"kept"
    assert archive.manifest(plain, settings=elsewhere) == done.manifest


def test_a_stream_reads_in_any_piece(site: Settings) -> None:
    done = commit(site, part(b"0123456789", "a"), part(b"", "b"), part(b"abcdef", "c"))
    with archive.open(done.reference, settings=site) as stream:
        assert [stream.read(4), stream.read(1), stream.read(8), stream.read()] == [
            b"0123", b"4", b"56789abc", b"def",
        ]  # fmt: skip
    with archive.open(done.reference, verify=False, settings=site) as stream:
        assert stream.read() == b"0123456789abcdef"


def test_revisions_come_newest_first(site: Settings) -> None:
    for number in range(12):
        commit(site, part(b"%d" % number), by=run(f"run-{number}"))
    found = [body(each, site) for each in archive.revisions(slot(), site)]
    assert found == [b"%d" % number for number in reversed(range(12))]


def test_newest_pinned_and_as_of(site: Settings) -> None:
    made = [
        commit(site, part(b"%d" % number), by=run(f"run-{number}")).manifest for number in range(3)
    ]
    assert archive.newest(slot(), settings=site) == made[2]
    assert archive.newest(slot(), revision=1, settings=site) == made[0]
    between = made[1].committed_at_utc + timedelta(microseconds=1)
    assert archive.newest(slot(), as_of_utc=between, settings=site) == made[1]
    assert archive.newest(slot(), as_of_utc=made[1].committed_at_utc, settings=site) == made[1]


def test_what_is_not_there_is_said_with_its_place(site: Settings, place: Place) -> None:
    made = commit(site).manifest
    where = f"{place.root}/data/v1/weather/forecast/dt=2024-03-05/at=000000Z"
    with pytest.raises(NotArchived) as caught:
        archive.newest(slot(), revision=7, settings=site)
    assert str(caught.value) == (
        "weather.forecast 2024-03-05T00:00:00Z: nothing is archived as revision 7; "
        f"it would be below {where}"
    )
    before = made.committed_at_utc - timedelta(seconds=1)
    with pytest.raises(NotArchived, match=r"nothing is archived as of \d{4}-\d\d-\d\dT"):
        archive.newest(slot(), as_of_utc=before, settings=site)
    assert list(archive.find("weather.alerts", settings=site)) == []
    assert archive.files("weather.alerts", settings=site) == []


def test_find_takes_a_half_open_span_in_the_order_of_time(site: Settings) -> None:
    for day in (3, 0, 2, 1):
        commit(site, part(b"day %d" % day), at=slot(day))
    commit(site, part(b"again"), at=slot(1), by=run("manual-2"))
    found = archive.find("weather.forecast", TUESDAY + timedelta(1), TUESDAY + timedelta(3), site)
    assert [body(each, site) for each in found] == [b"day 1", b"again", b"day 2"]


def test_find_minds_the_time_within_a_day_and_other_zones(site: Settings) -> None:
    for hour in (0, 6, 12):
        commit(site, part(b"%d" % hour), at=Slot(FORECAST, TUESDAY + timedelta(hours=hour)))
    east = datetime.fromisoformat("2024-03-05T05:00:00+02:00")
    found = archive.find("weather.forecast", east, TUESDAY + timedelta(hours=12), site)
    assert [body(each, site) for each in found] == [b"6"]


def test_a_time_without_a_zone_is_refused(site: Settings) -> None:
    naive = TUESDAY.replace(tzinfo=None)
    with pytest.raises(
        UrlError, match=r"since=datetime\.datetime\(2024, 3, 5, 0, 0\) has no time zone"
    ):
        archive.find("weather.forecast", naive, settings=site)
    with pytest.raises(UrlError, match=r"as_of_utc=.* has no time zone; add one"):
        archive.newest(slot(), as_of_utc=naive, settings=site)


def test_find_leaves_other_entities_alone(site: Settings) -> None:
    for name in ("forecast", "forecast.hourly", "Forecast"):
        commit(site, part(name.encode()), at=Slot(Entity("weather", name), TUESDAY))
    found = archive.find("weather.forecast", settings=site)
    assert [body(each, site) for each in found] == [b"forecast"]


def test_recent_goes_back_from_the_latest_slot_and_newest_revision(site: Settings) -> None:
    for hour in (0, 48, 6, 24):
        commit(site, part(b"%d" % hour), at=Slot(FORECAST, TUESDAY + timedelta(hours=hour)))
    commit(site, part(b"6 again"), at=Slot(FORECAST, TUESDAY + timedelta(hours=6)), by=run("two"))
    until = TUESDAY + timedelta(hours=48)
    found = archive.recent("weather.forecast", until, settings=site)
    assert [body(each, site) for each in found] == [b"24", b"6 again", b"6", b"0"]
    assert body(next(archive.recent("weather.forecast", settings=site)), site) == b"48"


def test_recent_reads_no_further_than_it_is_asked(site: Settings, place: Place) -> None:
    for day in range(3):
        for key in "ab":
            commit(site, part(b"%d" % day + key.encode()), at=slot(day, map_key=key))
    for key in place.objects():
        if key.startswith("meta/") and ("2024-03-05" in key or "map=b" in key):
            place.write(key, b"damaged")
    found = archive.recent("weather.forecast", map_key="a", settings=site)
    assert [body(next(found), site) for _ in range(2)] == [b"2a", b"1a"]
    with pytest.raises(ArchiveCorrupt, match="2024-03-05"):
        next(found)


def test_files_are_those_of_the_newest_revisions_alone(site: Settings) -> None:
    commit(site, part(b"old"))
    new = commit(site, part(b"new"), by=run("manual-2"))
    other = commit(site, part(b"1"), part(b"2", "page-0002.json"), at=slot(1))
    assert archive.files("weather.forecast", settings=site) == [
        *new.reference.payload_urls,
        *other.reference.payload_urls,
    ]


# --- A template that has changed ------------------------------------------------------------------


@pytest.mark.parametrize("old", [OLDER, BY_DAY])
def test_data_of_a_former_template_is_found_and_superseded(place: Place, old: str) -> None:
    before, after = settings_of(place, template=old), settings_of(place)
    first = commit(before, part(b"one"), at=slot(partition_key="x"))
    second = commit(before, part(b"two"), at=slot(partition_key="x"), by=run("manual-2"))
    commit(before, part(b"alone"), at=slot(1))
    at = slot(partition_key="x")
    assert archive.newest(at, settings=after) == second.manifest
    assert archive.newest(at, revision=1, settings=after) == first.manifest

    third = commit(after, part(b"three"), at=at, by=run("manual-3"))
    assert archive.newest(at, settings=after) == third.manifest
    assert [body(each, after) for each in archive.revisions(at, after)] == [
        b"three",
        b"two",
        b"one",
    ]
    found = [body(each, after) for each in archive.find("weather.forecast", settings=after)]
    assert found == [b"one", b"two", b"three", b"alone"]
    urls = archive.files("weather.forecast", settings=after)
    assert [url.rpartition("/data/")[2][:2] for url in urls] == ["v1", old[:2]]
    assert urls[0] == third.reference.payload_urls[0]
    assert faults(after) == []


def test_templates_that_share_folders_give_each_revision_once(place: Place) -> None:
    before, after = settings_of(place, template=OLDER), settings_of(place)
    commit(before, part(b"one"))
    commit(after, part(b"two"), by=run("manual-2"))
    assert [body(each, after) for each in archive.find("weather.forecast", settings=after)] == [
        b"one",
        b"two",
    ]
    assert [each.revision for each in archive.revisions(slot(), after)] == [2, 1]
    assert faults(after) == []


def test_a_template_that_first_wrote_into_anothers_folder_is_known_later(place: Place) -> None:
    commit(settings_of(place, template=OLDER), part(b"one"))
    between = settings_of(place)
    commit(between, part(b"two"), by=run("manual-2"))
    commit(between, part(b"team"), at=slot(1, team="a"))
    after = settings_of(place, template=BY_DAY)
    found = [body(each, after) for each in archive.find("weather.forecast", settings=after)]
    assert found == [b"one", b"two", b"team"]


@pytest.mark.parametrize("text", [b"v3/{source}", b"v1/{source}/{ent\xff"])
def test_a_damaged_record_of_a_template_is_named(site: Settings, place: Place, text: bytes) -> None:
    commit(settings_of(place, template=BY_DAY))
    (record,) = [key for key in place.objects() if key.startswith("templates/")]
    place.write(record, text)
    with pytest.raises(ArchiveCorrupt) as caught:
        list(archive.find("weather.forecast", settings=site))
    assert str(caught.value) == (
        f"{place.root}/{record}: not the URL template that it was named after; restore it"
    )


# --- Without the rest of the platform -------------------------------------------------------------


def test_the_archive_needs_no_airflow(site: Settings, place: Place) -> None:
    done = commit(site, part(b"read by an analyst"))
    script = (
        "import sys\n"
        "from platform_ops import archive\n"
        "from platform_ops.settings import Settings\n"
        "site = Settings.model_validate({'archive': {'root': sys.argv[1]}})\n"
        "found = list(archive.find('weather.forecast', settings=site))\n"
        "print(archive.open(archive.refer(found[0], site), settings=site).read().decode())\n"
        "print([verdict.faults for verdict in archive.verify(settings=site)])\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] == 'airflow'))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, place.root], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "read by an analyst\n[()]\n[]\n"
    assert archive.open(done.reference, settings=site).readable()


def test_times_are_stored_in_utc(site: Settings) -> None:
    east = Slot(FORECAST, datetime.fromisoformat("2024-03-05T02:00:00+02:00"))
    made = commit(site, at=east).manifest
    assert made.slot == slot()
    assert archive.newest(slot(), settings=site).slot.time_utc.tzinfo is UTC
