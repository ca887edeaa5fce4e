"""Reading what is archived: by reference, manifest or slot; whole, by body, in batches of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from platform_ops.archive.payloads import content
from platform_ops.archive.payloads.content import Body
from platform_ops.archive.place import (
    require_zone,
    root,
    site_of,
    template_of,
    templates_of,
    url,
)
from platform_ops.archive.records import browse, read
from platform_ops.archive.stores.store import Store
from platform_ops.entity import Entity, Manifest, Reference, Slot
from platform_ops.errors import ExtraMissing, NotArchived
from platform_ops.settings import Settings

if TYPE_CHECKING:
    import pyarrow

__all__ = [
    "Ref",
    "What",
    "as_arrow",
    "batches",
    "bodies",
    "manifest",
    "newest",
    "open",
    "refer",
    "revisions",
]


Ref = Reference | Mapping[str, Any]  # Any: a reference as it comes out of XCom
"""What tasks hand on: a :class:`~platform_ops.entity.Reference`, or the dictionary in XCom."""

What = Ref | Manifest | Slot
"""What readers take: a reference, a manifest below the site's root, or a slot for its newest revision."""


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
    store, found = _resolved(what, settings)
    if name is None and not seekable:
        return content.stream(store, found.payloads, verify=verify)
    body = content.only(store, found) if name is None else content.find(store, found, name)
    return body.open(seekable=seekable, verify=verify)


def bodies(what: What, settings: Settings | None = None) -> Iterator[Body]:
    """Every body of a revision, in order, each with its name, media type, origin, size and digest.

    Of a pack those that lie together are fetched together, as they are read.
    """
    return content.bodies(*_resolved(what, settings))


def manifest(ref: Ref, settings: Settings | None = None) -> Manifest:
    """The manifest that a reference names, checked against the reference's digest."""
    return _resolved(ref, settings)[1]


def as_arrow(what: What, settings: Settings | None = None) -> pyarrow.Table:
    """The rows of a revision whose bodies are CSV, JSON lines or Parquet, all at once.

    :raises ExtraMissing: pyarrow is not installed.
    :raises ValueError: A body's media type has no rows; the message lists the ones that have.
    """
    try:
        from platform_ops.archive.payloads import arrow
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
        from platform_ops.archive.payloads import arrow
    except ModuleNotFoundError as err:
        raise ExtraMissing("pyarrow", "arrow", "batches()") from err
    return arrow.batches(bodies(what, settings), schema, verify=verify)


def revisions(slot: Slot, settings: Settings | None = None) -> Iterator[Manifest]:
    """All revisions of a slot, newest first.

    Those of the URL template in force come before what an earlier template wrote elsewhere.
    """
    site = site_of(settings)
    store, template = root(site), template_of(site)
    yield from read.revisions(store, template.render(slot), slot)
    yield from read.former(store, template, slot)


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
    require_zone("as_of_utc", as_of_utc)
    if not isinstance(slot, Slot):
        return _latest(Entity.parse(slot), revision, as_of_utc, site_of(settings))
    for found in revisions(slot, settings):
        pinned = revision is None or found.revision == revision
        if pinned and (as_of_utc is None or found.committed_at_utc <= as_of_utc):
            return found
    asked = f" as revision {revision}" if revision is not None else ""
    asked += f" as of {as_of_utc.isoformat()}" if as_of_utc else ""
    where = url(slot.entity, slot, settings)
    raise NotArchived(f"{slot}: nothing is archived{asked}; it would be below {where}")


def refer(found: Manifest, settings: Settings | None = None) -> Reference:
    """The reference of a manifest below the site's root."""
    return read.reference(root(settings), found)


def _latest(
    entity: Entity, revision: int | None, as_of_utc: datetime | None, site: Settings
) -> Manifest:
    store = root(site)
    held = browse.slots(store, templates_of(site), entity)
    for slot in sorted({each.slot for each in held}, key=lambda slot: slot.time_utc, reverse=True):
        with suppress(NotArchived):
            return newest(slot, revision=revision, as_of_utc=as_of_utc, settings=site)
    raise NotArchived(f"{entity}: nothing is archived of it in {store.url}")


def _resolved(what: What, settings: Settings | None) -> tuple[Store, Manifest]:
    if isinstance(what, Slot):
        what = newest(what, settings=settings)
    if isinstance(what, Manifest):
        return root(settings), what
    reference = what if isinstance(what, Reference) else Reference.from_dict(what)
    return read.resolve(reference, site_of(settings).archive.connection)
