"""One slot's revisions as a whole: every manifest in its chain, and what was removed of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from platform_ops.archive.read import manifest_at, manifest_digest
from platform_ops.archive.store import Store, locate
from platform_ops.archive.tombstones import TREE, Tombstone, tombstone_at, tombstone_key
from platform_ops.entity import Blob, Manifest
from platform_ops.errors import ArchiveCorrupt
from platform_ops.url_scheme import manifest_key

__all__ = ["History", "blobs", "continues", "history"]


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
        before = manifests[-1] if manifests else None
        if not continues(manifest, before, tombstones.get(before.revision) if before else None):
            raise ArchiveCorrupt(
                f"{url}: does not continue the revision before it, which is missing or damaged"
            )
        tombstone = tombstone_at(store, entry.key) if tombstone_key(entry.key) in buried else None
        if tombstone is not None:
            if not tombstone.covers(manifest_digest(manifest)):
                raise ArchiveCorrupt(f"{url}: not the manifest that its tombstone is of")
            tombstones[manifest.revision] = tombstone
        manifests.append(manifest)
    return History(folder, tuple(manifests), tombstones)


def continues(manifest: Manifest, before: Manifest | None, tombstone: Tombstone | None) -> bool:
    """Whether a manifest is the next in the chain.

    :param before: The one before it, as it is now; None where there is none.
    :param tombstone: Of the one before: the chain goes on from the manifest that was committed.
    """
    if before is None:
        return manifest.previous_sha256 is None
    digest = manifest_digest(before)
    if tombstone is not None and tombstone.covers(digest):
        return manifest.previous_sha256 in (digest, tombstone.manifest_sha256)
    return manifest.previous_sha256 == digest


def blobs(manifests: Iterable[Manifest]) -> Iterable[Blob]:
    """Every object that manifests name."""
    return (blob for each in manifests for payload in each.payloads for blob in payload.blobs)
