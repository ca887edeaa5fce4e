"""Bringing a manifest to what the records of its erased bodies ask for (ADR 0020)."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Final

from platform_ops.archive.records.excisions import amended, excisions
from platform_ops.archive.records.history import history
from platform_ops.archive.records.read import manifest_at, manifest_digest
from platform_ops.archive.records.tombstones import tombstone_at
from platform_ops.archive.stores.store import Store, locate
from platform_ops.archive.upkeep.removal import Removal, is_in
from platform_ops.entity import Manifest
from platform_ops.errors import ArchiveCorrupt, ArchiveUnavailable

__all__ = ["ATTEMPTS", "clear", "settle"]

ATTEMPTS: Final = 100
"""Rivals that erase bodies of the same revision come first at most so often."""


def settle(store: Store, key: str) -> Manifest:
    """Bring a manifest to what the records of its revision ask for, and give it as it then is.

    Looks again after each change: a rival that was slow may have put an older one in its place.

    :param key: Of the manifest.
    :raises ArchiveCorrupt: A record does not fit the manifest.
    """
    for _ in range(ATTEMPTS):
        manifest = wanted = manifest_at(store, key)
        for record in excisions(store, key):
            if record.before_sha256 == manifest_digest(wanted):
                wanted = amended(wanted, record)
                if manifest_digest(wanted) != record.after_sha256:
                    raise ArchiveCorrupt(
                        f"{locate(store, key)}: another release began to erase a body of it; let "
                        "that one finish"
                    )
        # One that was buried as a whole since says nothing of its bodies any more.
        if wanted is manifest or tombstone_at(store, key) is not None:
            return manifest
        store.replace(key, wanted.to_json())
    raise ArchiveUnavailable(f"{locate(store, key)}: others erase bodies of it; retry")


def clear(store: Store, folder: str, chosen: Container[int]) -> Iterator[Removal]:
    """Delete what held the erased bodies of these revisions, once no manifest names it any more."""
    # After the manifests were amended: whoever has committed since is seen.
    past = history(store, folder)
    named = past.named
    for manifest in past.manifests:
        if manifest.revision not in chosen:
            continue
        for record in past.excisions.get(manifest.revision, ()):
            keys = [each for each in record.former if each not in named and is_in(folder, each)]
            found = [store.stat(each) for each in keys]
            entries = [each for each in found if each is not None]
            for entry in entries:
                store.delete(entry.key)
            if entries:
                yield Removal(
                    step="remove",
                    cause="erased",
                    slot=record.slot,
                    revision=manifest.revision,
                    url=locate(store, past.key(manifest.revision)),
                    reason=record.reason,
                    size_bytes=sum(each.size_bytes for each in entries),
                    done=True,
                )
