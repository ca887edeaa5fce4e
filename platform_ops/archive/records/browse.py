"""What is there: entities, slots and the manifest behind a URL, found by listing rather than reading."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from itertools import groupby
from typing import Final

from platform_ops.archive.records import read
from platform_ops.archive.records.history import BESIDE
from platform_ops.archive.stores.store import Store, locate
from platform_ops.entity import Entity, Slot
from platform_ops.errors import NotArchived, UrlError
from platform_ops.url_scheme import Template, manifest_key

__all__ = ["Held", "entities", "hint", "manifest_key_at", "newest", "shards", "slots"]

_REVISION: Final = re.compile(
    r"(?P<tree>data|meta)/(?P<folder>.+?)"
    r"(/(?P<revision>[0-9]{6,})(\.json|-(?P<token>[0-9a-f]{12})(/[^/]+)?))?/?"
)


@dataclass(frozen=True, slots=True)
class Held:
    """A slot that holds revisions.

    :param folder: The slot's folder, as its template renders it.
    :param manifest_keys: Keys of its manifests, oldest first; never empty.
    """

    slot: Slot
    folder: str
    manifest_keys: tuple[str, ...]


def slots(
    store: Store,
    templates: Sequence[Template],
    entity: Entity | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[Held]:
    """Every slot that holds a revision and whose time is in ``[since, until)``, by key.

    :param entity: Only its slots; everybody's where it is None.
    """
    for prefix in _outermost(_prefix(template, entity) for template in templates):
        for held in _below(store, templates, prefix):
            if (
                (entity is None or held.slot.entity == entity)
                and (since is None or held.slot.time_utc >= since)
                and (until is None or held.slot.time_utc < until)
            ):
                yield held


def newest(
    store: Store, templates: Sequence[Template], entity: Entity, like: Slot | None = None
) -> Held:
    """The entity's slot with the latest time; of several at that time, the last by key.

    Reads the newest day alone where the template has the day right below the entity.

    :param like: Only slots with its partition key and map key.
    :raises NotArchived: It has none.
    """
    found: list[Held] = []
    for template in templates:
        folder = template.folder_of(entity)
        for prefix in reversed(
            [f"{folder}/{day}" for day in _days(store, template, folder)] or [folder]
        ):
            held = [
                each
                for each in _below(store, templates, prefix)
                if each.slot.entity == entity and (like is None or _alike(each.slot, like))
            ]
            if held:
                found.append(max(held, key=lambda each: (each.slot.time_utc, each.folder)))
                break
    if not found:
        raise NotArchived(f"{entity}: nothing is archived{hint(store, templates, entity)}")
    return max(found, key=lambda each: each.slot.time_utc)


def _alike(one: Slot, other: Slot) -> bool:
    return (one.partition_key, one.map_key) == (other.partition_key, other.map_key)


def _days(store: Store, template: Template, folder: str) -> list[str]:
    """Levels of the entity's days, in order; none where other levels come first."""
    depth = folder.count("/") + 1
    if template.levels[depth].field != "date":
        return []
    return sorted(store.level(f"meta/{folder}").folders)


def _below(store: Store, templates: Sequence[Template], prefix: str) -> Iterator[Held]:
    for folder, keys in _manifests_below(store, f"meta/{prefix}"):
        slot = _slot_of(store, templates, folder, keys)
        if slot is not None:
            yield Held(slot, folder, keys)


def hint(store: Store, templates: Sequence[Template], entity: Entity) -> str:
    """What else may have been meant by an entity of which nothing is archived; empty where nothing."""
    known = [str(each) for each in entities(store, templates)]
    if str(entity) in known:
        return ""
    near = get_close_matches(str(entity), known, n=3)
    return f"; did you mean {', '.join(near)}?" if near else ""


def entities(store: Store, templates: Sequence[Template]) -> list[Entity]:
    """Every entity that has a slot, by name; reads the levels down to it, and one slot of each."""
    found = set()
    for template in templates:
        fields = [level.field for level in template.levels]
        depth = 1 + max(fields.index("source"), fields.index("entity"))
        steps = template.prefix.count("/") + 1
        for path in _folders(store, f"meta/{template.prefix}", depth - steps):
            for folder, keys in _manifests_below(store, path):
                slot = _slot_of(store, templates, folder, keys)
                if slot is not None:
                    found.add(slot.entity)
                    break
    return sorted(found)


def shards(store: Store, templates: Sequence[Template], depth: int = 2) -> list[str]:
    """Prefixes that divide the archive: each folder so many levels below a template's literal ones.

    :param depth: 1 is a source, and 2 an entity, by the default template.
    """
    found = {
        path.removeprefix(f"{tree}/")
        for template in templates
        for tree in ("meta", "data", "evidence/records")
        for path in _folders(store, f"{tree}/{template.prefix}", depth)
        if store.level(path).folders
    }
    return [*_outermost(found), BESIDE]


def manifest_key_at(store: Store, url: str) -> str:
    """Key of the manifest that a URL leads to.

    :param url: Of a manifest, of a revision's folder or a payload in it, or of a slot's folder, which
        leads to the newest revision.
    :raises NotArchived: Nothing is committed there.
    :raises UrlError: The URL is not below the root, or of none of these kinds.
    """
    key = url.removeprefix(f"{store.url}/")
    hit = _REVISION.fullmatch(key)
    if key == url or hit is None:
        raise UrlError(
            f"{url}: give the URL of a manifest, a payload or a slot's folder below {store.url}; "
            "for another archive set PLATFORM_OPS__ARCHIVE__ROOT"
        )
    folder, revision, token = hit["folder"], hit["revision"], hit["token"]
    if revision is None:
        entries = store.level(f"meta/{folder}").entries
        if not entries:
            raise NotArchived(f"{url}: nothing is committed there")
        return entries[-1].key
    found = manifest_key(folder, int(revision))
    if token is not None and read.manifest_at(store, found).token != token:
        raise NotArchived(f"{url}: an orphan: {locate(store, found)} does not commit it")
    return found


def _prefix(template: Template, entity: Entity | None) -> str:
    return template.prefix if entity is None else template.folder_of(entity)


def _outermost(prefixes: Iterable[str]) -> list[str]:
    """Each prefix once, without those below another, so that nothing is listed twice."""
    kept: list[str] = []
    for prefix in sorted(set(prefixes)):
        if not any(prefix.startswith(f"{each}/") for each in kept):
            kept.append(prefix)
    return kept


def _manifests_below(store: Store, prefix: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Slot folders and the keys of their manifests, in the order of their keys."""
    keys = (entry.key for entry in store.entries(prefix) if entry.key.endswith(".json"))
    for folder, group in groupby(keys, key=lambda key: key.rpartition("/")[0]):
        yield folder.removeprefix("meta/"), tuple(group)


def _slot_of(
    store: Store, templates: Iterable[Template], folder: str, keys: tuple[str, ...]
) -> Slot | None:
    """The slot of a folder; None where the folder is of no template."""
    fitting = [template for template in templates if template.split(folder) is not None]
    candidates = set()
    for template in fitting:
        try:
            candidates.add(template.parse(folder))
        except UrlError:
            continue
    if len(candidates) == 1:
        return candidates.pop()
    # A hashed level cannot be decoded, and two templates may both fit: the manifest knows.
    return read.manifest_at(store, keys[-1]).slot if fitting else None


def _folders(store: Store, path: str, depth: int) -> Iterator[str]:
    """Folders this many levels below a path, or fewer where they hold manifests already."""
    below = store.level(path) if depth else None
    if below is None or below.entries:
        yield path
        return
    for name in below.folders:
        yield from _folders(store, f"{path}/{name}", depth - 1)
