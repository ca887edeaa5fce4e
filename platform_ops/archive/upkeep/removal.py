"""Removing a revision's payloads on purpose, in an order that a crash at any point leaves true.

1. The tombstone, create-only: from here on the revision is buried, whoever asks.
2. For an erasure, the redacted manifest in place of the one that was committed.
3. The payloads that no living revision names, once a pause is over.

Each step can be repeated. The pause is for a writer that was about to name such a payload once more:
it looks for a tombstone just before it commits (ADR 0009).
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

from platform_ops.archive.records.history import History, blobs
from platform_ops.archive.records.read import manifest_digest
from platform_ops.archive.records.tombstones import (
    PAYLOAD,
    Cause,
    Tombstone,
    tombstone_at,
    tombstone_key,
)
from platform_ops.archive.stores.store import Entry, Store, locate, put_once
from platform_ops.entity import Manifest, Origin, Payload, Slot
from platform_ops.errors import ArchiveCorrupt

__all__ = ["Removal", "bury", "is_in", "leftovers", "redact", "remove", "without_origin"]


@dataclass(frozen=True, slots=True)
class Removal:
    """One step of a revision on its way out.

    :param step: ``bury`` puts its tombstone, ``remove`` deletes payloads.
    :param url: Of its manifest, which stays.
    :param reason: The policy, or the request, in words.
    :param size_bytes: Of the payloads that it names, or that are deleted.
    :param held_by: The legal hold that forbids it.
    :param shared_with: Revisions that live and name some of its payloads, which stay for that.
    :param done: Whether the step was taken; a dry run takes none.
    :param body: The one body that goes, where the others stay.
    """

    step: Literal["bury", "remove"]
    cause: Cause
    slot: Slot
    revision: int
    url: str
    reason: str
    size_bytes: int
    held_by: str | None = None
    shared_with: tuple[int, ...] = ()
    done: bool = False
    body: str | None = None


def bury(
    store: Store, key: str, manifest: Manifest, *, cause: Cause, reason: str, by: str
) -> Tombstone:
    """Put a revision's tombstone; an erasure takes the place of an expiry, and redacts the manifest.

    :param key: Of the manifest.
    :param by: Who asked for it.
    """
    before = tombstone_at(store, key)
    if before is not None and (cause == "expired" or before.cause == "erased"):
        redact(store, key, manifest, before)
        return before
    if before is not None:
        reason += (
            f" ({before.cause} before, on {before.at_utc:%Y-%m-%d} by {before.by}: {before.reason})"
        )
    erased = cause == "erased"
    tombstone = Tombstone(
        slot=manifest.slot,
        revision=manifest.revision,
        cause=cause,
        reason=reason,
        by=by,
        at_utc=datetime.now(UTC),
        size_bytes=sum(blob.size_bytes for blob in blobs([manifest])),
        manifest_sha256=manifest_digest(manifest),
        redacted_sha256=manifest_digest(_redacted(manifest)) if erased else None,
    )
    if before is not None:
        store.replace(tombstone_key(key), tombstone.to_json())
    elif not put_once(store, tombstone_key(key), tombstone.to_json()):
        return bury(store, key, manifest, cause=cause, reason=reason, by=by)  # a rival was first
    redact(store, key, manifest, tombstone)
    return tombstone


def redact(store: Store, key: str, manifest: Manifest, tombstone: Tombstone) -> None:
    """Put the redacted manifest in its place, where an erasure asked for it and died before."""
    if tombstone.redacted_sha256 in (None, manifest_digest(manifest)):
        return
    text = _redacted(manifest).to_json()
    if hashlib.sha256(text).hexdigest() != tombstone.redacted_sha256:
        raise ArchiveCorrupt(
            f"{locate(store, key)}: another release began to erase it; let that one finish"
        )
    store.replace(key, text)


def _redacted(manifest: Manifest) -> Manifest:
    """The manifest without what the request and the answer may say of a person.

    Its slot, the names of its payloads and their digests stay: the folders and the chain hang on them.
    """
    payloads = tuple(without_origin(payload) for payload in manifest.payloads)
    return replace(
        manifest,
        payloads=payloads,
        redacted={**manifest.redacted, "payloads.origin": len(payloads)},
    )


def without_origin(payload: Payload) -> Payload:
    """A payload that tells nothing of a person: neither what was asked, nor names in a pack."""
    origin, url = payload.origin, urlsplit(payload.origin.url)
    host = f"{url.scheme}://{url.hostname}" if url.scheme and url.hostname else ""
    bare = Origin(host, origin.method, None, origin.status, {}, origin.fetched_at_utc)
    members = replace(payload.members, first="", last="") if payload.members else None
    return replace(payload, origin=bare, members=members)


def leftovers(
    past: History, ripe: Container[int], objects: Mapping[str, Entry]
) -> Iterator[tuple[Manifest, list[Entry]]]:
    """Buried revisions, each with those of its objects that are there and that nobody needs.

    :param ripe: Which of the buried revisions may lose their payloads now.
    :param objects: What is there, by key.
    """
    gone = [
        each
        for each in past.manifests
        if each.revision in past.tombstones and each.revision in ripe
    ]
    kept = {key for each in past.manifests if each not in gone for key in past.keys_of(each)}
    for manifest in gone:
        keys = [blob.key for blob in blobs([manifest]) if blob.key not in kept]
        kept.update(keys)  # each once, with the oldest revision that names it
        # A manifest is a file that somebody may have written by hand: its own folder, and no other.
        there = [objects[key] for key in keys if key in objects and is_in(past.folder, key)]
        if there:
            yield manifest, there


def remove(store: Store, entries: Iterable[Entry]) -> None:
    """Delete objects."""
    for entry in entries:
        store.delete(entry.key)


def is_in(folder: str, key: str) -> bool:
    """Whether an object is a payload in a slot's folder."""
    hit = PAYLOAD.fullmatch(key)
    return hit is not None and hit["folder"] == folder
