"""Checking what is committed: every manifest's seal and place, the chain, and every payload.

Manifests are read, and payloads hashed, by threads: hashing a large piece holds no lock of Python's.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import chain, pairwise
from typing import Final, Literal, TypeVar

from platform_ops.archive.records import read
from platform_ops.archive.records.excisions import (
    COUNTED,
    RECORD,
    Excision,
    ancestors,
    excision_at,
    excision_key,
)
from platform_ops.archive.records.history import BESIDE, Listed, continues, listed
from platform_ops.archive.records.tombstones import Tombstone, tombstone_key
from platform_ops.archive.stores.store import Entry, Store, locate
from platform_ops.archive.upkeep import holding, refused
from platform_ops.archive.upkeep.refused import Evidence
from platform_ops.entity import Blob, Manifest
from platform_ops.errors import ArchiveError, ConfigError, NotArchived

__all__ = ["Fault", "FaultKind", "Verdict", "verify"]

FaultKind = Literal[
    "manifest",
    "place",
    "chain",
    "missing",
    "size",
    "digest",
    "unreadable",
    "tombstone",
    "hold",
    "template",
    "evidence",
    "gone",
    "rewritten",
]

_SLOTS_AHEAD: Final = 64
_BATCHES_AHEAD: Final = 64
_BATCH_BYTES: Final = 4 << 20
"""Small payloads are hashed in one go: handing each over to a thread would cost more than its hash."""
_BATCH_BLOBS: Final = 64

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as its manifest says.

    :param kind: ``manifest`` damaged or unreadable, ``place`` not where its slot belongs, ``chain``
        broken, a payload ``missing``, of another ``size``, with another ``digest``, or one that the
        store does not give: ``unreadable``; a ``tombstone``, ``hold`` or ``template`` that is damaged
        or of nothing that is there; a record of ``evidence`` that is damaged or misplaced; a manifest
        that an index or a witness has seen and that is ``gone``, or that is another one than a witness
        has seen: ``rewritten``.
    :param url: What is wrong, exactly; nothing is named twice for one cause.
    """

    kind: FaultKind
    url: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What checking one manifest found.

    :param manifest_url: Where it is; of another record where only that is at fault.
    :param size_bytes: Payload bytes that were read and hashed for it.
    :param evidence: It is of the record of a refused delivery, in place of a manifest.
    """

    manifest_url: str
    faults: tuple[Fault, ...]
    size_bytes: int
    evidence: bool = False


def verify(
    store: Store, prefix: str = "", *, share: float = 1.0, day: int | None = None
) -> Iterator[Verdict]:
    """Check every manifest below a prefix of the slot folders, in the order of their keys.

    A payload that several revisions share is checked once, with the oldest of them. What is kept of
    refused deliveries follows, record by record.

    :param prefix: Such as ``v1/weather``; all of the archive, its templates and its holds, where empty.
    :param share: How many of the payloads to read and hash: 1 is all of them, 0 compares sizes only.
        Between, a share of 1/n takes another nth on each day, and all of them in n days.
    :param day: Which of them; today's where unset.
    :raises ConfigError: The share is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"share={share}: give a number from 0 (sizes only) to 1 (every byte)")
    chosen = _sample(share, datetime.now(UTC).toordinal() if day is None else day)
    return _verify(store, prefix.strip("/"), chosen)


def _sample(share: float, day: int) -> Callable[[str], bool]:
    """Whether a payload's turn has come, by its key."""
    if share in (0, 1):
        return lambda _: bool(share)
    period = round(1 / share)
    return lambda key: (
        int(hashlib.sha256(key.encode()).hexdigest()[:12], 16) % period == (day % period)
    )


def _verify(store: Store, prefix: str, chosen: Callable[[str], bool]) -> Iterator[Verdict]:
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)), "archive-verify")
    try:
        slots = _ahead(
            pool, _SLOTS_AHEAD, partial(_check_slot, store, chosen), listed(store, prefix)
        )
        waiting: deque[tuple[_Draft, list[Future[list[Fault]]]]] = deque()
        kept = _ahead(
            pool, _SLOTS_AHEAD, partial(_check_refused, store, chosen), refused.keys(store, prefix)
        )
        for draft in chain(chain.from_iterable(slots), kept):
            work = [pool.submit(_hash, store, batch) for batch in _batches(draft.blobs)]
            waiting.append((draft, work))
            while sum(len(each) for _, each in waiting) > _BATCHES_AHEAD or len(waiting) > 512:
                yield _settled(*waiting.popleft())
        for draft, work in waiting:
            yield _settled(draft, work)
    finally:
        pool.shutdown(cancel_futures=True)
    if prefix in ("", BESIDE):
        yield from _records(store)


def _ahead(
    pool: ThreadPoolExecutor, limit: int, call: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Like ``map``, in order, with so many results under way."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(call, item))
        if len(waiting) >= limit:
            yield waiting.popleft().result()
    for each in waiting:
        yield each.result()


@dataclass(slots=True)
class _Draft:
    """A verdict whose payloads are still to be hashed."""

    url: str
    faults: list[Fault] = field(default_factory=list)
    blobs: list[Blob] = field(default_factory=list)
    evidence: bool = False

    def fault(self, kind: FaultKind, message: str, url: str | None = None) -> None:
        self.faults.append(Fault(kind, url or self.url, f"{url or self.url}: {message}"))


def _settled(draft: _Draft, work: list[Future[list[Fault]]]) -> Verdict:
    faults = [fault for each in work for fault in each.result()]
    size_bytes = sum(blob.size_bytes for blob in draft.blobs)
    return Verdict(draft.url, (*draft.faults, *faults), size_bytes, draft.evidence)


def _check_slot(store: Store, chosen: Callable[[str], bool], slot: Listed) -> list[_Draft]:
    """Check all of a slot but the content of its payloads; say which of them to hash."""
    before = _Before()
    seen: set[Blob] = set()
    drafts = []
    for key in slot.manifests:
        draft = _Draft(locate(store, key))
        drafts.append(draft)
        try:
            data = store.read(key)
            manifest = Manifest.from_json(data, draft.url)
        except ArchiveError as err:
            draft.faults.append(Fault("manifest", draft.url, str(err)))
            before = _Before(readable=False)
            continue
        if (misplaced := read.misplaced(key, manifest)) is not None:
            draft.fault("place", misplaced)
        before.check(draft, manifest)
        sha256 = hashlib.sha256(data).hexdigest()
        buried = tombstone_key(key) in slot.tombstones
        stone = _tombstone(store, key, draft) if buried else None
        records = _excisions(store, slot, key, manifest, draft)
        before = _Before(manifest.revision, sha256, stone, records)
        before.check_tombstone(draft, store, key)
        before.check_excisions(draft, store, key)
        named = [] if buried else [blob for each in manifest.payloads for blob in each.blobs]
        whole = [
            blob for blob in named if blob not in seen and _sized(store, slot.objects, blob, draft)
        ]
        draft.blobs = [blob for blob in whole if chosen(blob.key)]
        seen.update(named)
    return [*drafts, *_widowed(store, slot)]


@dataclass(slots=True)
class _Before:
    """What is known of the revision before.

    :param readable: False where it is there and damaged: that is named already, and what continues it
        cannot be told.
    """

    revision: int = 0
    sha256: str | None = None
    tombstone: Tombstone | None = None
    excisions: tuple[Excision, ...] = ()
    readable: bool = True

    def check(self, draft: _Draft, manifest: Manifest) -> None:
        """Check that a manifest continues this one."""
        if not self.readable or continues(manifest, self._digests):
            return
        if self.sha256 is None:
            draft.fault("chain", f"the revision before {manifest.revision} is missing")
        else:
            draft.fault("chain", f"does not continue revision {self.revision}")

    @property
    def _digests(self) -> set[str]:
        """All that its manifest has or had."""
        if self.sha256 is None:
            return set()
        return ancestors(self.sha256, self.tombstone, self.excisions)

    def check_excisions(self, draft: _Draft, store: Store, key: str) -> None:
        """Check that what was erased alone is taken out of the manifest, step by step."""
        whole = self.tombstone is not None
        for one, other in pairwise(self.excisions):
            if one.after_sha256 != other.before_sha256:
                url = locate(store, excision_key(key, other.number))
                draft.fault("tombstone", f"does not continue number {one.number}", url)
        if self.excisions and not whole and self.excisions[-1].after_sha256 not in self._digests:
            last = self.excisions[-1]
            url = locate(store, excision_key(key, last.number))
            begun = last.before_sha256 in self._digests
            fault = "not taken out yet; erase it again" if begun else "of another manifest"
            draft.fault("tombstone", f"{draft.url}: {fault}", url)

    def check_tombstone(self, draft: _Draft, store: Store, key: str) -> None:
        """Check that this one's tombstone is its own, and what it asked for done."""
        if self.tombstone is None or self.sha256 is None:
            return
        url = locate(store, tombstone_key(key))
        if not self.tombstone.is_of(self.sha256):
            draft.fault("tombstone", f"of another manifest than {draft.url}", url)
        elif self.tombstone.redacted_sha256 not in (None, self.sha256):
            draft.fault("tombstone", f"{draft.url} is not redacted yet; erase it again", url)


def _tombstone(store: Store, key: str, draft: _Draft) -> Tombstone | None:
    url = locate(store, tombstone_key(key))
    try:
        return Tombstone.from_json(store.read(tombstone_key(key)), url)
    except ArchiveError as err:
        draft.faults.append(Fault("tombstone", url, str(err)))
        return None


def _excisions(
    store: Store, slot: Listed, key: str, manifest: Manifest, draft: _Draft
) -> tuple[Excision, ...]:
    """The records of bodies that were erased out of a manifest."""
    found = []
    number = 1
    while (own := excision_key(key, number)) in slot.excisions or (
        number <= manifest.redacted.get(COUNTED, 0)
    ):
        try:
            found.append(excision_at(store, own))
        except ArchiveError as err:
            draft.faults.append(Fault("tombstone", locate(store, own), str(err)))
        number += 1
    return tuple(found)


def _widowed(store: Store, slot: Listed) -> Iterator[_Draft]:
    """Tombstones without a manifest."""
    graves = {tombstone_key(key).removesuffix(".json") for key in slot.manifests}
    records = [*slot.tombstones, *slot.excisions]
    for key in sorted(each for each in records if _grave(each) not in graves):
        draft = _Draft(locate(store, key))
        draft.fault("tombstone", "the manifest that it is of is missing")
        yield draft


def _grave(key: str) -> str:
    """Which revision a tombstone is of, or the record of one of its bodies."""
    hit = RECORD.fullmatch(key)
    return hit["revision"] if hit else key.removesuffix(".json")


def _check_refused(store: Store, chosen: Callable[[str], bool], key: str) -> _Draft:
    """Check the record of a refused delivery; say which of its own payloads to hash.

    What an earlier revision lent is checked with that one.
    """
    draft = _Draft(locate(store, key), evidence=True)
    try:
        found = Evidence.from_json(store.read(key), draft.url)
    except NotArchived:
        return draft  # it has expired since it was listed
    except ArchiveError as err:
        draft.faults.append(Fault("evidence", draft.url, str(err)))
        return draft
    if (misplaced := refused.misplaced(key, found)) is not None:
        draft.fault("evidence", misplaced)
        return draft
    own = refused.own(found)
    draft.blobs = [blob for blob in own if _sized(store, {}, blob, draft) and chosen(blob.key)]
    if draft.faults and store.stat(key) is None:  # it expires meanwhile, its payloads first
        return _Draft(draft.url, evidence=True)
    return draft


def _sized(store: Store, listed: Mapping[str, Entry], blob: Blob, draft: _Draft) -> bool:
    """Whether an object is there, in its size."""
    url = locate(store, blob.key)
    try:
        # The listing may be older than the manifest: the store has the last word.
        found = listed.get(blob.key)
        if found is None or found.size_bytes != blob.size_bytes:
            found = store.stat(blob.key)
    except ArchiveError as err:
        draft.faults.append(Fault("unreadable", url, str(err)))
        return False
    if found is None:
        draft.fault("missing", "missing", url)
    elif found.size_bytes != blob.size_bytes:
        message = f"{found.size_bytes} bytes, where {blob.size_bytes} were committed"
        draft.fault("size", message, url)
    else:
        return True
    return False


def _batches(blobs: Iterable[Blob]) -> Iterator[list[Blob]]:
    batch: list[Blob] = []
    for blob in blobs:
        batch.append(blob)
        if len(batch) == _BATCH_BLOBS or sum(each.size_bytes for each in batch) >= _BATCH_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch


def _hash(store: Store, batch: Iterable[Blob]) -> list[Fault]:
    found = (_digest_fault(store, blob) for blob in batch)
    return [fault for fault in found if fault is not None]


def _digest_fault(store: Store, blob: Blob) -> Fault | None:
    url = locate(store, blob.key)
    try:
        sha256, size_bytes = store.digest(blob.key)
    except ArchiveError as err:
        return Fault("unreadable", url, str(err))
    if (sha256, size_bytes) == (blob.sha256, blob.size_bytes):
        return None
    return Fault("digest", url, f"{url}: SHA-256 {sha256}, where {blob.sha256} was committed")


def _records(store: Store) -> Iterator[Verdict]:
    """Faults of what stands beside the slots: the templates of their folders, and the holds."""
    checks: tuple[tuple[FaultKind, str, Callable[[Store, str], object]], ...] = (
        ("template", "templates", read.template_at),
        ("hold", holding.TREE, holding.check),
    )
    for kind, tree, check in checks:
        for entry in store.entries(tree):
            url = locate(store, entry.key)
            try:
                check(store, entry.key)
            except ArchiveError as err:
                # A release says nothing of its own where its hold is at fault, which is named.
                if str(err).startswith(f"{url}:"):
                    yield Verdict(url, (Fault(kind, url, str(err)),), 0)
