"""One body erased out of a pack, and what the next try makes of it where it was broken off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from platform_ops import archive
from platform_ops.errors import Removed
from platform_ops.settings import Settings
from tests.archive.disk_trials import Trial
from tests.archive.expire_crashes import Filled
from tests.archive.places import Disk, Place
from tests.archive.samples import commit, faults, part, run, slot
from tests.archive.strays import contents

SUBJECT: Final = b"what is known of jane.doe"
OTHERS: Final = {"a": b"sunny", "c": b"mild"}


def filled(place: Place) -> Filled:
    """Two revisions that share a pack, with the body that somebody wants erased in the middle."""
    plain = {
        "archive": {"root": place.root},
        "sources": {"weather": {"entities": {"forecast": {"pack": True}}}},
    }
    site = Settings.model_validate(plain)
    parts = [part(OTHERS["a"], "a"), part(SUBJECT, "b"), part(OTHERS["c"], "c")]
    for number in (1, 2):
        commit(site, *parts, by=run(f"run-{number}"))
    return Filled(place, site, contents(place), [])


def let_go(site: Settings) -> None:
    """Erase it."""
    archive.erase(slot(), name="b", reason="request 4711", by="privacy", delete=True, settings=site)


def broken(state: Filled) -> Iterator[str]:
    """All other bodies are whole at any moment, and the next try ends the work."""
    yield from _lost(state.site)
    # Halfway between record and manifest is told; nothing else is wrong at any moment.
    if found := [each for each in faults(state.site) if not each.startswith("tombstone ")]:
        yield f"verify: {found}"
    let_go(state.site)
    yield from _lost(state.site)
    if found := faults(state.site):
        yield f"verify afterwards: {found}"
    if left := [key for key, data in contents(state.place).items() if SUBJECT in data]:
        yield f"still there afterwards: {left}"
    with suppress(Removed):
        archive.open(slot(), "b", settings=state.site)
        yield "it can be read afterwards"


def _lost(site: Settings) -> Iterator[str]:
    for revision in archive.revisions(slot(), site):
        held = {each.name: each.read() for each in archive.bodies(revision, site)}
        held.pop("b", None)
        if held != OTHERS:
            yield f"revision {revision.revision} holds {held}"


def _on_disk(folder: Path) -> Filled:
    return filled(Disk(folder))


def _let_go(state: Filled) -> None:
    let_go(state.site)


ON_DISK: Final = Trial(_on_disk, _let_go, broken)
