"""Erasure on request: one slot's revisions, their payloads and what their manifests say of a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from platform_ops.archive.records.history import History, blobs, history
from platform_ops.archive.stores.store import Store, locate
from platform_ops.archive.upkeep import holding, removal
from platform_ops.archive.upkeep.amending import clear, settle
from platform_ops.archive.upkeep.removal import Removal
from platform_ops.entity import Manifest
from platform_ops.errors import NotArchived

__all__ = ["erase"]


def erase(
    store: Store,
    folder: str,
    revision: int | None = None,
    *,
    reason: str,
    by: str,
    delete: bool = False,
) -> Iterator[Removal]:
    """Erase a revision, or every one of a slot: tombstone, redacted manifest, payloads.

    A payload that a living revision shares stays, and that revision is told.

    :param folder: Of the slot.
    :param delete: Do it; only name it otherwise.
    :raises ArchiveHeld: A legal hold covers the slot.
    :raises ConfigError: The reason, or the name of who asks, is empty.
    :raises NotArchived: There is no such revision.
    """
    holding.require_words(reason, by)
    past = history(store, folder)
    chosen = [each for each in past.manifests if revision in (None, each.revision)]
    if not chosen:
        asked = f"revision {revision}" if revision else "revision"
        raise NotArchived(f"{locate(store, f'meta/{folder}')}: no such {asked}; nothing was erased")
    holding.require_free(store, folder)
    return _erased(store, past, chosen, reason, by, delete)


def _erased(
    store: Store, past: History, chosen: list[Manifest], reason: str, by: str, delete: bool
) -> Iterator[Removal]:
    if delete:
        # What of it was to be erased alone ends first: the redacted manifest is made of that one.
        chosen = [
            each if each.revision in past.tombstones else settle(store, past.key(each.revision))
            for each in chosen
        ]
    numbers = {each.revision for each in chosen}
    others = [each for each in past.live if each.revision not in numbers]
    for manifest in chosen:
        key = past.key(manifest.revision)
        found = Removal(
            step="bury",
            cause="erased",
            slot=manifest.slot,
            revision=manifest.revision,
            url=locate(store, key),
            reason=reason,
            size_bytes=manifest.size_bytes,
            shared_with=tuple(each.revision for each in others if _share(manifest, each)),
        )
        if delete:
            removal.bury(store, key, manifest, cause="erased", reason=reason, by=by)
        yield replace(found, done=delete)
    if delete:
        yield from _removed(store, past.folder, numbers)
        yield from clear(store, past.folder, numbers)


def _removed(store: Store, folder: str, chosen: set[int]) -> Iterator[Removal]:
    # No pause: whoever names these bytes just now names what is to be erased.
    past = history(store, folder)
    named = {blob.key for blob in blobs(m for m in past.manifests if m.revision in chosen)}
    objects = {key: entry for key in named if (entry := store.stat(key)) is not None}
    for manifest, entries in removal.leftovers(past, past.tombstones, objects):
        removal.remove(store, entries)
        tombstone = past.tombstones[manifest.revision]
        yield Removal(
            step="remove",
            cause=tombstone.cause,
            slot=manifest.slot,
            revision=manifest.revision,
            url=locate(store, past.key(manifest.revision)),
            reason=tombstone.reason,
            size_bytes=sum(entry.size_bytes for entry in entries),
            done=True,
        )


def _share(one: Manifest, other: Manifest) -> bool:
    return not {blob.key for blob in blobs([one])}.isdisjoint(blob.key for blob in blobs([other]))
