"""One slot's revisions as a whole: every manifest in its chain, and what was removed of them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from platform_ops.archive.read import manifest_at, manifest_digest
from platform_ops.archive.store import Entry, Store, locate
from platform_ops.archive.tombstones import PAYLOAD, TREE, Tombstone, tombstone_at, tombstone_key
from platform_ops.entity import Blob, Manifest
from platform_ops.errors import ArchiveCorrupt
from platform_ops.url_scheme import manifest_key

__all__ = ["BESIDE", "History", "Listed", "blobs", "continues", "history", "listed"]

BESIDE: Final = "."
"""The prefix that stands for what lies beside all slots: templates, holds, temporary files."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What three listings show of one slot, at about the same time.

    :param manifests: Keys, oldest first.
    :param tombstones: By key.
    :param objects: Every object in its folder of ``data/``, by key.
    """

    folder: str
    manifests: tuple[str, ...]
    tombstones: Mapping[str, Entry]
    objects: Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class History:
    """A slot whose manifests are all there, and continue each other.

    :param folder: The slot's, below ``data/`` and ``meta/``.
    :param manifests: Oldest first.
    :param tombstones: Of the revisions whose payloads were removed, or are about to be.
    """

    folder: str
    manifests: tuple[Manifest, ...]
    tombstones: Mapping[int, Tombstone]

    @property
    def live(self) -> list[Manifest]:
        """Those without a tombstone."""
        return [each for each in self.manifests if each.revision not in self.tombstones]

    @property
    def named(self) -> set[str]:
        """Keys of every object that a revision names, whether it lives or not."""
        return {blob.key for blob in blobs(self.manifests)}

    @property
    def needed(self) -> set[str]:
        """Keys of every object that a living revision names."""
        return {blob.key for blob in blobs(self.live)}

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
        yield Listed(folder, tuple(found["meta"]), found[TREE], found["data"])


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
    buried = {entry.key for entry in store.level(f"{TREE}/{folder}").entries}
    for entry in store.level(f"meta/{folder}").entries:
        manifest, url = manifest_at(store, entry.key), locate(store, entry.key)
        if not continues(manifest, *_last(manifests, tombstones)):
            raise ArchiveCorrupt(
                f"{url}: does not continue the revision before it, which is missing or damaged"
            )
        tombstone = tombstone_at(store, entry.key) if tombstone_key(entry.key) in buried else None
        if tombstone is not None:
            if not tombstone.is_of(manifest_digest(manifest)):
                raise ArchiveCorrupt(f"{url}: not the manifest that its tombstone is of")
            tombstones[manifest.revision] = tombstone
        manifests.append(manifest)
    return History(folder, tuple(manifests), tombstones)


def continues(
    manifest: Manifest, before_sha256: str | None, tombstone: Tombstone | None = None
) -> bool:
    """Whether a manifest is the next in the chain.

    :param before_sha256: Digest of the one before it, as it is now; None where there is none.
    :param tombstone: Of the one before: the chain goes on from the manifest that was committed.
    """
    if tombstone is not None and before_sha256 == tombstone.redacted_sha256:
        return manifest.previous_sha256 in (before_sha256, tombstone.manifest_sha256)
    return manifest.previous_sha256 == before_sha256


def _last(
    manifests: list[Manifest], tombstones: Mapping[int, Tombstone]
) -> tuple[str | None, Tombstone | None]:
    if not manifests:
        return None, None
    return manifest_digest(manifests[-1]), tombstones.get(manifests[-1].revision)


def blobs(manifests: Iterable[Manifest]) -> Iterable[Blob]:
    """Every object that manifests name."""
    return (blob for each in manifests for payload in each.payloads for blob in payload.blobs)
