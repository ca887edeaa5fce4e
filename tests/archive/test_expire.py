"""Payloads whose time is over go, and whoever asks is told; all else stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, zip_longest
from typing import Any

import pytest

from platform_ops import archive
from platform_ops.archive import Commit, LeftAlone, Removal
from platform_ops.archive.upkeep import holding
from platform_ops.entity import Entity
from platform_ops.errors import ArchiveUnavailable, Removed
from platform_ops.settings import Settings
from tests.archive.places import Place, settings_of, store_of
from tests.archive.samples import FORECAST, aged, commit, faults, part, run, slot, untouchable
from tests.archive.strays import FOLDER, contents, swept

META, GRAVE = f"meta/{FOLDER}", f"tombstones/{FOLDER}"
A_DAY = timedelta(days=1)


def keeping(place: Place, **agreed: Any) -> Settings:  # Any: fields of an entity
    """A site that keeps forecasts for as long as ``agreed`` says."""
    entities = {"forecast": agreed}
    plain = {"archive": {"root": place.root}, "sources": {"weather": {"entities": entities}}}
    return Settings.model_validate(plain)


@pytest.fixture
def site(place: Place) -> Settings:
    return keeping(place, retention_days=30)


@pytest.fixture
def old(site: Settings) -> list[Commit]:
    """Two revisions that are over, which share a payload, and one in another slot that is not."""
    with aged(days=40):
        first = commit(site, part(b"sunny", "a"), part(b"mild", "b"))
        second = commit(site, part(b"rainy", "a"), part(b"mild", "b"), by=run("manual-2"))
    return [first, second, commit(site, part(b"windy"), at=slot(1))]


def expired(site: Settings, **options: Any) -> list[Removal]:  # Any: of archive.expire
    found = list(archive.expire(settings=site, **options))
    assert not [each for each in found if isinstance(each, LeftAlone)]
    return [each for each in found if isinstance(each, Removal)]


def outline(found: list[Removal]) -> list[tuple[str, int, int, bool]]:
    return [(each.step, each.revision, each.size_bytes, each.done) for each in found]


def bury(site: Settings, place: Place, *, delete: bool = True) -> None:
    """Put the tombstones, and let the pause pass."""
    expired(site, delete=delete)
    for key in place.objects():
        if key.startswith("tombstones/"):
            place.date(key, datetime.now(UTC) - 2 * A_DAY)


def test_a_dry_run_names_what_is_over_and_writes_nothing(
    site: Settings, place: Place, old: list[Commit]
) -> None:
    before = contents(place)
    found = expired(site)
    assert outline(found) == [("bury", 1, 9, False), ("bury", 2, 9, False)]
    assert [each.url for each in found] == [each.reference.manifest_url for each in old[:2]]
    assert {each.reason for each in found} == {"retention_days = 30"}
    assert contents(place) == before


def test_payloads_go_a_pause_after_their_tombstones_and_manifests_stay(
    site: Settings, place: Place, old: list[Commit]
) -> None:
    manifests = {key: body for key, body in contents(place).items() if key.startswith("meta/")}
    assert outline(expired(site, delete=True)) == [("bury", 1, 9, True), ("bury", 2, 9, True)]
    assert archive.open(old[0].reference, settings=site).read() == b"sunnymild"
    bury(site, place)
    assert outline(expired(site)) == [("remove", 1, 9, False), ("remove", 2, 5, False)]
    assert outline(expired(site, delete=True)) == [("remove", 1, 9, True), ("remove", 2, 5, True)]
    assert expired(site, delete=True) == []

    left = contents(place)
    assert {key: body for key, body in left.items() if key.startswith("meta/")} == manifests
    assert [body for key, body in left.items() if key.startswith("data/")] == [b"windy"]
    assert faults(site) == []
    assert swept(site) == ([], [])


def test_a_reader_is_told_when_by_whom_and_by_which_policy(
    site: Settings, place: Place, old: list[Commit]
) -> None:
    bury(site, place)
    expired(site, delete=True)
    with pytest.raises(Removed) as caught:
        archive.open(old[1].reference, settings=site).read()
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert str(caught.value).startswith(f"{slot()}: revision 2 was expired on {today} ")
    assert str(caught.value).endswith("Z by retention: retention_days = 30")
    assert archive.newest(slot(), settings=site) == old[1].manifest
    assert archive.files(FORECAST, settings=site) == list(old[2].reference.payload_urls)


def test_a_payload_that_a_living_revision_names_stays(site: Settings, place: Place) -> None:
    with aged(days=40):
        commit(site, part(b"sunny", "a"), part(b"mild", "b"))
    done = commit(site, part(b"rainy", "a"), part(b"mild", "b"), by=run("manual-2"))
    bury(site, place)
    assert outline(expired(site, delete=True)) == [("remove", 1, 5, True)]
    assert archive.open(done.reference, settings=site).read() == b"rainymild"
    assert faults(site) == []


@pytest.mark.parametrize(
    ("promised", "today", "shorten", "goes"),
    [
        (None, None, False, False),
        (30, None, False, False),
        (None, 30, False, True),
        (90, 30, False, False),
        (90, 30, True, True),
        (30, 90, False, False),
    ],
)
def test_the_longer_of_the_promise_and_the_setting_counts(
    place: Place, promised: int | None, today: int | None, shorten: bool, goes: bool
) -> None:
    with aged(days=40):
        commit(keeping(place, retention_days=promised))
    found = expired(keeping(place, retention_days=today), shorten=shorten)
    assert outline(found) == ([("bury", 1, 5, False)] if goes else [])


def test_an_entity_that_is_not_declared_is_kept_for_ever(place: Place, old: list[Commit]) -> None:
    assert expired(settings_of(place), delete=True) == []


def test_the_newest_revision_can_be_kept(place: Place, old: list[Commit]) -> None:
    site = keeping(place, retention_days=30, keep_newest=True)
    assert outline(expired(site)) == [("bury", 1, 9, False)]


# --- Legal holds ----------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["weather", FORECAST, slot()], ids=["source", "entity", "slot"])
def test_nothing_under_a_hold_goes_until_it_is_released(
    site: Settings, place: Place, old: list[Commit], scope: Any
) -> None:
    hold = archive.hold(scope, reason="lawsuit 7", by="counsel", settings=site)
    before = contents(place)
    found = expired(site, delete=True)
    assert [(each.held_by, each.done) for each in found] == [(hold.id, False)] * 2
    assert contents(place) == before

    archive.release(hold.id, reason="settled", by="counsel", settings=site)
    bury(site, place)
    again = archive.hold(scope, reason="appeal", by="counsel", settings=site)
    found = expired(site, delete=True)
    assert [(each.step, each.held_by) for each in found] == [("remove", again.id)] * 2
    assert archive.open(old[0].reference, settings=site).read() == b"sunnymild"


@pytest.mark.parametrize("scope", ["news", Entity("weather", "warnings"), slot(map_key="EWX")])
def test_a_hold_on_something_else_holds_nothing(
    site: Settings, old: list[Commit], scope: Any
) -> None:
    archive.hold(scope, reason="lawsuit 7", by="counsel", settings=site)
    assert [each.done for each in expired(site, delete=True)] == [True, True]


def test_a_damaged_hold_stops_every_removal(
    site: Settings, place: Place, old: list[Commit]
) -> None:
    hold = archive.hold("news", reason="lawsuit 7", by="counsel", settings=site)
    key = f"holds/{hold.id}.json"
    place.write(key, place.read(key).replace(b"news", b"nows"))
    before = contents(place)
    (alone,) = archive.expire(delete=True, settings=site)
    assert isinstance(alone, LeftAlone)
    assert f"{key}: damaged hold" in alone.message
    assert contents(place) == before
    assert faults(site) == [f"hold {place.root}/{key}"]


def test_holds_and_releases_are_told_in_order(site: Settings) -> None:
    one = archive.hold(FORECAST, reason="lawsuit 7", by="counsel", settings=site)
    two = archive.hold(slot(), reason="audit", by="auditor", settings=site)
    ended = archive.release(one.id, reason="settled", by="counsel", settings=site)
    assert sorted(archive.holds(site), key=lambda pair: pair[0].at_utc) == [
        (one, ended),
        (two, None),
    ]
    assert archive.release(one.id, reason="again", by="somebody", settings=site) == ended
    assert [each.id for each in holding.in_force(archive.root(site)).holds] == [two.id]


# --- Rivals and damage ----------------------------------------------------------------------------


def test_a_writer_that_borrowed_a_payload_which_is_now_buried_is_told_to_retry(
    site: Settings, place: Place
) -> None:
    with aged(days=40):
        commit(site, part(b"mild"))
    session = archive.session(slot(), run("manual-2"), settings=site)
    with pytest.raises(ArchiveUnavailable, match="a retry stores them anew"), session:  # noqa: PT012  # the commit raises
        session.write(part(b"mild"))
        expired(site, delete=True)
    done = commit(site, part(b"mild"), by=run("manual-2", try_number=2))
    bury(site, place)
    expired(site, delete=True)
    assert archive.open(done.reference, settings=site).read() == b"mild"
    assert faults(site) == []


@pytest.mark.parametrize("policy", ["reuse", "fail"])
def test_a_slot_whose_newest_revision_expired_is_not_filled(
    site: Settings, place: Place, old: list[Commit], policy: Any
) -> None:
    bury(site, place)
    done = commit(site, part(b"anew"), by=run("manual-3"), on_existing=policy)
    assert (done.manifest.revision, done.outcome) == (3, "created")
    again = commit(site, part(untouchable()), by=run("manual-3"), on_existing=policy)
    assert again.outcome == "adopted"


def test_a_slot_with_a_damaged_manifest_is_left_alone(
    site: Settings, place: Place, old: list[Commit]
) -> None:
    place.write(f"{META}/000001.json", b"{}")
    before = contents(place)
    (alone,) = archive.expire(delete=True, settings=site)
    assert isinstance(alone, LeftAlone)
    assert f"{META}/000001.json" in alone.message
    assert contents(place) == before


def test_a_manifest_that_names_another_slots_payload_takes_nothing_from_it(
    site: Settings, place: Place, old: list[Commit]
) -> None:
    victim = old[2].manifest.payloads[0]
    forged = replace(old[0].manifest, payloads=(victim,), previous_sha256=None)
    place.write(f"{META}/000001.json", forged.to_json())
    place.remove(f"{META}/000002.json")
    bury(site, place)
    expired(site, delete=True)
    assert place.read(victim.key) == b"windy"


def test_a_tombstone_of_another_revision_is_named(
    site: Settings, place: Place, old: list[Commit]
) -> None:
    expired(site, delete=True)
    place.write(f"{GRAVE}/000001.json", place.read(f"{GRAVE}/000002.json"))
    assert faults(site) == [f"tombstone {place.root}/{GRAVE}/000001.json"]
    place.write(f"{GRAVE}/000009.json", place.read(f"{GRAVE}/000002.json"))
    assert f"tombstone {place.root}/{GRAVE}/000009.json" in faults(site)


def test_two_expiries_at_once_do_no_harm(site: Settings, place: Place, old: list[Commit]) -> None:
    together(site)
    bury(site, place)
    together(site)
    assert [body for key, body in contents(place).items() if key.startswith("data/")] == [b"windy"]
    assert faults(site) == []


def together(site: Settings) -> None:
    """Two passes, step by step in turn."""
    rivals = [archive.expire(delete=True, settings=site) for _ in range(2)]
    for found in chain.from_iterable(zip_longest(*rivals)):
        assert found is None or isinstance(found, Removal)


def test_a_clock_of_this_machine_that_is_ahead_removes_nothing_early(
    site: Settings, place: Place
) -> None:
    """Retention counts from the time in the manifest to the store's clock."""
    commit(site)
    with aged(days=-400):
        assert expired(site, delete=True) == []
    assert store_of(place).stat(f"{GRAVE}/000001.json") is None
