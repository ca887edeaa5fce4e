"""Which slots were expected, and what became of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from platform_ops import archive
from platform_ops.archive import Status
from platform_ops.archive.arrivals import status
from platform_ops.settings import EntitySettings, Settings
from platform_ops.url_scheme import Template
from tests.archive.places import Disk, settings_of
from tests.archive.samples import FORECAST, TUESDAY, commit, part, run, slot

DAILY = EntitySettings(schedule="@daily")


@pytest.fixture
def site(tmp_path: Path) -> Settings:
    return settings_of(Disk(tmp_path / "archive"), index=str(tmp_path / "index"))


def seen(
    site: Settings,
    agreement: EntitySettings = DAILY,
    now: datetime = TUESDAY + timedelta(days=4, hours=12),
    **bounds: Any,
) -> Status:
    index = archive.index(site)
    index.refresh()
    templates = [Template.compile(site.archive.template)]
    return status(index, templates, FORECAST, agreement, now=now, **bounds)


def states(found: Status) -> dict[int, str]:
    return {each.time_utc.day: each.state for each in found.arrivals}


def test_each_state_is_told(site: Settings) -> None:
    """All commits are of today, years after their slots: late, but for what is due later."""
    generous = EntitySettings(schedule="@daily", grace_minutes=60 * 24 * 365 * 100)
    commit(site, part(b"sunny"))
    commit(site, part(b""), at=slot(1))
    commit(site, part(b"none", rows=0), at=slot(2))
    odd = TUESDAY + timedelta(hours=30)
    commit(site, part(b"odd"), at=archive_slot(odd))
    found = seen(site, generous)
    assert [(each.time_utc.day, each.state) for each in found.arrivals] == [
        (5, "arrived"), (6, "empty"), (6, "unexpected"), (7, "empty"), (8, "due"), (9, "due"),
    ]  # fmt: skip
    strict = seen(site, EntitySettings(schedule="@daily", grace_minutes=30))
    assert states(strict) | {6: "", 7: ""} == {5: "late", 6: "", 7: "", 8: "missing", 9: "missing"}
    assert (found.complete, strict.complete) == (True, False)


def archive_slot(time: datetime) -> Any:
    return type(slot())(FORECAST, time)


def test_without_a_grace_a_slot_is_missed_when_the_next_one_comes(site: Settings) -> None:
    commit(site)
    found = seen(site)
    assert states(found) == {5: "late", 6: "missing", 7: "missing", 8: "missing", 9: "due"}
    assert found.arrivals[1].due_utc == TUESDAY + timedelta(days=2)


def test_a_second_revision_does_not_make_a_slot_late(site: Settings) -> None:
    commit(site)
    now = datetime.now(UTC)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    commit(site, at=archive_slot(today))
    commit(site, part(b"again"), at=archive_slot(today), by=run("again"))
    found = seen(site, now=now + timedelta(days=30), since=today, until=today + timedelta(days=1))
    assert [(each.state, each.newest[0].revision) for each in found.arrivals] == [("arrived", 2)]


def test_a_range_that_is_asked_for_holds_whatever_arrived(site: Settings) -> None:
    commit(site, at=slot(2))
    assert states(seen(site)) == {7: "late", 8: "missing", 9: "due"}
    asked = seen(site, since=TUESDAY, until=TUESDAY + timedelta(days=3))
    assert states(asked) == {5: "missing", 6: "missing", 7: "late"}


def test_an_entity_that_never_came_is_missing_all_along(site: Settings) -> None:
    found = seen(site)
    assert (found.counts["missing"], found.complete) == (29, False)


def test_nothing_is_expected_of_the_future(site: Settings) -> None:
    commit(site)
    found = seen(site, until=TUESDAY + timedelta(days=40))
    assert max(states(found)) == 9


def test_the_zone_of_the_schedule_holds(site: Settings) -> None:
    berlin = EntitySettings(schedule="0 6 * * *", timezone="Europe/Berlin")
    commit(site, at=archive_slot(TUESDAY + timedelta(hours=5)))
    assert states(seen(site, berlin, TUESDAY + timedelta(hours=20))) == {5: "late"}


def test_a_schedule_is_inferred_and_told_as_such(site: Settings) -> None:
    for day in (0, 1, 3):
        commit(site, at=slot(day), by=run(f"run-{day}"))
    unsure = seen(site, EntitySettings())
    assert (unsure.schedule, unsure.inferred) == (None, False)
    commit(site, at=slot(4), by=run("run-4"))
    found = seen(site, EntitySettings())
    assert found.schedule is not None
    assert (found.schedule.text, found.inferred) == ("every day", True)
    assert states(found)[7] == "missing"


def test_nothing_can_be_missing_without_a_schedule(site: Settings) -> None:
    commit(site)
    found = seen(site, EntitySettings())
    assert (states(found), found.complete) == ({5: "arrived"}, True)


def test_mapped_slots_of_one_time_are_one_arrival(site: Settings) -> None:
    for key in ("a", "b"):
        commit(site, at=slot(map_key=key), by=run(key))
    (arrival,) = seen(site, until=TUESDAY + timedelta(days=1)).arrivals
    assert [hit.slot.map_key for hit in arrival.newest if hit.slot] == ["a", "b"]


def test_a_damaged_manifest_is_not_there_and_told(site: Settings, tmp_path: Path) -> None:
    commit(site)
    disk = Disk(tmp_path / "archive")
    key = next(key for key in disk.objects() if key.startswith("meta/"))
    disk.write(key, b"{}")
    found = seen(site, since=TUESDAY, until=TUESDAY + timedelta(days=1))
    assert states(found) == {5: "missing"}
    assert [hit.key for hit in found.damaged] == [key]
    assert not found.complete


def test_the_facade_lists_the_store_first(site: Settings) -> None:
    commit(site)
    asked = archive.status("weather.forecast", TUESDAY, settings=site)
    assert len(asked.arrivals) == 1
    commit(site, at=slot(1))
    stale = archive.status("weather.forecast", TUESDAY, fresh=False, settings=site)
    assert (len(stale.arrivals), stale.as_of_utc) == (1, asked.as_of_utc)
    assert len(archive.status("weather.forecast", TUESDAY, settings=site).arrivals) == 2
