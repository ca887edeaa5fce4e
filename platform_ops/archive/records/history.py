"""One slot's revisions as a whole: every manifest in its chain, and what was removed of them."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from platform_ops.archive.records.excisions import RECORD, Excision, ancestors, excision_at
from platform_ops.archive.records.read import manifest_at, manifest_digest
from platform_ops.archive.records.tombstones import (
    PAYLOAD,
    TREE,
    Tombstone,
    tombstone_at,
    tombstone_key,
)
from platform_ops.archive.stores.store import Entry, Store, locate
from platform_ops.entity import Blob, Manifest
from platform_ops.errors import ArchiveCorrupt
from platform_ops.url_scheme import manifest_key

__all__ = ["BESIDE", "History", "Listed", "blobs", "continues", "excisions_of", "history", "listed"]

BESIDE: Final = "."
"""The prefix that stands for what lies beside all slots: templates, holds, temporary files."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What three listings show of one slot, at about the same time.

    :param manifests: Keys, oldest first.
    :param tombstones: Of whole revisions, by key.
    :param excisions: Records of bodies that were erased alone, by key.
    :param objects: Every object in its folder of ``data/``, by key.
    """

    folder: str
    manifests: tuple[str, ...]
    tombstones: Mapping[str, Entry]
    objects: Mapping[str, Entry]
    excisions: Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class History:
    """A slot whose manifests are all there, and continue each other.

    :param folder: The slot's, below ``data/`` and ``meta/``.
    :param manifests: Oldest first.
    :param tombstones: Of the revisions whose payloads were removed, or are about to be.
    :param excisions: Of single bodies that were erased out of a revision, or are about to be.
    """

    folder: str
    manifests: tuple[Manifest, ...]
    tombstones: Mapping[int, Tombstone]
    excisions: Mapping[int, tuple[Excision, ...]]

    @property
    def live(self) -> list[Manifest]:
        """Those without a tombstone."""
        return [each for each in self.manifests if each.revision not in self.tombstones]

    @property
    def named(self) -> set[str]:
        """Keys of every object that a revision names, whether it lives or not."""
        return {blob.key for blob in blobs(self.manifests)} | self.needed

    @property
    def needed(self) -> set[str]:
        """Keys of every object that a living revision names."""
        return {key for each in self.live for key in self.keys_of(each)}

    def keys_of(self, manifest: Manifest) -> set[str]:
        """Keys of what a manifest names, and of what it will once a body is taken out of it."""
        keys = {blob.key for blob in blobs([manifest])}
        if manifest.revision in self.tombstones:
            return keys
        coming: set[str] = set()
        for record in self.excisions.get(manifest.revision, ()):
            coming -= set(record.former)
            coming |= {blob.key for blob in record.payload.blobs} if record.payload else set()
        return keys | coming

    def key(self, revision: int) -> str:
        """Key of a revision's manifest."""
        return manifest_key(self.folder, revision)


def listed(store: Store, prefix: str) -> Iterator[Listed]:
    """Every slot below a prefix, by key: one listing each of manifests, tombstones and payloads.

    Nothing is asked of the store for each slot, so that a million of them take a thousand requests.
    """
    if prefix == BESIDE:
        return
    trees = ("meta", TREE, "data")
    streams = (store.entries(f"{tree}/{prefix}".rstrip("/")) for tree in trees)
    # A folder sorts by its name with the slash, since that is how keys compare.
    together = heapq.merge(*streams, key=lambda entry: f"{_folder(entry.key)}/")
    for folder, group in groupby(together, key=lambda entry: _folder(entry.key)):
        found: dict[str, dict[str, Entry]] = {tree: {} for tree in trees}
        for entry in group:
            found[entry.key.partition("/")[0]][entry.key] = entry
        whole = {key: each for key, each in found[TREE].items() if not RECORD.fullmatch(key)}
        single = {key: each for key, each in found[TREE].items() if key not in whole}
        yield Listed(folder, tuple(found["meta"]), whole, found["data"], single)


def _folder(key: str) -> str:
    """The slot's folder that an object belongs to; of one with another name, the folder it is in."""
    hit = PAYLOAD.fullmatch(key)
    return hit["folder"] if hit else key.partition("/")[2].rpartition("/")[0]


def history(store: Store, folder: str) -> History:
    """Read a slot's revisions as they are now.

    :raises ArchiveCorrupt: A manifest or tombstone is damaged or missing, and nobody knows what it
        named.
    """
    manifests: list[Manifest] = []
    tombstones: dict[int, Tombstone] = {}
    buried = [entry.key for entry in store.level(f"{TREE}/{folder}").entries]
    records = excisions_of(store, buried)
    before: set[str] = set()
    for entry in store.level(f"meta/{folder}").entries:
        manifest, url = manifest_at(store, entry.key), locate(store, entry.key)
        if not continues(manifest, before):
            raise ArchiveCorrupt(
                f"{url}: does not continue the revision before it, which is missing or damaged"
            )
        digest, its = manifest_digest(manifest), records.get(manifest.revision, ())
        tombstone = tombstone_at(store, entry.key) if tombstone_key(entry.key) in buried else None
        before = ancestors(digest, tombstone, its)
        if tombstone is not None:
            if not tombstone.is_of(digest):
                raise ArchiveCorrupt(f"{url}: not the manifest that its tombstone is of")
            tombstones[manifest.revision] = tombstone
        manifests.append(manifest)
    return History(folder, tuple(manifests), tombstones, records)


def excisions_of(store: Store, keys: Iterable[str]) -> dict[int, tuple[Excision, ...]]:
    """The records among a slot's tombstones, by revision and oldest first.

    :raises ArchiveCorrupt: One is damaged.
    """
    found: dict[int, tuple[Excision, ...]] = {}
    for key in sorted(key for key in keys if RECORD.fullmatch(key)):
        record = excision_at(store, key)
        found[record.revision] = (*found.get(record.revision, ()), record)
    return found


def continues(manifest: Manifest, before: Collection[str]) -> bool:
    """Whether a manifest is the next in the chain.

    :param before: Digests that the one before it has or had; empty where there is none.
    """
    if manifest.previous_sha256 is None:
        return not before
    return manifest.previous_sha256 in before


def blobs(manifests: Iterable[Manifest]) -> Iterable[Blob]:
    """Every object that manifests name."""
    return (blob for each in manifests for payload in each.payloads for blob in payload.blobs)
