"""What stays of one body that was erased out of a revision which lives on (ADR 0020).

Its record lies beside the tombstones of whole revisions, numbered within its revision; the amended
manifest stands in the place of the one before, and the record says from which digest to which::

    {root}/meta/{slot folder}/{revision:06d}.json
    {root}/tombstones/{slot folder}/{revision:06d}.{number:04d}.json
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Final

from platform_ops.archive.records.tombstones import PAYLOAD, TREE, Tombstone, tombstone_key
from platform_ops.archive.stores.store import Store, locate
from platform_ops.entity import Manifest, Payload, Slot, content_digest
from platform_ops.errors import ArchiveCorrupt, NotArchived, Removed
from platform_ops.sealed import Record

__all__ = [
    "COUNTED",
    "RECORD",
    "Excision",
    "amended",
    "ancestors",
    "excision_at",
    "excision_key",
    "excisions",
    "is_due",
    "name_digest",
    "why_gone",
]

RECORD: Final = re.compile(r"(?P<revision>.+/[0-9]{6,})\.(?P<number>[0-9]{4,})\.json")
"""Key of a record; that of a whole revision's tombstone has no second number."""
COUNTED: Final = "payloads.bodies"
"""Under which name a manifest counts the bodies that were erased out of it, among what was redacted."""


@dataclass(frozen=True, slots=True)
class Excision(Record):
    """One body that was erased alone.

    :param number: Counts from 1 within the revision.
    :param reason: The request, in words.
    :param by: Who asked for it.
    :param name_sha256: Digest of the body's name: who knows the name learns why it is missing.
    :param sha256: Digest of the body itself.
    :param place: How many bodies came before it in its pack; 0 for a body that was stored alone.
    :param former: Keys of the objects that held it: of the pack and its list, or its own.
    :param former_sha256: Digest of the payload as it was, over all bodies of the pack. The lines of the
        bodies that are left, with that of this one at its place, make it up again.
    :param payload: What has taken the place of that payload; None where no body is left of it.
    :param before_sha256: Digest of the manifest before; the chain goes on from it.
    :param after_sha256: Digest of the manifest that has taken its place.
    """

    slot: Slot
    revision: int
    number: int
    reason: str
    by: str
    at_utc: datetime
    name_sha256: str
    sha256: str
    size_bytes: int
    place: int
    former: tuple[str, ...]
    former_sha256: str
    payload: Payload | None
    before_sha256: str
    after_sha256: str
    version: int = 1
    kind: ClassVar[str] = "tombstone of a body"

    def error(self) -> Removed:
        """What a reader of the body is told."""
        return Removed(
            f"{self.slot}: of revision {self.revision} this body was erased on "
            f"{self.at_utc:%Y-%m-%d %H:%M}Z by {self.by}: {self.reason}; the others are there"
        )

    def held(self, payload: Payload) -> bool:
        """Whether the body was in this payload."""
        alone = payload.members is None and name_digest(payload.name) != self.name_sha256
        return payload.key == self.former[0] and not alone


def name_digest(name: str) -> str:
    """SHA-256 in hex of a body's name."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def excision_key(manifest_key: str, number: int) -> str:
    """Where the record of a revision's body lies."""
    return f"{tombstone_key(manifest_key).removesuffix('.json')}.{number:04d}.json"


def excision_at(store: Store, key: str) -> Excision:
    """Read one record.

    :raises ArchiveCorrupt: It is damaged, of a newer version, or another's.
    """
    url = locate(store, key)
    found = Excision.from_json(store.read(key), url)
    hit = RECORD.fullmatch(key)
    belongs = hit and (hit["revision"].endswith(f"/{found.revision:06d}"), int(hit["number"]))
    if belongs != (True, found.number):
        raise ArchiveCorrupt(f"{url}: of revision {found.revision}, number {found.number}")
    return found


def excisions(store: Store, manifest_key: str) -> tuple[Excision, ...]:
    """The records of a revision, oldest first.

    :raises ArchiveCorrupt: One is damaged, or missing between others.
    """
    found: list[Excision] = []
    while True:
        try:
            found.append(excision_at(store, excision_key(manifest_key, len(found) + 1)))
        except NotArchived:
            return tuple(found)


def is_due(store: Store, manifest_key: str, manifest: Manifest) -> bool:
    """Whether a body is being erased out of a manifest that still names it."""
    number = manifest.redacted.get(COUNTED, 0) + 1
    return store.stat(excision_key(manifest_key, number)) is not None


def amended(manifest: Manifest, record: Excision) -> Manifest:
    """The manifest without the body that a record is of."""
    replaced = (record.payload if record.held(each) else each for each in manifest.payloads)
    payloads = tuple(each for each in replaced if each is not None)
    return replace(
        manifest,
        payloads=payloads,
        sha256=content_digest(payloads),
        redacted={**manifest.redacted, COUNTED: record.number},
    )


def ancestors(
    sha256: str, tombstone: Tombstone | None, records: Iterable[Excision] = ()
) -> set[str]:
    """Every digest that the manifest with this one ever had: the chain goes on from any of them."""
    known = {sha256}
    if tombstone is not None and sha256 == tombstone.redacted_sha256:
        known.add(tombstone.manifest_sha256)
    for each in sorted(records, key=lambda record: record.number, reverse=True):
        if each.after_sha256 in known:
            known.add(each.before_sha256)
    return known


def why_gone(store: Store, payload_key: str) -> Removed | None:
    """Why an object is not there, if a body was erased out of it; whoever asks has an old manifest."""
    hit = PAYLOAD.fullmatch(payload_key)
    if hit is None:
        return None
    for entry in store.level(f"{TREE}/{hit['folder']}").entries:
        if (
            RECORD.fullmatch(entry.key)
            and payload_key in (record := excision_at(store, entry.key)).former
        ):
            return Removed(
                f"{record.slot}: a body of revision {record.revision} was erased on "
                f"{record.at_utc:%Y-%m-%d %H:%M}Z; read the revision anew for the others"
            )
    return None
