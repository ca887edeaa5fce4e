"""What stays of a revision whose payloads were removed on purpose: when, by whom, by which policy.

A tombstone lies in a tree of its own, under its manifest's name; the manifest stays, so that the chain
stays whole (ADR 0009)::

    {root}/meta/{slot folder}/{revision:06d}.json
    {root}/tombstones/{slot folder}/{revision:06d}.json
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Literal

from platform_ops.archive.stores.store import Store, locate
from platform_ops.entity import Slot
from platform_ops.errors import NotArchived, Removed
from platform_ops.sealed import Record

__all__ = ["PAYLOAD", "TREE", "Cause", "Tombstone", "removal", "tombstone_at", "tombstone_key"]

TREE: Final = "tombstones"
PAYLOAD: Final = re.compile(r"data/(?P<folder>.+)/(?P<revision>[0-9]{6,})-[0-9a-f]{12}/[^/]+")
"""Key of an object that a writer made."""

Cause = Literal["expired", "erased"]


@dataclass(frozen=True, slots=True)
class Tombstone(Record):
    """A revision whose payloads were removed on purpose, or are about to be.

    :param cause: ``expired`` by its retention, or ``erased`` on request.
    :param reason: The policy, or the request, in words.
    :param by: Who asked for it: a person, or the task that applied the policy.
    :param size_bytes: Of the payloads that it names; those that a live revision shares stay.
    :param manifest_sha256: Digest of the manifest as it was committed: the chain goes on from it.
    :param redacted_sha256: Digest of the manifest that has taken its place, where that was redacted.
    """

    slot: Slot
    revision: int
    cause: Cause
    reason: str
    by: str
    at_utc: datetime
    size_bytes: int
    manifest_sha256: str
    redacted_sha256: str | None = None
    version: int = 1
    kind: ClassVar[str] = "tombstone"

    def is_of(self, manifest_sha256: str) -> bool:
        """Whether this is the tombstone of a manifest with that digest, redacted or not yet."""
        return manifest_sha256 in (self.manifest_sha256, self.redacted_sha256)

    def error(self) -> Removed:
        """What a reader of the payloads is told."""
        return Removed(
            f"{self.slot}: revision {self.revision} was {self.cause} on "
            f"{self.at_utc:%Y-%m-%d %H:%M}Z by {self.by}: {self.reason}"
        )


def tombstone_key(manifest_key: str) -> str:
    """Where the tombstone of a manifest lies."""
    return f"{TREE}/{manifest_key.removeprefix('meta/')}"


def tombstone_at(store: Store, manifest_key: str) -> Tombstone | None:
    """The tombstone of the manifest under a key; None where the revision lives.

    :raises ArchiveCorrupt: It is damaged, of a newer version, or another revision's.
    """
    key = tombstone_key(manifest_key)
    try:
        data = store.read(key)
    except NotArchived:
        return None
    return Tombstone.from_json(data, locate(store, key))


def removal(store: Store, payload_key: str) -> Removed | None:
    """Why a payload is not there, if it was removed on purpose.

    The revision that brought it tells: while another that shares it lives, it stays.
    """
    hit = PAYLOAD.fullmatch(payload_key)
    found = tombstone_at(store, f"meta/{hit['folder']}/{hit['revision']}.json") if hit else None
    return found.error() if found else None
