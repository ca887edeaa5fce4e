"""Whatever happens to stored bytes is found, named, and never taken for data."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from platform_ops import archive
from platform_ops.archive import Commit
from platform_ops.entity import Manifest, Reference, Slot
from platform_ops.errors import ArchiveCorrupt, NotArchived
from platform_ops.settings import Settings
from tests.archive.places import Place
from tests.archive.samples import commit, faults, part, run, slot

META = "meta/v1/weather/forecast/dt=2024-03-05/at=000000Z"


def flipped(data: bytes, position: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1 << bit
    return bytes(changed)


@pytest.fixture
def history(site: Settings) -> list[Commit]:
    """Three revisions of one slot, each of two payloads, and one of another slot."""
    bodies = [bytes([number]) * (100 + number) for number in range(6)]
    pairs = [(part(bodies[each], "a"), part(bodies[each + 1], "b")) for each in (0, 2, 4)]
    made = [commit(site, *pair, by=run(f"run-{number}")) for number, pair in enumerate(pairs)]
    return [*made, commit(site, part(b"other"), at=slot(1))]


def test_an_intact_archive_has_no_fault(site: Settings, history: list[Commit]) -> None:
    verdicts = list(archive.verify(settings=site))
    assert [verdict.faults for verdict in verdicts] == [()] * 4
    assert [verdict.size_bytes for verdict in verdicts] == [201, 205, 209, 5]
    assert [verdict.size_bytes for verdict in archive.verify(share=0, settings=site)] == [0] * 4


def test_verify_takes_a_prefix_of_the_folders(site: Settings, history: list[Commit]) -> None:
    below = archive.verify("v1/weather/forecast/dt=2024-03-06", settings=site)
    assert [verdict.manifest_url for verdict in below] == [history[3].reference.manifest_url]
    assert list(archive.verify("v1/weather/forecasts", settings=site)) == []


def test_one_flipped_bit_of_a_payload_is_found_wherever_it_is(
    site: Settings, place: Place, history: list[Commit]
) -> None:
    dice = random.Random(20240305)
    payloads = [(done, index) for done in history[:3] for index in (0, 1)]
    for done, index in payloads:
        payload = done.manifest.payloads[index]
        intact = place.read(payload.key)
        place.write(payload.key, flipped(intact, dice.randrange(len(intact)), dice.randrange(8)))
        assert faults(site) == [f"digest {place.root}/{payload.key}"]
        with pytest.raises(ArchiveCorrupt, match=payload.sha256):
            archive.open(done.reference, settings=site).read()
        place.write(payload.key, intact)
    assert faults(site) == []


def test_whoever_reads_exactly_the_announced_bytes_is_told_as_well(
    site: Settings, place: Place
) -> None:
    done = commit(site, part(b"x" * 5000))
    place.write(done.manifest.payloads[0].key, b"x" * 4999 + b"y")
    stream = archive.open(done.reference, settings=site)
    with pytest.raises(ArchiveCorrupt):
        stream.read(5000)


@pytest.mark.parametrize(
    ("harm", "kind"), [("removed", "missing"), ("cut", "size"), ("longer", "size")]
)
@pytest.mark.parametrize("share", [1, 0])
def test_a_payload_that_is_gone_or_of_another_size_is_named(
    site: Settings, place: Place, history: list[Commit], harm: str, kind: str, share: float
) -> None:
    payload = history[1].manifest.payloads[1]
    intact = place.read(payload.key)
    place.remove(payload.key)
    if harm != "removed":
        place.write(payload.key, intact[:-1] if harm == "cut" else intact + b"\n")
    verdicts = list(archive.verify(share=share, settings=site))
    found = [(fault.kind, fault.url) for verdict in verdicts for fault in verdict.faults]
    assert found == [(kind, f"{place.root}/{payload.key}")]
    expected = NotArchived if harm == "removed" else ArchiveCorrupt
    stream = archive.open(history[1].reference, settings=site)
    with pytest.raises(expected, match=payload.key):
        stream.read()


READERS: dict[str, Callable[[Settings, Reference], object]] = {
    "open": lambda site, ref: archive.open(ref, settings=site),
    "manifest": lambda site, ref: archive.manifest(ref, site),
    "newest": lambda site, _: archive.newest(slot(), settings=site),
    "find": lambda site, _: list(archive.find("weather.forecast", settings=site)),
    "files": lambda site, _: archive.files("weather.forecast", settings=site),
    "commit": lambda site, _: commit(site, by=run("another")),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("harm", ["bit", "cut", "empty", "swapped", "foreign"])
def test_a_damaged_manifest_stops_every_reader_by_name(
    site: Settings, place: Place, history: list[Commit], harm: str, reader: str
) -> None:
    newest = f"{META}/000003.json"
    intact = place.read(newest)
    damage = {
        "bit": flipped(intact, len(intact) // 2, 3),
        "cut": intact[: len(intact) // 2],
        "empty": b"",
        "swapped": place.read(f"{META}/000001.json"),
        "foreign": place.read(history[3].reference.manifest_url.removeprefix(place.root + "/")),
    }
    place.write(newest, damage[harm])
    with pytest.raises(ArchiveCorrupt, match=newest):
        READERS[reader](site, history[2].reference)
    assert [line for line in faults(site) if newest in line]


def test_manifests_that_changed_places_are_both_named(
    site: Settings, place: Place, history: list[Commit]
) -> None:
    first, second = f"{META}/000001.json", f"{META}/000002.json"
    one, two = place.read(first), place.read(second)
    place.write(first, two)
    place.write(second, one)
    found = faults(site)
    assert {f"place {place.root}/{first}", f"place {place.root}/{second}"} <= set(found)
    assert f"chain {place.root}/{META}/000003.json" in found


def test_a_lost_manifest_breaks_the_chain(
    site: Settings, place: Place, history: list[Commit]
) -> None:
    place.remove(f"{META}/000002.json")
    assert faults(site) == [f"chain {place.root}/{META}/000003.json"]
    place.remove(f"{META}/000001.json")
    assert faults(site) == [f"chain {place.root}/{META}/000003.json"]


def test_a_rewritten_manifest_with_a_seal_of_its_own_breaks_the_chain(
    site: Settings, place: Place, history: list[Commit]
) -> None:
    forged = replace(history[0].manifest, retention_days=1)
    place.write(f"{META}/000001.json", forged.to_json())
    assert faults(site) == [f"chain {place.root}/{META}/000002.json"]
    with pytest.raises(ArchiveCorrupt, match="not the manifest that the reference was made of"):
        archive.open(history[0].reference, settings=site)


def test_a_copy_beside_the_manifests_is_not_taken_for_a_revision(
    site: Settings, place: Place, history: list[Commit]
) -> None:
    copy = f"{META}/000001.json.bak"
    place.write(copy, place.read(f"{META}/000001.json"))
    with pytest.raises(ArchiveCorrupt, match=r"000001\.json\.bak: its slot and revision belong at"):
        list(archive.revisions(slot(), site))
    assert f"place {place.root}/{copy}" in faults(site)


def test_a_manifest_of_another_slot_stops_readers_and_writers(
    site: Settings, place: Place, history: list[Commit]
) -> None:
    """Manifests that somebody has copied into another slot's folder."""
    capital = Slot(replace(slot().entity, name="Forecast"), slot().time_utc)
    for key in [key for key in place.objects() if key.startswith(META)]:
        place.write(key.replace("/forecast/", "/%46orecast/"), place.read(key))
    with pytest.raises(ArchiveCorrupt) as caught:
        archive.newest(capital, settings=site)
    assert str(caught.value) == (
        f"{place.root}/{META.replace('/forecast/', '/%46orecast/')}/000003.json: holds "
        "weather.forecast 2024-03-05T00:00:00Z, where weather.Forecast 2024-03-05T00:00:00Z belongs"
    )
    with pytest.raises(ArchiveCorrupt):
        commit(site, at=capital)


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "data/\0", "data//x"])
def test_a_forged_key_never_leaves_the_root(
    site: Settings, place: Place, history: list[Commit], key: str
) -> None:
    manifest = history[3].manifest
    payload = replace(manifest.payloads[0], key=key)
    forged = replace(manifest, payloads=(payload,))
    place.write(history[3].reference.manifest_url.removeprefix(place.root + "/"), forged.to_json())
    with pytest.raises((ArchiveCorrupt, NotArchived)):
        archive.open(archive.refer(forged, site), settings=site).read()
    assert [line.split()[0] for line in faults(site)] in (["unreadable"], ["missing"])


def test_a_template_that_this_release_cannot_read_is_a_fault_not_a_crash(
    site: Settings, place: Place, history: list[Commit]
) -> None:
    forged = replace(history[3].manifest, template="v1/{unheard_of}")
    key = history[3].reference.manifest_url.removeprefix(place.root + "/")
    place.write(key, forged.to_json())
    assert faults(site) == [f"place {place.root}/{key}"]
    with pytest.raises(ArchiveCorrupt, match=r"unknown field \{unheard_of\}"):
        list(archive.find("weather.forecast", settings=site))


@pytest.mark.parametrize("text", [b"", b"[" * 100_000, b"\xff", b"{}", b'{"version": 1}', b"3"])
def test_rubbish_where_a_manifest_belongs_is_named(
    site: Settings, place: Place, history: list[Commit], text: bytes
) -> None:
    place.write(f"{META}/000002.json", text)
    assert faults(site) == [f"manifest {place.root}/{META}/000002.json"]


def test_every_reader_needs_a_reference_and_says_what_it_got(site: Settings) -> None:
    wrong: list[Any] = [None, "s3://bucket/key", {"manifest_url": "x"}, []]  # Any: as XCom holds it
    for each in wrong:
        with pytest.raises(ArchiveCorrupt, match="not a reference of the archive: got "):
            archive.open(each, settings=site)


def test_a_reference_to_a_moved_manifest_is_refused(site: Settings, place: Place) -> None:
    done = commit(site)
    manifest: Manifest = done.manifest
    place.write("meta/elsewhere/000001.json", manifest.to_json())
    moved = replace(done.reference, manifest_url=f"{place.root}/meta/elsewhere/000001.json")
    with pytest.raises(ArchiveCorrupt, match="its slot and revision belong at"):
        archive.open(moved, settings=site)
