"""Legal holds: what must not be removed, whatever its age, until the hold is released (ADR 0009).

A hold is a sealed record of its own, and so is its release; neither is ever changed::

    {root}/holds/{id}.json
    {root}/holds/{id}.released.json
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import ClassVar, Final

from platform_ops.archive.records.read import template_at
from platform_ops.archive.stores.store import Store, locate, put_once
from platform_ops.entity import Entity, Slot
from platform_ops.errors import ArchiveCorrupt, ArchiveHeld, ConfigError, NotArchived
from platform_ops.sealed import Record
from platform_ops.url_scheme import Template, encode

__all__ = [
    "TREE",
    "Hold",
    "Holds",
    "Release",
    "check",
    "holds",
    "in_force",
    "place",
    "release",
    "require_free",
    "require_words",
]

TREE: Final = "holds"
_RELEASED: Final = ".released.json"


@dataclass(frozen=True, slots=True)
class Hold(Record):
    """What must stay: everything of a source, of one entity in it, or one slot.

    :param id: Under which it is released.
    :param entity: All of its slots; every entity of the source where it and ``slot`` are None.
    :param by: Who placed it.
    """

    id: str
    source: str
    reason: str
    by: str
    at_utc: datetime
    entity: Entity | None = None
    slot: Slot | None = None
    version: int = 1
    kind: ClassVar[str] = "hold"

    @property
    def scope(self) -> str:
        """What it covers, for people."""
        return str(self.slot or self.entity or self.source)

    def __str__(self) -> str:
        return f"hold {self.id} on {self.scope}: {self.reason}"

    def covers(self, folder: str, template: Template) -> bool:
        """Whether a slot's folder, of this template, falls under it."""
        levels = template.split(folder)
        return (
            levels is not None
            and levels["source"] == encode(self.source)
            and (self.entity is None or levels["entity"] == encode(self.entity.name))
            and (self.slot is None or template.render(self.slot) == folder)
        )


@dataclass(frozen=True, slots=True)
class Release(Record):
    """The end of a hold.

    :param hold_sha256: Digest of the hold's stored bytes.
    """

    id: str
    reason: str
    by: str
    at_utc: datetime
    hold_sha256: str
    version: int = 1
    kind: ClassVar[str] = "release"


@dataclass(frozen=True, slots=True)
class Holds:
    """The holds in force, and the templates by which a folder tells what it is of.

    :param keys: Keys of every record of a hold or release, as they were when these were read.
    """

    holds: tuple[Hold, ...]
    templates: tuple[Template, ...]
    keys: tuple[str, ...]

    def over(self, folder: str) -> Hold | None:
        """A hold that covers a slot's folder.

        A folder of no template could be anybody's: any hold covers it.
        """
        fitting = [each for each in self.templates if each.split(folder) is not None]
        for hold in self.holds:
            if not fitting or any(hold.covers(folder, template) for template in fitting):
                return hold
        return None


def place(store: Store, scope: str | Entity | Slot, *, reason: str, by: str) -> Hold:
    """Forbid to remove anything of a source, an entity or a slot.

    :param scope: A source's name, an entity, or a slot.
    :raises ConfigError: The reason or the name of who asks is empty.
    """
    require_words(reason, by)
    now = datetime.now(UTC)
    slot = scope if isinstance(scope, Slot) else None
    entity = scope if isinstance(scope, Entity) else slot.entity if slot else None
    hold = Hold(
        id=f"{now:%Y%m%dT%H%M%SZ}-{token_hex(4)}",
        source=entity.source if entity else str(scope),
        reason=reason,
        by=by,
        at_utc=now,
        entity=entity,
        slot=slot,
    )
    put_once(store, _key(hold.id), hold.to_json())
    return hold


def release(store: Store, hold_id: str, *, reason: str, by: str) -> Release:
    """End a hold; its record and that of its end stay.

    :raises NotArchived: There is no such hold; the message lists those in force.
    """
    require_words(reason, by)
    known = {hold.id: ended for hold, ended in holds(store)}
    if hold_id not in known:
        alive = ", ".join(each for each, ended in known.items() if ended is None) or "none"
        raise NotArchived(f"{hold_id!r}: no such hold in {store.url}; in force are: {alive}")
    before = known[hold_id]
    if before is not None:
        return before
    digest = hashlib.sha256(store.read(_key(hold_id))).hexdigest()
    ended = Release(hold_id, reason, by, datetime.now(UTC), digest)
    put_once(store, f"{TREE}/{hold_id}{_RELEASED}", ended.to_json())
    return ended


def holds(store: Store) -> Iterator[tuple[Hold, Release | None]]:
    """Every hold that was ever placed, oldest first, and its end.

    :raises ArchiveCorrupt: A record is damaged, or of a hold that is not there: nobody knows what it
        covers, so nothing may be removed.
    """
    keys = [entry.key for entry in store.level(TREE).entries]
    ends = {key: _release_at(store, key) for key in keys if key.endswith(_RELEASED)}
    for key in (key for key in keys if key not in ends):
        yield _hold_at(store, key), ends.get(_end(key))


def check(store: Store, key: str) -> None:
    """Check one record.

    :raises ArchiveCorrupt: It is damaged, misplaced, or ends a hold that is not there.
    """
    if key.endswith(_RELEASED):
        _release_at(store, key)
    else:
        _hold_at(store, key)


def in_force(store: Store, known: Holds | None = None) -> Holds:
    """The holds that are placed and not released.

    :param known: What was read before, which is the answer where no record was added since.
    :raises ArchiveCorrupt: As in :func:`holds`.
    """
    keys = tuple(entry.key for entry in store.level(TREE).entries)
    if known is not None and known.keys == keys:
        return known
    alive = tuple(hold for hold, ended in holds(store) if ended is None) if keys else ()
    recorded = store.entries("templates") if alive else ()
    return Holds(alive, tuple(template_at(store, entry.key) for entry in recorded), keys)


def require_free(store: Store, folder: str) -> None:
    """Refuse to touch a slot that a hold covers.

    :raises ArchiveHeld: One does.
    """
    if (hold := in_force(store).over(folder)) is not None:
        raise ArchiveHeld(f"{locate(store, f'meta/{folder}')}: {hold}; release it first")


def _key(hold_id: str) -> str:
    return f"{TREE}/{hold_id}.json"


def _end(key: str) -> str:
    return key.removesuffix(".json") + _RELEASED


def _hold_at(store: Store, key: str) -> Hold:
    hold = Hold.from_json(store.read(key), locate(store, key))
    if _key(hold.id) != key:
        raise ArchiveCorrupt(f"{locate(store, key)}: belongs at {_key(hold.id)}")
    return hold


def _release_at(store: Store, key: str) -> Release:
    url = locate(store, key)
    ended = Release.from_json(store.read(key), url)
    if _end(_key(ended.id)) != key:
        raise ArchiveCorrupt(f"{url}: belongs at {_end(_key(ended.id))}")
    try:
        start = store.read(_key(ended.id))
    except NotArchived as err:
        raise ArchiveCorrupt(f"{url}: the hold that it ends is missing") from err
    _hold_at(store, _key(ended.id))
    if hashlib.sha256(start).hexdigest() != ended.hold_sha256:
        raise ArchiveCorrupt(f"{url}: ends another hold than the one that is there")
    return ended


def require_words(reason: str, by: str) -> None:
    """Refuse a record that does not say who asked, or why.

    :raises ConfigError: One of them is empty.
    """
    for name, words in (("reason", reason), ("by", by)):
        if not words.strip():
            raise ConfigError(f"{name} is empty; a record of this kind says who asked, and why")
