"""What a replay would read, slot by slot, and where it would refuse: known before anything is run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from platform_ops.archive.indexing import Hit
from platform_ops.archive.records import read
from platform_ops.archive.stores.store import Store, locate
from platform_ops.entity import Slot
from platform_ops.errors import ArchiveCorrupt

__all__ = ["Scene", "rehearse"]


@dataclass(frozen=True, slots=True)
class Scene:
    """One slot of a replay.

    :param slot: None where nothing is there at this time, and nobody knows its keys.
    :param hit: The revision that would be read.
    :param refusal: Why a replay of this slot would fail, before it asks the source for anything.
    """

    time_utc: datetime
    slot: Slot | None
    hit: Hit | None
    refusal: str | None


def rehearse(
    store: Store,
    hits: Sequence[Hit],
    expected: Sequence[datetime],
    *,
    revision: int | None = None,
    as_of_utc: datetime | None = None,
) -> Iterator[Scene]:
    """Every slot that is there, and every time at which one was expected and is not, by time.

    :param hits: All revisions in question, in order of slot and revision.
    :param expected: Times at which there should be a slot.
    :param revision: The pinned one.
    :param as_of_utc: The newest that was committed by then.
    """
    scenes = [
        _scene(store, slot, list(revisions), revision, as_of_utc)
        for slot, revisions in groupby(hits, key=lambda hit: hit.slot)
        if slot is not None
    ]
    there = {scene.time_utc for scene in scenes}
    scenes += [
        Scene(time, None, None, "nothing is archived") for time in expected if time not in there
    ]
    return iter(sorted(scenes, key=lambda scene: scene.time_utc))


def _scene(
    store: Store,
    slot: Slot,
    revisions: Sequence[Hit],
    revision: int | None,
    as_of_utc: datetime | None,
) -> Scene:
    for hit in reversed(revisions):
        committed = hit.committed_at_utc
        pinned = revision in (None, hit.revision)
        if pinned and (as_of_utc is None or committed is None or committed <= as_of_utc):
            return Scene(slot.time_utc, slot, hit, _fault(store, hit))
    asked = f" as revision {revision}" if revision is not None else ""
    asked += f" as of {as_of_utc.isoformat()}" if as_of_utc else ""
    return Scene(slot.time_utc, slot, None, f"nothing is archived{asked}")


def _fault(store: Store, hit: Hit) -> str | None:
    """Why the revision cannot be read; its bytes are not hashed here."""
    if hit.removed:
        return f"revision {hit.revision} expired or was erased"
    try:
        manifest = read.manifest_at(store, hit.key)
    except ArchiveCorrupt as err:
        return str(err)
    for blob in (blob for payload in manifest.payloads for blob in payload.blobs):
        found = store.stat(blob.key)
        if found is None or found.size_bytes != blob.size_bytes:
            return f"{locate(store, blob.key)}: {'missing' if found is None else 'of another size'}"
    return None
