"""The archive: the only room that touches storage, and these functions are its door.

It needs no Airflow: an analyst opens, finds and verifies with the base install. Every function takes
the site's settings where they are not passed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypedDict, Unpack

from platform_ops import settings as _settings
from platform_ops.archive import bag as _bag
from platform_ops.archive import browse as _browse
from platform_ops.archive import content as _content
from platform_ops.archive import erasure as _erasure
from platform_ops.archive import expiry as _expiry
from platform_ops.archive import holding as _holding
from platform_ops.archive import keep as _keep
from platform_ops.archive import read as _read
from platform_ops.archive import rehearsal as _rehearsal
from platform_ops.archive import status as _status
from platform_ops.archive import store as _store
from platform_ops.archive import verify as _verify
from platform_ops.archive.bag import Bag
from platform_ops.archive.content import Body
from platform_ops.archive.holding import Hold, Release
from platform_ops.archive.index import Index, Question
from platform_ops.archive.keep import LeftAlone, Stray
from platform_ops.archive.pack import Member
from platform_ops.archive.rehearsal import Scene
from platform_ops.archive.removal import Removal
from platform_ops.archive.status import Status
from platform_ops.archive.store import Store, use_credentials
from platform_ops.archive.tombstones import tombstone_key
from platform_ops.archive.verify import Fault, Verdict
from platform_ops.archive.write import Commit, Outcome, Session
from platform_ops.entity import Entity, Manifest, Reference, RunIdentity, Slot
from platform_ops.errors import ExtraMissing, NotArchived, UrlError
from platform_ops.settings import Codec, EntitySettings, OnExisting, Settings
from platform_ops.url_scheme import Template

if TYPE_CHECKING:
    import pyarrow

__all__ = [
    "Bag",
    "Body",
    "Commit",
    "Fault",
    "Hold",
    "Index",
    "LeftAlone",
    "Member",
    "Outcome",
    "Question",
    "Release",
    "Removal",
    "Scene",
    "Session",
    "Status",
    "Store",
    "Stray",
    "Verdict",
    "as_arrow",
    "batches",
    "bodies",
    "erase",
    "expire",
    "export",
    "files",
    "find",
    "hold",
    "holds",
    "index",
    "manifest",
    "newest",
    "open",
    "refer",
    "rehearse",
    "release",
    "revisions",
    "root",
    "session",
    "shards",
    "status",
    "sweep",
    "url",
    "use_credentials",
    "verify",
]


class Asked(TypedDict, total=False):
    """What :func:`find` may be asked beside entity and time."""

    run: str
    dag: str
    task: str
    sha256: str
    url: str
    fingerprint: str
    source: str


Ref = Reference | Mapping[str, Any]  # Any: a reference as it comes out of XCom
"""What tasks hand on: a :class:`~platform_ops.entity.Reference`, or the dictionary in XCom."""

What = Ref | Manifest | Slot
"""What readers take: a reference, a manifest below the site's root, or a slot for its newest revision."""


def root(settings: Settings | None = None) -> Store:
    """The store that holds the site's archive."""
    archive = _site(settings).archive
    return _store.at(archive.root, archive.connection, archive.encryption, archive.kms_key)


def url(entity: str | Entity, slot: Slot, settings: Settings | None = None) -> str:
    """The folder of a slot's payloads: known before anything is written, without a network.

    :raises UrlError: A value makes the key longer than a store takes.
    """
    site = _site(settings)
    if Entity.parse(entity) != slot.entity:
        raise ValueError(f"{slot} is no slot of {entity}")
    return f"{site.archive.root}/data/{_template(site).render(slot)}"


def session(
    slot: Slot,
    run: RunIdentity,
    *,
    on_existing: OnExisting | None = None,
    codec: Codec | None = None,
    pack: bool | None = None,
    versions: Mapping[str, str] | None = None,
    settings: Settings | None = None,
) -> Session:
    """Begin one capture of a slot; see :class:`Session`.

    :param on_existing: Takes the place of what the site set for the entity; so do ``codec`` and
        ``pack``.
    :raises EntityUndeclared: The site wants entities declared, and this one is not.
    """
    site = _site(settings)
    agreement = site.entity(slot.entity)
    return Session(
        store=root(site),
        template=_template(site),
        slot=slot,
        run=run,
        policy=on_existing or site.on_existing(slot.entity),
        codec=codec or agreement.codec,
        pack=agreement.pack if pack is None else pack,
        redact=agreement.redact,
        encryption=site.archive.encrypted_by,
        retention_days=agreement.retention_days,
        versions=versions or {},
    )


def open(
    what: What,
    name: str | None = None,
    *,
    seekable: bool = False,
    verify: bool = True,
    settings: Settings | None = None,
) -> BinaryIO:
    """The bodies of a revision as one binary stream, in order, in constant memory.

    They come as they came from the source, whether they are stored compressed or in a pack.

    :param what: A reference, as it came by XCom; a manifest; or a slot.
    :param name: One body alone, without reading the rest.
    :param seekable: Allow to seek within one body, see :meth:`Body.open`.
    :param verify: Check each body's length and SHA-256 on the way.
    :raises ArchiveCorrupt: What is stored is not what was committed; raised at the latest when the
        end of the body in question is read.
    :raises NotArchived: The manifest or a payload is gone, or there is no body of that name.
    """
    store, found = _resolve(what, settings)
    if name is None and not seekable:
        return _content.stream(store, found.payloads, verify=verify)
    body = _content.only(store, found) if name is None else _content.find(store, found, name)
    return body.open(seekable=seekable, verify=verify)


def bodies(what: What, settings: Settings | None = None) -> Iterator[Body]:
    """Every body of a revision, in order, each with its name, media type, origin, size and digest.

    Of a pack those that lie together are fetched together, as they are read.
    """
    return _content.bodies(*_resolve(what, settings))


def manifest(ref: Ref, settings: Settings | None = None) -> Manifest:
    """The manifest that a reference names, checked against the reference's digest."""
    return _resolve(ref, settings)[1]


def as_arrow(what: What, settings: Settings | None = None) -> pyarrow.Table:
    """The rows of a revision whose bodies are CSV, JSON lines or Parquet, all at once.

    :raises ExtraMissing: pyarrow is not installed.
    :raises ValueError: A body's media type has no rows; the message lists the ones that have.
    """
    try:
        from platform_ops.archive import arrow
    except ModuleNotFoundError as err:
        raise ExtraMissing("pyarrow", "arrow", "as_arrow()") from err
    return arrow.table(bodies(what, settings))


def batches(
    what: What,
    schema: pyarrow.Schema | None = None,
    *,
    verify: bool = True,
    settings: Settings | None = None,
) -> Iterator[pyarrow.RecordBatch]:
    """The same rows batch by batch, in constant memory.

    :param schema: Types of columns, where those that a body's first rows suggest do not serve.
    :param verify: Check each body; Parquet is then read twice, since its index stands at its end.
    :raises ExtraMissing: pyarrow is not installed.
    :raises ValueError: A body's media type has no rows; the message lists the ones that have.
    """
    try:
        from platform_ops.archive import arrow
    except ModuleNotFoundError as err:
        raise ExtraMissing("pyarrow", "arrow", "batches()") from err
    return arrow.batches(bodies(what, settings), schema, verify=verify)


def revisions(slot: Slot, settings: Settings | None = None) -> Iterator[Manifest]:
    """All revisions of a slot, newest first.

    Those of the URL template in force come before what an earlier template wrote elsewhere.
    """
    site = _site(settings)
    store, template = root(site), _template(site)
    yield from _read.revisions(store, template.render(slot), slot)
    yield from _read.former(store, template, slot)


def newest(
    slot: Slot | Entity | str,
    *,
    revision: int | None = None,
    as_of_utc: datetime | None = None,
    settings: Settings | None = None,
) -> Manifest:
    """The slot's newest revision, the one of a number, or the newest at a time.

    :param slot: Of an entity, the slot with the latest time that has such a revision.
    :raises NotArchived: There is none; the message says where it would be.
    """
    _check_zone("as_of_utc", as_of_utc)
    if not isinstance(slot, Slot):
        return _latest(Entity.parse(slot), revision, as_of_utc, _site(settings))
    for found in revisions(slot, settings):
        pinned = revision is None or found.revision == revision
        if pinned and (as_of_utc is None or found.committed_at_utc <= as_of_utc):
            return found
    asked = f" as revision {revision}" if revision is not None else ""
    asked += f" as of {as_of_utc.isoformat()}" if as_of_utc else ""
    where = url(slot.entity, slot, settings)
    raise NotArchived(f"{slot}: nothing is archived{asked}; it would be below {where}")


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
    :param asked: ``run``, ``dag``, ``task``, ``sha256``, ``url``, ``fingerprint``, ``source``: all that is
        given must hold; see :class:`~platform_ops.archive.Question`.
    :raises ArchiveCorrupt: A manifest that may be meant is damaged; it is named, never left out.
    """
    _check_zone("since", since)
    _check_zone("until", until)
    site = _site(settings)
    named = None if entity is None else Entity.parse(entity)
    if named is not None and not asked:
        return _read.find(root(site), _template(site), named, since, until)
    found = index(site).manifests(Question(named, since, until, **asked), _templates(site))
    return iter(found)


def index(settings: Settings | None = None) -> Index:
    """The site's index, which :func:`find` asks; see :class:`Index`."""
    site = _site(settings)
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
    _check_zone("since", since)
    _check_zone("until", until)
    site, named, known = _site(settings), Entity.parse(entity), index(settings)
    templates = _templates(site)
    for prefix in Question(named).prefixes(templates) if fresh else ():
        known.refresh(prefix)
    agreement = site.declared(named) or EntitySettings()
    return _status.status(
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
    _check_zone("as_of_utc", as_of_utc)
    found, site = status(entity, since, until, settings=settings), _site(settings)
    question = Question(found.entity, found.since, found.until)
    expected = [each.time_utc for each in found.arrivals if each.state in ("missing", "due")]
    hits = index(site).find(question, question.prefixes(_templates(site))).hits
    return list(
        _rehearsal.rehearse(root(site), hits, expected, revision=revision, as_of_utc=as_of_utc)
    )


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
    site = _site(settings)
    store, named = root(site), Entity.parse(entity)
    folders = (each.folder_of(named) for each in _read.templates(store, _template(site)))
    buried = {entry.key for each in folders for entry in store.entries(f"tombstones/{each}")}
    heads = {found.slot: found for found in find(named, since, until, site)}
    return [
        _store.locate(store, payload.key)
        for head in heads.values()
        if tombstone_key(_read.key_of(head)) not in buried
        for payload in head.payloads
    ]


def refer(found: Manifest, settings: Settings | None = None) -> Reference:
    """The reference of a manifest below the site's root."""
    return _read.reference(root(settings), found)


def verify(
    prefix: str = "",
    *,
    share: float = 1.0,
    day: int | None = None,
    settings: Settings | None = None,
) -> Iterator[Verdict]:
    """Check every manifest below a prefix of the slot folders, and what it commits to.

    :param share: How many of the payloads to read and hash: 1 is all of them, 0 compares sizes only.
        Between, a share of 1/n takes another nth on each day, and all of them in n days.
    :param day: Which of them; today's where unset.
    :raises ConfigError: The share is not between 0 and 1.
    """
    return _verify.verify(root(settings), prefix, share=share, day=day)


def sweep(
    prefix: str = "",
    *,
    grace: timedelta = _keep.GRACE,
    delete: bool = False,
    settings: Settings | None = None,
) -> Iterator[Stray | LeftAlone]:
    """Find, and on request remove, what crashed writers left: payloads that no manifest names.

    A slot with a manifest that is damaged or missing is left alone, and named.

    :param prefix: Such as ``v1/weather``; all of the archive, and its temporary files, where empty.
    :param grace: How long an object was left as it is, by the store's clock; a day or more.
    :param delete: Remove it; a dry run otherwise, which writes nothing.
    :raises ConfigError: The grace period is shorter than a day.
    """
    return _keep.sweep(root(settings), prefix, grace=grace, delete=delete)


def expire(
    prefix: str = "",
    *,
    delete: bool = False,
    pause: timedelta = _expiry.PAUSE,
    shorten: bool = False,
    by: str = "retention",
    settings: Settings | None = None,
) -> Iterator[Removal | LeftAlone]:
    """Find, and on request remove, the payloads of revisions whose time is over.

    A tombstone takes note of each; its payloads go once it has stood for the pause. A slot with a
    manifest that is damaged or missing is left alone, and named.

    :param prefix: Such as ``v1/weather``; all of the archive where empty.
    :param delete: Do both; a dry run otherwise, which writes nothing.
    :param pause: How long a tombstone stands before the payloads go; shorter than an hour only where
        no task is at work.
    :param shorten: Let today's ``retention_days`` end what a manifest promised to keep for longer;
        the longer of the two counts otherwise.
    :param by: Who applies the policy, for the tombstone.
    """
    site = _site(settings)
    return _expiry.expire(
        root(site), site, prefix, delete=delete, pause=pause, shorten=shorten, by=by
    )


def erase(
    slot: Slot,
    revision: int | None = None,
    *,
    reason: str,
    by: str,
    delete: bool = False,
    settings: Settings | None = None,
) -> list[Removal]:
    """Erase a revision, or every one of a slot, at once: payloads, and what its manifest tells of people.

    :param reason: The request, for the tombstone.
    :param by: Who asks for it.
    :param delete: Do it; a dry run otherwise, which writes nothing.
    :raises ArchiveHeld: A legal hold covers the slot.
    :raises NotArchived: There is no such revision.
    """
    site = _site(settings)
    store = root(site)
    found: list[Removal] = []
    for template in _read.templates(store, _template(site)):
        folder = template.render(slot)
        if store.level(f"meta/{folder}").entries:
            found += _erasure.erase(store, folder, revision, reason=reason, by=by, delete=delete)
    if not found:
        where = url(slot.entity, slot, site)
        raise NotArchived(f"{slot}: nothing is archived; it would be below {where}")
    return found


def hold(
    scope: str | Entity | Slot, *, reason: str, by: str, settings: Settings | None = None
) -> Hold:
    """Forbid to remove anything of a source, an entity or a slot, until the hold is released.

    :param scope: A source's name, an entity, or a slot.
    """
    return _holding.place(root(settings), scope, reason=reason, by=by)


def release(hold_id: str, *, reason: str, by: str, settings: Settings | None = None) -> Release:
    """End a hold; the records of both stay.

    :raises NotArchived: There is no such hold.
    """
    return _holding.release(root(settings), hold_id, reason=reason, by=by)


def holds(settings: Settings | None = None) -> Iterator[tuple[Hold, Release | None]]:
    """Every hold that was ever placed, oldest first, and its end where it has one."""
    return _holding.holds(root(settings))


def export(
    target: str | os.PathLike[str],
    entity: str | Entity | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    settings: Settings | None = None,
) -> Bag:
    """Write revisions as a BagIt bag (RFC 8493), which any archivist's tool can check.

    :param target: A folder that does not exist yet; it appears once the bag is whole.
    :param entity: Only its revisions; every entity's otherwise.
    :param since: Slots from this time on.
    :param until: Slots before this time.
    :raises ArchiveCorrupt: A payload is not what was committed; there is no bag then.
    :raises NotArchived: The selection is empty.
    """
    site = _site(settings)
    store = root(site)
    named = (
        [Entity.parse(entity)]
        if entity
        else _browse.entities(store, _read.templates(store, _template(site)))
    )
    found = (each for one in named for each in find(one, since, until, settings=site))
    bounds = [
        f"{name} {time.isoformat()}" for name, time in (("from", since), ("until", until)) if time
    ]
    return _bag.export(
        store, found, Path(target), " ".join([str(entity or "all entities"), *bounds])
    )


def shards(depth: int = 2, settings: Settings | None = None) -> list[str]:
    """Prefixes that divide the archive, for ``verify``, ``sweep`` and ``expire`` on many workers.

    The last one, ``.``, stands for what lies beside all slots: templates, holds, temporary files.

    :param depth: Levels below the template's literal ones: 1 is a source, and 2 an entity, by default.
    """
    site = _site(settings)
    store = root(site)
    return _browse.shards(store, _read.templates(store, _template(site)), depth)


def _site(settings: Settings | None) -> Settings:
    return settings or _settings.load().settings


def _template(settings: Settings) -> Template:
    return Template.compile(settings.archive.template)


def _templates(settings: Settings) -> list[Template]:
    return _read.templates(root(settings), _template(settings))


def _check_zone(name: str, time: datetime | None) -> None:
    if time is not None and time.tzinfo is None:
        raise UrlError(f"{name}={time!r} has no time zone; add one, such as datetime.UTC")


def _latest(
    entity: Entity, revision: int | None, as_of_utc: datetime | None, site: Settings
) -> Manifest:
    store, template = root(site), _template(site)
    held = _browse.slots(store, _read.templates(store, template), entity)
    for slot in sorted({each.slot for each in held}, key=lambda slot: slot.time_utc, reverse=True):
        with suppress(NotArchived):
            return newest(slot, revision=revision, as_of_utc=as_of_utc, settings=site)
    raise NotArchived(f"{entity}: nothing is archived of it in {store.url}")


def _resolve(what: What, settings: Settings | None) -> tuple[Store, Manifest]:
    if isinstance(what, Slot):
        what = newest(what, settings=settings)
    if isinstance(what, Manifest):
        return root(settings), what
    reference = what if isinstance(what, Reference) else Reference.from_dict(what)
    return _read.resolve(reference, _site(settings).archive.connection)
