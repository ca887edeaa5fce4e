"""Checking what is committed: every manifest's seal and place, the chain, and every payload."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from platform_ops.archive import read
from platform_ops.archive.store import Store, locate
from platform_ops.entity import Blob, Manifest
from platform_ops.errors import ArchiveError

__all__ = ["Fault", "Verdict", "verify"]

FaultKind = Literal["manifest", "place", "chain", "missing", "size", "digest", "unreadable"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as its manifest says.

    :param kind: ``manifest`` damaged or unreadable, ``place`` not where its slot belongs, ``chain``
        broken, a payload ``missing``, of another ``size``, with another ``digest``, or one that the
        store does not give: ``unreadable``.
    :param url: What is wrong, exactly.
    """

    kind: FaultKind
    url: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What checking one manifest found.

    :param size_bytes: Payload bytes that were read and hashed for it.
    """

    manifest_url: str
    faults: tuple[Fault, ...]
    size_bytes: int


def verify(store: Store, prefix: str = "", *, full: bool = True) -> Iterator[Verdict]:
    """Check every manifest below a prefix of the slot folders, in the order of their keys.

    :param prefix: Such as ``v1/weather``; all of the archive where empty.
    :param full: Read and hash every payload; else compare sizes only.
    """
    chain: tuple[str, Manifest] | None = None
    for entry in store.entries(f"meta/{prefix}".rstrip("/")):
        folder = entry.key.rpartition("/")[0]
        url = locate(store, entry.key)
        try:
            manifest = Manifest.from_json(store.read(entry.key), url)
        except ArchiveError as err:
            chain = None
            yield Verdict(url, (Fault("manifest", url, str(err)),), 0)
            continue
        misplaced = read.misplaced(entry.key, manifest)
        faults = [Fault("place", url, f"{url}: {misplaced}")] if misplaced else []
        faults += _chain(url, manifest, chain[1] if chain and chain[0] == folder else None)
        chain = (folder, manifest)
        hashed = 0
        for blob in (blob for payload in manifest.payloads for blob in payload.blobs):
            fault, size_bytes = _blob(store, blob, full)
            hashed += size_bytes
            faults += [fault] if fault else []
        yield Verdict(url, tuple(faults), hashed)


def _chain(url: str, manifest: Manifest, before: Manifest | None) -> Iterator[Fault]:
    if before is None:
        if manifest.previous_sha256 is not None:
            message = f"{url}: the revision before {manifest.revision} is missing or damaged"
            yield Fault("chain", url, message)
    elif manifest.previous_sha256 != read.manifest_digest(before):
        yield Fault("chain", url, f"{url}: does not continue revision {before.revision}")


def _blob(store: Store, blob: Blob, full: bool) -> tuple[Fault | None, int]:
    url = locate(store, blob.key)
    try:
        found = store.stat(blob.key)
        if found is None:
            return Fault("missing", url, f"{url}: missing"), 0
        if found.size_bytes != blob.size_bytes:
            message = f"{url}: {found.size_bytes} bytes, where {blob.size_bytes} were committed"
            return Fault("size", url, message), 0
        return _digest(store, blob, url) if full else (None, 0)
    except ArchiveError as err:
        return Fault("unreadable", url, str(err)), 0


def _digest(store: Store, blob: Blob, url: str) -> tuple[Fault | None, int]:
    digest, size_bytes = hashlib.sha256(), 0
    for chunk in store.chunks(blob.key):
        digest.update(chunk)
        size_bytes += len(chunk)
    if digest.hexdigest() == blob.sha256:
        return None, size_bytes
    message = f"{url}: SHA-256 {digest.hexdigest()}, where {blob.sha256} was committed"
    return Fault("digest", url, message), size_bytes
