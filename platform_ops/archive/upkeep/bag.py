"""A part of the archive as a BagIt bag: what any archivist's tool can check, without this library.

Payloads lie as they are stored, below ``data/`` and under their keys; manifests, tombstones and URL
templates go along as tag files. ``~`` stands for ``%`` in the names: BagIt would have it escaped, which
neither ``sha256sum -c`` nor every validator undoes.

Source: RFC 8493, "The BagIt File Packaging Format (V1.0)".
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from platform_ops.archive.records.excisions import COUNTED, excision_key
from platform_ops.archive.records.history import blobs
from platform_ops.archive.records.read import key_of
from platform_ops.archive.records.tombstones import tombstone_key
from platform_ops.archive.stores.store import Store, locate
from platform_ops.entity import Blob, Manifest
from platform_ops.errors import ArchiveCorrupt, ConfigError, NotArchived

__all__ = ["Bag", "export"]

_MANIFEST: Final = "manifest-sha256.txt"
_DECLARATION: Final = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"


@dataclass(frozen=True, slots=True)
class Bag:
    """A bag that was written, whole.

    :param manifests: Revisions in it.
    :param payloads: Files below its ``data/``; revisions with equal bytes share one.
    :param size_bytes: Of those files.
    """

    path: Path
    manifests: int
    payloads: int
    size_bytes: int


def export(store: Store, manifests: Iterable[Manifest], target: Path, description: str) -> Bag:
    """Write revisions as a bag, in constant memory; it appears under its name once it is whole.

    :param manifests: Which; each payload is checked against its digest on the way.
    :param target: A folder that does not exist yet.
    :param description: What was selected, for ``bag-info.txt``.
    :raises ConfigError: The target is there already.
    :raises ArchiveCorrupt: A payload is not what was committed; nothing is left under the target.
    :raises NotArchived: The selection is empty.
    """
    if target.exists():
        raise ConfigError(f"{target}: is there already; name a folder that does not exist")
    each = iter(manifests)
    first = next(each, None)
    if first is None:
        raise NotArchived(f"{store.url}: nothing of that selection is archived")
    # Beside it, so that a rename brings it out; a name of its own, so that rivals do not meet.
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    unfinished.mkdir(parents=True)
    packing = _Packing(store, unfinished)
    try:
        packing.fill(chain([first], each))
        packing.close(description)
        unfinished.rename(target)
    except BaseException:
        shutil.rmtree(unfinished)
        raise
    return Bag(target, packing.manifests, len(packing.seen), packing.size_bytes)


@dataclass(slots=True)
class _Packing:
    """A bag on its way."""

    store: Store
    folder: Path
    manifests: int = 0
    size_bytes: int = 0
    seen: set[str] = field(default_factory=set)
    _tags: list[tuple[str, str]] = field(default_factory=list)

    def fill(self, manifests: Iterable[Manifest]) -> None:
        """Copy payloads and manifests."""
        with (self.folder / _MANIFEST).open("w", encoding="utf-8") as listing:
            for manifest in manifests:
                self._add(manifest, listing)
        (self.folder / "data").mkdir(exist_ok=True)
        for entry in self.store.entries("templates"):
            self._tag(entry.key, self.store.read(entry.key))

    def _add(self, manifest: Manifest, listing: TextIO) -> None:
        key = key_of(manifest)
        self._tag(key, manifest.to_json())
        self.manifests += 1
        grave = tombstone_key(key)
        if self.store.stat(grave) is not None:
            self._tag(grave, self.store.read(grave))
            return
        for number in range(1, manifest.redacted.get(COUNTED, 0) + 1):
            record = excision_key(key, number)
            self._tag(record, self.store.read(record))
        for blob in blobs([manifest]):
            if blob.key not in self.seen:
                self.seen.add(blob.key)
                self._copy(blob)
                listing.write(f"{blob.sha256}  {_name(blob.key)}\n")

    def _copy(self, blob: Blob) -> None:
        digest, size_bytes = hashlib.sha256(), 0
        with self._open(_name(blob.key)) as file:
            for chunk in self.store.chunks(blob.key):
                digest.update(chunk)
                size_bytes += file.write(chunk)
        if (digest.hexdigest(), size_bytes) != (blob.sha256, blob.size_bytes):
            raise ArchiveCorrupt(
                f"{locate(self.store, blob.key)}: {size_bytes} bytes with SHA-256 "
                f"{digest.hexdigest()}, where {blob.size_bytes} with {blob.sha256} were committed"
            )
        self.size_bytes += size_bytes

    def _tag(self, key: str, data: bytes) -> None:
        with self._open(_name(key)) as file:
            file.write(data)
        self._tags.append((hashlib.sha256(data).hexdigest(), _name(key)))

    def _open(self, name: str) -> BinaryIO:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")

    def close(self, description: str) -> None:
        """Write what declares and describes the bag, and the digests of all but that last list."""
        information = {
            "Bag-Software-Agent": f"platform-ops {version('platform-ops')}",
            "Bagging-Date": f"{datetime.now(UTC):%Y-%m-%d}",
            "External-Description": description,
            "External-Identifier": self.store.url,
            "Payload-Oxum": f"{self.size_bytes}.{len(self.seen)}",
        }
        lines = (f"{name}: {' '.join(text.split())}\n" for name, text in information.items())
        self._tag("bag-info.txt", "".join(lines).encode())
        self._tag("bagit.txt", _DECLARATION.encode())
        with (self.folder / _MANIFEST).open("rb") as payloads:
            self._tags.append((hashlib.file_digest(payloads, "sha256").hexdigest(), _MANIFEST))
        with (self.folder / "tagmanifest-sha256.txt").open("w", encoding="utf-8") as listing:
            listing.writelines(f"{sha256}  {name}\n" for sha256, name in self._tags)


def _name(key: str) -> str:
    return key.replace("%", "~")
