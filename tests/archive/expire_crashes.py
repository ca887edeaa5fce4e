"""One expiry and one erasure, and what the next run makes of them where they were broken off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from platform_ops import archive
from platform_ops.errors import Removed
from platform_ops.settings import Settings
from tests.archive.disk_trials import Trial
from tests.archive.places import Disk, Place
from tests.archive.samples import aged, commit, faults, part, run, slot
from tests.archive.strays import contents


@dataclass(frozen=True)
class Filled:
    """An archive of which a part is over.

    :param before: Every object that was there, by key.
    :param lives: Keys of those that must stay as they are.
    """

    place: Place
    site: Settings
    before: dict[str, bytes]
    lives: list[str]

    def restore(self) -> None:
        """Bring everything back, as it was before anything went."""
        now = self.place.objects()
        for key in now:
            if key not in self.before:
                self.place.remove(key)
        for key, data in self.before.items():
            if key not in now or self.place.read(key) != data:
                self.place.write(key, data)


def filled(place: Place) -> Filled:
    """Two revisions that are over, of which the first shares a payload with one that is not."""
    entities = {"forecast": {"retention_days": 30}}
    plain = {"archive": {"root": place.root}, "sources": {"weather": {"entities": entities}}}
    site = Settings.model_validate(plain)
    with aged(days=40):
        commit(site, part(b"sunny", "a"), part(b"mild", "b"))
        commit(site, part(b"windy"), at=slot(1))
    living = commit(site, part(b"rainy", "a"), part(b"mild", "b"), by=run("manual-2")).manifest
    commit(site, part(b"secret"), at=slot(2))
    (manifest,) = (key for key in place.objects() if key.endswith("/000002.json"))
    keys = [blob.key for payload in living.payloads for blob in payload.blobs]
    return Filled(place, site, contents(place), [manifest, *keys])


def let_go(site: Settings) -> None:
    """Let expire what is over, and erase what somebody wants erased."""
    list(archive.expire(delete=True, pause=timedelta(0), settings=site))
    archive.erase(slot(2), reason="request 4711", by="privacy", delete=True, settings=site)


def broken(state: Filled) -> Iterator[str]:
    """What lives is whole, and the next run ends the work."""
    now = contents(state.place)
    if lost := [key for key in state.lives if now.get(key) != state.before[key]]:
        yield f"lost or altered: {lost}"
    if torn := [key for key in state.before if key.startswith("meta/") and key not in now]:
        yield f"a manifest is gone: {torn}"
    # Halfway between tombstone and redaction is told; nothing else is wrong at any moment.
    if found := [each for each in faults(state.site) if not each.startswith("tombstone ")]:
        yield f"verify: {found}"
    let_go(state.site)
    if found := faults(state.site):
        yield f"verify afterwards: {found}"
    yield from (f"still there afterwards: {each}" for each in _risen(state))
    left = [key for key in state.place.objects() if key.startswith("data/")]
    if set(left) != {key for key in state.lives if key.startswith("data/")}:
        yield f"left afterwards: {left}"


def _risen(state: Filled) -> Iterator[str]:
    """What went and can be read all the same."""
    for day in (1, 2):
        gone = archive.newest(slot(day), settings=state.site)
        try:
            archive.open(archive.refer(gone, state.site), settings=state.site).read()
        except Removed:
            continue
        yield str(gone.slot)


def _on_disk(folder: Path) -> Filled:
    return filled(Disk(folder))


def _let_go(state: Filled) -> None:
    let_go(state.site)


ON_DISK: Final = Trial(_on_disk, _let_go, broken)
