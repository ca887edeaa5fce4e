"""Reading what is committed: manifests by slot, by entity and time; payloads as checked streams."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from datetime import datetime

from platform_ops.archive.store import Store, at, locate
from platform_ops.entity import Entity, Manifest, Payload, Reference, Slot
from platform_ops.errors import ArchiveCorrupt
from platform_ops.url_scheme import Template, manifest_key

__all__ = [
    "PayloadStream",
    "find",
    "manifest_at",
    "manifest_digest",
    "reference",
    "resolve",
    "revisions",
    "templates",
]


def manifest_digest(manifest: Manifest) -> str:
    """SHA-256 in hex of the manifest's stored bytes."""
    return hashlib.sha256(manifest.to_json()).hexdigest()


def manifest_at(store: Store, key: str, slot: Slot | None = None) -> Manifest:
    """Read one manifest, strictly.

    :param slot: What it must be of: on a file system that folds case, two slots can meet.
    :raises NotArchived: There is none under the key.
    :raises ArchiveCorrupt: It is damaged, of a newer version, or another slot's.
    """
    url = locate(store, key)
    manifest = Manifest.from_json(store.read(key), url)
    if slot is not None and manifest.slot != slot:
        raise ArchiveCorrupt(f"{url}: holds {manifest.slot}, where {slot} belongs")
    return manifest


def revisions(store: Store, folder: str, slot: Slot | None = None) -> Iterator[Manifest]:
    """The slot's revisions, newest first, read one by one."""
    for entry in reversed(store.level(f"meta/{folder}").entries):
        yield manifest_at(store, entry.key, slot)


def find(
    store: Store,
    templates: Iterable[Template],
    entity: Entity,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[Manifest]:
    """All revisions of an entity whose slot's time is in ``[since, until)``, oldest slot first.

    :raises ArchiveCorrupt: A manifest on the way is damaged; it is named, never left out.
    """
    found = [
        (
            manifest.slot.time_utc,
            manifest.slot.partition_key or "",
            manifest.slot.map_key or "",
            manifest,
        )
        for template in templates
        for key in _keys_of(store, template, entity)
        for manifest in [manifest_at(store, key)]
        if manifest.slot.entity == entity
        and (since is None or manifest.slot.time_utc >= since)
        and (until is None or manifest.slot.time_utc < until)
    ]
    found.sort(key=lambda row: (*row[:3], row[3].revision))
    return (manifest for *_, manifest in found)


def templates(store: Store, current: Template) -> list[Template]:
    """The template in force, and every other one that this root was written with."""
    texts = [store.read(entry.key).decode() for entry in store.entries("templates")]
    others = [Template.compile(text) for text in texts if text != current.text]
    return [current, *others]


def reference(store: Store, manifest: Manifest) -> Reference:
    """What travels by XCom for this revision."""
    folder = Template.compile(manifest.template).render(manifest.slot)
    return Reference(
        entity=str(manifest.slot.entity),
        revision=manifest.revision,
        manifest_url=locate(store, manifest_key(folder, manifest.revision)),
        manifest_sha256=manifest_digest(manifest),
        sha256=manifest.sha256,
        size_bytes=manifest.size_bytes,
        rows=manifest.rows,
        payload_urls=tuple(locate(store, payload.key) for payload in manifest.payloads),
    )


def resolve(reference: Reference, connection: str | None) -> tuple[Store, Manifest]:
    """The store and manifest that a reference names, below whichever root it was written.

    :raises ArchiveCorrupt: The manifest is not the one that the reference was made of.
    """
    url = reference.manifest_url
    scheme, _, rest = url.partition("://")
    netloc, _, key = rest.partition("/")
    # The root is known only once the manifest is: read it below the whole bucket or disk.
    manifest = Manifest.from_json(at(f"{scheme}://{netloc}", connection).read(key), url)
    if manifest_digest(manifest) != reference.manifest_sha256:
        raise ArchiveCorrupt(f"{url}: not the manifest that the reference was made of")
    folder = Template.compile(manifest.template).render(manifest.slot)
    return at(url.removesuffix("/" + manifest_key(folder, manifest.revision)), connection), manifest


class PayloadStream(io.RawIOBase):
    """The bytes of payloads in order, each checked against its digest as it ends.

    :param verify: Compare length and SHA-256; a mismatch raises at the payload's end, before a
        reader is told that the stream is over.
    """

    def __init__(self, store: Store, payloads: Iterable[Payload], *, verify: bool = True) -> None:
        self._chunks = _checked(store, payloads) if verify else _plain(store, payloads)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's WriteableBuffer is private
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _plain(store: Store, payloads: Iterable[Payload]) -> Iterator[bytes]:
    for payload in payloads:
        yield from store.chunks(payload.key)


def _checked(store: Store, payloads: Iterable[Payload]) -> Iterator[bytes]:
    for payload in payloads:
        digest, size_bytes = hashlib.sha256(), 0
        for chunk in store.chunks(payload.key):
            digest.update(chunk)
            size_bytes += len(chunk)
            yield chunk
        if (digest.hexdigest(), size_bytes) != (payload.sha256, payload.size_bytes):
            raise ArchiveCorrupt(
                f"{locate(store, payload.key)}: {size_bytes} bytes with SHA-256 {digest.hexdigest()}, "
                f"where the manifest says {payload.size_bytes} with {payload.sha256}"
            )


def _keys_of(store: Store, template: Template, entity: Entity) -> Iterator[str]:
    for entry in store.entries(f"meta/{template.folder_of(entity)}"):
        folder, _, name = entry.key.removeprefix("meta/").rpartition("/")
        if name.endswith(".json") and template.split(folder) is not None:
            yield entry.key
