"""What came of deliveries that were refused: kept outside of everything that readers see (ADR 0023).

    {root}/evidence/payloads/{slot folder}/{token}/{name}
    {root}/evidence/records/{slot folder}/{token}.json

The record comes last, and says why. No reader lists either tree; ``archive evidence`` does, ``verify``
checks it, and ``expire`` and ``erase`` remove from it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from platform_ops.archive.records.history import BESIDE
from platform_ops.archive.records.tombstones import Cause
from platform_ops.archive.stores.store import Entry, Store, locate, put_once
from platform_ops.archive.upkeep import holding
from platform_ops.archive.upkeep.holding import Holds
from platform_ops.archive.upkeep.removal import Removal
from platform_ops.archive.upkeep.sweeping import LeftAlone, now
from platform_ops.entity import Blob, Entity, Payload, RunIdentity, Slot
from platform_ops.errors import ArchiveCorrupt
from platform_ops.sealed import Record
from platform_ops.url_scheme import Template

__all__ = [
    "Evidence",
    "expire",
    "keep",
    "keys",
    "listed",
    "misplaced",
    "newest",
    "of_slot",
    "own",
]

_PAYLOADS: Final = "evidence/payloads"
_RECORDS: Final = "evidence/records"


@dataclass(frozen=True, slots=True)
class Evidence(Record):
    """A delivery that was refused, and why.

    :param check: Which check refused it.
    :param message: What it found, in words.
    :param payloads: What came, by the keys under which it is kept; what an earlier revision held already
        lies where that revision has it.
    """

    slot: Slot
    run: RunIdentity
    token: str
    check: str
    message: str
    payloads: tuple[Payload, ...]
    at_utc: datetime
    version: int = 1
    kind: ClassVar[str] = "record of evidence"

    @property
    def size_bytes(self) -> int:
        """Bytes of all payloads together, as they came."""
        return sum(each.size_bytes for each in self.payloads)


def keep(store: Store, folder: str, found: Evidence) -> str:
    """Copy what came out of the slot's folder, then record why it was refused; the record's URL.

    The copies that were meant for a revision stay behind, as after a crash, until ``sweep`` takes them:
    a writer removes nothing (ADR 0003).
    """
    moved = tuple(_moved(store, folder, found.token, each) for each in found.payloads)
    key = f"{_RECORDS}/{folder}/{found.token}.json"
    put_once(store, key, replace(found, payloads=moved).to_json())
    return locate(store, key)


def _moved(store: Store, folder: str, token: str, payload: Payload) -> Payload:
    keys = [_copied(store, folder, token, blob) for blob in payload.blobs]
    listed = payload.members and replace(payload.members, key=keys[-1])
    return replace(payload, key=keys[0], members=listed)


def _copied(store: Store, folder: str, token: str, blob: Blob) -> str:
    place, _, name = blob.key.rpartition("/")
    if not place.endswith(f"-{token}"):  # lent by an earlier revision, which keeps it
        return blob.key
    key = f"{_PAYLOADS}/{folder}/{token}/{name}"
    store.upload(key, store.chunks(blob.key))
    return key


def newest(
    store: Store, templates: Iterable[Template], entity: Entity, count: int
) -> list[Evidence]:
    """What was refused last of an entity, by slot, the newest first; no other record is read."""
    folders = {f"{_RECORDS}/{each.folder_of(entity)}" for each in templates}
    keys = [key for each in folders for key in deque(_keys(store, each), count)]
    found = [Evidence.from_json(store.read(key), locate(store, key)) for key in keys]
    found.sort(key=lambda each: (each.slot.time_utc, each.at_utc), reverse=True)
    return [each for each in found if each.slot.entity == entity][:count]


def _keys(store: Store, folder: str) -> Iterator[str]:
    return (entry.key for entry in store.entries(folder))


def keys(store: Store, prefix: str) -> Iterator[str]:
    """Keys of every record below a prefix of the slots' folders."""
    return iter(()) if prefix == BESIDE else _keys(store, f"{_RECORDS}/{prefix}".rstrip("/"))


def own(found: Evidence) -> list[Blob]:
    """The objects that are kept for it alone; any other an earlier revision has."""
    blobs = dict.fromkeys(blob for each in found.payloads for blob in each.blobs)
    return [blob for blob in blobs if blob.key.startswith(f"{_PAYLOADS}/")]


def misplaced(key: str, found: Evidence) -> str | None:
    """Why a record does not belong under its key, in words; None where it does."""
    folder, _, name = key.removeprefix(f"{_RECORDS}/").rpartition("/")
    if name != f"{found.token}.json":
        return f"belongs under {found.token}.json"
    place = f"{_PAYLOADS}/{folder}/{found.token}/"
    if any(not blob.key.startswith(place) for blob in own(found)):
        return "belongs to the slot whose payloads it names"
    return None


def listed(
    store: Store, templates: Sequence[Template], entity: Entity | None = None
) -> Iterator[Evidence]:
    """What is kept, of one entity or of all, by slot."""
    folders = [""] if entity is None else [f"/{each.folder_of(entity)}" for each in templates]
    for folder in dict.fromkeys(folders):
        for entry in store.entries(f"{_RECORDS}{folder}"):
            found = Evidence.from_json(store.read(entry.key), locate(store, entry.key))
            if entity in (None, found.slot.entity):
                yield found


def expire(store: Store, prefix: str, days: int, *, delete: bool) -> Iterator[Removal | LeftAlone]:
    """Find, and on request remove, what is older; a legal hold keeps it.

    What a damaged record is of nobody knows: it is left alone, and named.

    :param prefix: Such as ``v1/weather``; all of it where empty.
    """
    if prefix == BESIDE:
        return
    before = (now(store) if delete else datetime.now(UTC)) - timedelta(days=days)
    reason = f"evidence of a refused delivery, evidence_days = {days}"
    holds: Holds | None = None
    for entry in store.entries(f"{_RECORDS}/{prefix}".rstrip("/")):
        if entry.modified_utc is None or entry.modified_utc >= before:
            continue
        holds = holding.in_force(store, holds)
        try:
            yield _removed(store, entry, holds, "expired", reason, delete=delete)
        except ArchiveCorrupt as err:
            yield LeftAlone(locate(store, entry.key), str(err))


def of_slot(store: Store, folder: str, *, reason: str, delete: bool) -> Iterator[Removal]:
    """Erase what is kept of one slot."""
    holds: Holds | None = None
    for entry in store.level(f"{_RECORDS}/{folder}").entries:
        holds = holding.in_force(store, holds)
        yield _removed(store, entry, holds, "erased", reason, delete=delete)


def _removed(
    store: Store, record: Entry, holds: Holds, cause: Cause, reason: str, *, delete: bool
) -> Removal:
    url = locate(store, record.key)
    found = Evidence.from_json(store.read(record.key), url)
    folder, _, name = record.key.removeprefix(f"{_RECORDS}/").rpartition("/")
    bodies = [*store.entries(f"{_PAYLOADS}/{folder}/{name.removesuffix('.json')}")]
    hold = holds.over(folder)
    # The record last: what it names is never left without a word.
    for each in [*bodies, record] if delete and hold is None else ():
        store.delete(each.key)
    return Removal(
        step="remove",
        cause=cause,
        slot=found.slot,
        revision=0,
        url=url,
        reason=reason,
        size_bytes=sum(each.size_bytes for each in bodies),
        held_by=hold.id if hold else None,
        done=delete and hold is None,
    )
