"""Reading what is committed: manifests by slot, by entity and time, and by reference."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain

from platform_ops.archive.records.excisions import COUNTED, ancestors, excisions
from platform_ops.archive.records.tombstones import tombstone_at
from platform_ops.archive.stores.store import Store, at, locate
from platform_ops.entity import Entity, Manifest, Reference, Slot
from platform_ops.errors import ArchiveCorrupt, ArchiveUnavailable, NotArchived, UrlError
from platform_ops.url_scheme import Template, encode, manifest_key, template_key

log = logging.getLogger(__name__)

__all__ = [
    "find",
    "former",
    "key_of",
    "keys_of",
    "manifest_at",
    "manifest_digest",
    "misplaced",
    "reference",
    "resolve",
    "revisions",
    "template_at",
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
    if (fault := misplaced(key, manifest)) is not None:
        raise ArchiveCorrupt(f"{url}: {fault}")
    return manifest


def _listed(store: Store, key: str, slot: Slot | None = None) -> Manifest:
    """A manifest that a listing has just shown; nothing ever takes one away."""
    try:
        return manifest_at(store, key, slot)
    except NotArchived as err:
        raise ArchiveUnavailable(f"{locate(store, key)}: listed, but not there; retry") from err


def misplaced(key: str, manifest: Manifest) -> str | None:
    """Why a manifest does not belong under a key: it was moved, copied or swapped; None if it does."""
    try:
        belongs = key_of(manifest)
    except UrlError as err:
        return f"written by another release, whose template this one cannot read: {err}"
    return None if key == belongs else f"its slot and revision belong at {belongs}"


def key_of(manifest: Manifest) -> str:
    """Where a manifest belongs."""
    folder = Template.compile(manifest.template).render(manifest.slot)
    return manifest_key(folder, manifest.revision)


def revisions(store: Store, folder: str, slot: Slot | None = None) -> Iterator[Manifest]:
    """The slot's revisions, newest first, read one by one."""
    for entry in reversed(store.level(f"meta/{folder}").entries):
        yield _listed(store, entry.key, slot)


def former(store: Store, current: Template, slot: Slot) -> Iterator[Manifest]:
    """The slot's revisions below every other template that this root was written with.

    Those of the template that was used last come first, and of each the newest first.
    """
    folders = {_rendered(template, slot) for template in templates(store, current)[1:]}
    others = [each for each in folders - {_rendered(current, slot)} if each is not None]
    found = [history for each in others if (history := [*revisions(store, each, slot)])]
    found.sort(key=lambda history: history[0].committed_at_utc, reverse=True)
    return chain.from_iterable(found)


def find(
    store: Store,
    current: Template,
    entity: Entity,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[Manifest]:
    """All revisions of an entity whose slot's time is in ``[since, until)``, oldest slot first.

    Where a slot lives below several templates, the revisions of the one in force come last.

    :raises ArchiveCorrupt: A manifest on the way is damaged; it is named, never left out.
    """
    histories: dict[str, list[Manifest]] = {}
    for key in keys_of(store, templates(store, current), entity, since, until):
        manifest = _listed(store, key)
        time = manifest.slot.time_utc
        if (since is None or time >= since) and (until is None or time < until):
            histories.setdefault(key.rpartition("/")[0], []).append(manifest)

    def age(item: tuple[str, list[Manifest]]) -> tuple[datetime, str, str, bool, datetime]:
        folder, history = item
        slot, in_force = history[-1].slot, folder == f"meta/{_rendered(current, history[-1].slot)}"
        keys = (slot.partition_key or "", slot.map_key or "")
        return (slot.time_utc, *keys, in_force, history[-1].committed_at_utc)

    return (each for _, history in sorted(histories.items(), key=age) for each in history)


def recent(
    store: Store,
    current: Template,
    entity: Entity,
    until: datetime | None = None,
    map_key: str | None = None,
) -> Iterator[Manifest]:
    """The same as :func:`find`, latest slot and newest revision first, and a day at a time.

    All keys are listed, and manifests are read for no longer than someone asks for the next one.

    :param map_key: Of this one alone; of all where None.
    :raises ArchiveCorrupt: A manifest that was read is damaged.
    """
    known = templates(store, current)
    wanted = None if map_key is None else encode(map_key)
    days: dict[str, list[str]] = {}
    for key in keys_of(store, known, entity, None, until):
        levels = _levels(known, key)
        if wanted in (None, levels.get("map_key")):
            days.setdefault(levels["date"], []).append(key)
    for date in sorted(days, reverse=True):
        day = [_listed(store, key) for key in days[date]]
        day.sort(key=lambda each: (each.slot.time_utc, each.committed_at_utc), reverse=True)
        for each in day:
            if until is None or each.slot.time_utc < until:
                yield each


def templates(store: Store, current: Template) -> list[Template]:
    """The template in force, and every other one that this root was written with.

    :raises ArchiveCorrupt: A record of one is damaged: what it led to would be overlooked.
    """
    found = [template_at(store, entry.key) for entry in store.entries("templates")]
    return [current, *(each for each in found if each.text != current.text)]


def reference(store: Store, manifest: Manifest) -> Reference:
    """What travels by XCom for this revision."""
    return Reference(
        entity=str(manifest.slot.entity),
        revision=manifest.revision,
        manifest_url=locate(store, key_of(manifest)),
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
    root, _, tail = url.rpartition("/meta/")
    if (digest := manifest_digest(manifest)) != reference.manifest_sha256:
        store, own = at(root, connection), f"meta/{tail}"
        tombstone = tombstone_at(store, own)
        records = excisions(store, own) if COUNTED in manifest.redacted else ()
        if reference.manifest_sha256 not in ancestors(digest, tombstone, records):
            raise ArchiveCorrupt(f"{url}: not the manifest that the reference was made of")
        if tombstone is not None:
            raise tombstone.error()
        log.warning("%s: %d of its bodies were erased since the reference", url, len(records))
    if (fault := misplaced(f"meta/{tail}", manifest)) is not None:
        raise ArchiveCorrupt(f"{url}: {fault}")
    return at(root, connection), manifest


def keys_of(
    store: Store,
    known: Sequence[Template],
    entity: Entity,
    since: datetime | None,
    until: datetime | None,
) -> list[str]:
    """Keys of the manifests that may be asked for, each once, by what their folders say."""
    first = f"{since.astimezone(UTC):%Y-%m-%d}" if since else ""
    last = f"{until.astimezone(UTC):%Y-%m-%d}" if until else "~"
    names = (encode(entity.source), encode(entity.name))
    keys: dict[str, None] = {}
    for template in known:
        for entry in store.entries(f"meta/{template.folder_of(entity)}"):
            levels = _levels([template], entry.key)
            if (levels.get("source"), levels.get("entity")) == names and (
                first <= levels["date"] <= last
            ):
                keys[entry.key] = None
    return list(keys)


def _levels(known: Iterable[Template], key: str) -> dict[str, str]:
    """What a manifest's folder says, encoded and by field; nothing where it is of no such template."""
    folder = key.removeprefix("meta/").rpartition("/")[0]
    return next((found for each in known if (found := each.split(folder)) is not None), {})


def _rendered(template: Template, slot: Slot) -> str | None:
    try:
        return template.render(slot)
    except UrlError:  # a slot that this template has no room for
        return None


def template_at(store: Store, key: str) -> Template:
    """A URL template that slots were written by.

    :raises ArchiveCorrupt: The record is damaged, or of another release.
    """
    url = locate(store, key)
    text = store.read(key).decode("utf-8", "replace")
    if template_key(text) != key:
        raise ArchiveCorrupt(f"{url}: not the URL template that it was named after; restore it")
    try:
        return Template.compile(text)
    except UrlError as err:
        raise ArchiveCorrupt(f"{url}: written by another release: {err}") from err
