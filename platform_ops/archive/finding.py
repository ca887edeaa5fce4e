"""Finding what is archived: by time, run, digest or request; what was expected; what a replay would read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypedDict, Unpack

from platform_ops.archive import arrivals, rehearsal
from platform_ops.archive.arrivals import Status
from platform_ops.archive.indexing import Index, Question
from platform_ops.archive.place import require_zone, root, site_of, template_of, templates_of
from platform_ops.archive.records import read
from platform_ops.archive.records.tombstones import tombstone_key
from platform_ops.archive.rehearsal import Scene
from platform_ops.archive.stores.store import locate
from platform_ops.archive.upkeep import refused
from platform_ops.archive.upkeep.refused import Evidence
from platform_ops.entity import Entity, Manifest
from platform_ops.settings import EntitySettings, Settings

__all__ = [
    "evidence",
    "files",
    "find",
    "index",
    "recent",
    "rehearse",
    "status",
]


class Asked(TypedDict, total=False):
    """What :func:`~platform_ops.archive.find` may be asked beside entity and time."""

    run: str
    dag: str
    task: str
    sha256: str
    url: str
    fingerprint: str
    source: str
    name: str


def find(
    entity: str | Entity | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    settings: Settings | None = None,
    **asked: Unpack[Asked],
) -> Iterator[Manifest]:
    """Every revision of an entity whose slot's time is in ``[since, until)``, oldest slot first.

    Of each slot the newest revision comes last. Whatever else is asked is looked up in the index, which
    is refreshed before: so the answer is as of now.

    :param entity: May be left out where something else is asked.
    :param asked: ``run``, ``dag``, ``task``, ``sha256``, ``url``, ``fingerprint``, ``source``,
        ``name``: all that is given must hold; see :class:`~platform_ops.archive.Question`.
    :raises ArchiveCorrupt: A manifest that may be meant is damaged; it is named, never left out.
    """
    require_zone("since", since)
    require_zone("until", until)
    site = site_of(settings)
    named = None if entity is None else Entity.parse(entity)
    if named is not None and not asked:
        return read.find(root(site), template_of(site), named, since, until)
    found = index(site).manifests(Question(named, since, until, **asked), templates_of(site))
    return iter(found)


def recent(
    entity: str | Entity,
    until: datetime | None = None,
    map_key: str | None = None,
    settings: Settings | None = None,
) -> Iterator[Manifest]:
    """Every revision of an entity before a time, latest slot and newest revision first.

    Manifests are read a day at a time, and only as far as they are asked for:
    ``next(archive.recent("shop.orders"))`` is cheap however long the history is.

    :param until: The slot's time is before this.
    :param map_key: Of a mapped task: of the instances with this key alone.
    :raises ArchiveCorrupt: A manifest that was read is damaged.
    """
    require_zone("until", until)
    site = site_of(settings)
    return read.recent(root(site), template_of(site), Entity.parse(entity), until, map_key)


def files(
    entity: str | Entity,
    since: datetime | None = None,
    until: datetime | None = None,
    settings: Settings | None = None,
) -> list[str]:
    """URLs of the payloads of each slot's newest revision: what a query engine is given.

    A slot whose newest revision expired or was erased has none.
    Globbing the tree instead promises nothing: it shows superseded revisions and orphans too.
    """
    site = site_of(settings)
    store, named = root(site), Entity.parse(entity)
    folders = (each.folder_of(named) for each in templates_of(site))
    buried = {entry.key for each in folders for entry in store.entries(f"tombstones/{each}")}
    heads = {found.slot: found for found in find(named, since, until, site)}
    return [
        locate(store, payload.key)
        for head in heads.values()
        if tombstone_key(read.key_of(head)) not in buried
        for payload in head.payloads
    ]


def evidence(
    entity: str | Entity | None = None, settings: Settings | None = None
) -> Iterator[Evidence]:
    """Deliveries that were refused and are kept as evidence, by slot; no other function shows them.

    :param entity: Of one entity alone; of all otherwise.
    """
    site = site_of(settings)
    named = None if entity is None else Entity.parse(entity)
    return refused.listed(root(site), templates_of(site), named)


def index(settings: Settings | None = None) -> Index:
    """The site's index, which :func:`find` asks; see :class:`Index`."""
    site = site_of(settings)
    return Index.at(root(site), site.archive.index)


def status(
    entity: str | Entity,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    fresh: bool = True,
    settings: Settings | None = None,
) -> Status:
    """The slots of an entity that were expected in ``[since, until)`` against those that arrived.

    What is expected follows from the entity's ``schedule`` in platform.toml, else from what arrived.

    :param since: The first slot there is, or 30 days ago, whichever is later, where None.
    :param until: Now, where None.
    :param fresh: List the store before; else the answer is as of the index's last refresh.
    """
    require_zone("since", since)
    require_zone("until", until)
    site, named, known = site_of(settings), Entity.parse(entity), index(settings)
    templates = templates_of(site)
    for prefix in Question(named).prefixes(templates) if fresh else ():
        known.refresh(prefix)
    agreement = site.declared(named) or EntitySettings()
    return arrivals.status(
        known, templates, named, agreement, now=datetime.now(UTC), since=since, until=until
    )


def rehearse(
    entity: str | Entity,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    revision: int | None = None,
    as_of_utc: datetime | None = None,
    settings: Settings | None = None,
) -> list[Scene]:
    """What a replay of these slots would read, and where it would refuse; nothing is run.

    :param revision: The pinned one; the newest otherwise.
    :param as_of_utc: The newest that was committed by then.
    """
    require_zone("as_of_utc", as_of_utc)
    found, site = status(entity, since, until, settings=settings), site_of(settings)
    question = Question(found.entity, found.since, found.until)
    expected = [each.time_utc for each in found.arrivals if each.state in ("missing", "due")]
    hits = index(site).find(question, question.prefixes(templates_of(site))).hits
    return list(
        rehearsal.rehearse(root(site), hits, expected, revision=revision, as_of_utc=as_of_utc)
    )
