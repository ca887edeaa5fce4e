"""One flipped bit, anywhere in what is stored, is found, named once, and nothing else is."""

from __future__ import annotations

import random
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import pytest

from platform_ops import archive
from platform_ops.archive.upkeep import holding
from platform_ops.errors import DeliveryRefused
from platform_ops.settings import Settings
from tests.archive.places import Disk, settings_of
from tests.archive.samples import commit, faults, part, run, slot

SLOTS, REVISIONS, PAYLOADS = 20, 5, 100


@pytest.fixture
def dice() -> random.Random:
    return random.Random(20240305)


def rot(place: Disk, keys: Iterable[str], dice: random.Random) -> None:
    """Flip one bit of each object, wherever it falls."""
    for key in keys:
        data = bytearray(place.read(key))
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        (place.folder / key).write_bytes(data)


def named(site: Settings) -> list[str]:
    """Keys of what verify finds wrong, each as often as it is named."""
    root = f"{site.archive.root}/"
    return sorted(line.partition(" ")[2].removeprefix(root) for line in faults(site))


def test_a_bit_in_each_of_ten_thousand_payloads_and_manifests(
    memory: Path, dice: random.Random
) -> None:
    place = Disk(memory / "archive")
    site = settings_of(place)
    for day in range(SLOTS):
        for revision in range(REVISIONS):
            parts = (part(dice.randbytes(dice.randrange(1, 3000)), f"{n}") for n in range(PAYLOADS))
            commit(site, *parts, at=slot(day), by=run(f"run-{revision}"))
    payloads = [key for key in place.objects() if key.startswith("data/")]
    manifests = [key for key in place.objects() if key.startswith("meta/")]
    assert (len(payloads), len(manifests)) == (10_000, 100)
    assert named(site) == []

    rot(place, payloads, dice)
    assert named(site) == payloads
    # Of a damaged manifest nobody knows what it named: its payloads are as good as intact.
    rot(place, manifests, dice)
    assert named(site) == manifests


def every_kind(site: Settings) -> None:
    """An archive that holds an object of each kind there is."""
    store = archive.root(site)
    for revision in range(3):
        shared, own = part(b"the same each time", "a"), part(b"%d" % revision * 50, "b")
        commit(site, shared, own, by=run(f"run-{revision}"))
    for day in (1, 2):  # the second is to lose a body
        with archive.session(slot(day), run(), pack=True, settings=site) as session:
            for name in ("x", "y", "z"):
                session.write(part(name.encode() * 40, name))
    archive.erase(slot(2), name="y", reason="request 1", by="privacy", delete=True, settings=site)
    commit(site, part(b"to erase"), at=slot(3))
    archive.erase(slot(3), reason="request 2", by="privacy", delete=True, settings=site)
    refuse(site)
    held = holding.place(store, "elsewhere", reason="lawsuit", by="counsel")
    holding.release(store, held.id, reason="settled", by="counsel")


def refuse(site: Settings) -> None:
    """Have two deliveries refused, one of them a pack; what is kept of them is all that is left."""
    store = archive.root(site)
    strict = Settings.model_validate(
        {
            "archive": {"root": site.archive.root},
            "sources": {"weather": {"entities": {"forecast": {"on_unparsable": "fail"}}}},
        }
    )
    before = set(store.entries("data"))
    for pack in (False, True):
        with ExitStack() as stack:
            stack.enter_context(pytest.raises(DeliveryRefused))
            session = archive.session(slot(4), run(f"{pack}"), pack=pack, settings=strict)
            taking = stack.enter_context(session)
            taking.write(part(b"{}", "a.json", media_type="application/json"))
            taking.write(part(b"[1", "b.json", media_type="application/json"))
    for entry in set(store.entries("data")) - before:  # which a sweep takes, after its grace
        store.delete(entry.key)


def test_a_bit_of_any_one_object_of_any_kind(memory: Path, dice: random.Random) -> None:
    """Shared payloads, packs and their lists, tombstones, excisions, evidence, holds, templates."""
    place = Disk(memory / "archive")
    site = settings_of(place)
    every_kind(site)
    kinds = {key.partition("/")[0] for key in place.objects()}
    assert kinds == {"data", "meta", "templates", "tombstones", "holds", "evidence"}
    for key in place.objects():
        for _ in range(10):
            intact = place.read(key)
            rot(place, [key], dice)
            assert named(site) == [key]
            (place.folder / key).write_bytes(intact)
    assert named(site) == []


def test_days_of_samples_read_every_payload_once(memory: Path, dice: random.Random) -> None:
    place = Disk(memory / "archive")
    site = settings_of(place)
    for day in range(5):
        parts = (part(dice.randbytes(20), f"{number}") for number in range(40))
        commit(site, *parts, at=slot(day))
    payloads = [key for key in place.objects() if key.startswith("data/")]
    rot(place, payloads, dice)

    def found(day: int) -> list[str]:
        verdicts = archive.verify(share=0.05, day=day, settings=site)
        return [fault.url for verdict in verdicts for fault in verdict.faults]

    days = [found(day) for day in range(739_000, 739_020)]
    assert sorted(url for each in days for url in each) == [
        f"{place.root}/{key}" for key in payloads
    ]
    assert max(map(len, days)) < 40  # of 200: a share, not all at once
    assert found(739_020) == days[0]
