"""Keeping what is archived: verified, swept, expired, erased, held and exported."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

from platform_ops.archive.finding import find
from platform_ops.archive.place import root, site_of, templates_of, url
from platform_ops.archive.records import browse
from platform_ops.archive.upkeep import (
    bag,
    erasure,
    excise,
    expiry,
    holding,
    refused,
    sweeping,
    verifying,
    witnesses,
)
from platform_ops.archive.upkeep.bag import Bag
from platform_ops.archive.upkeep.holding import Hold, Release
from platform_ops.archive.upkeep.removal import Removal
from platform_ops.archive.upkeep.sweeping import LeftAlone, Stray
from platform_ops.archive.upkeep.verifying import Verdict
from platform_ops.archive.upkeep.witnesses import Head
from platform_ops.entity import Entity, Slot
from platform_ops.errors import NotArchived
from platform_ops.settings import Settings

__all__ = [
    "erase",
    "expire",
    "export",
    "hold",
    "holds",
    "release",
    "shards",
    "sweep",
    "verify",
    "witness",
]


def verify(
    prefix: str = "",
    *,
    share: float = 1.0,
    day: int | None = None,
    against: Iterable[Head] = (),
    settings: Settings | None = None,
) -> Iterator[Verdict]:
    """Check every manifest below a prefix of the slot folders, and what it commits to.

    :param share: How many of the payloads to read and hash: 1 is all of them, 0 compares sizes only.
        Between, a share of 1/n takes another nth on each day, and all of them in n days.
    :param day: Which of them; today's where unset.
    :param against: What a witness has kept of :func:`witness`: newest manifests, whole slots and chains
        that are not there any more as they were.
    :raises ConfigError: The share is not between 0 and 1.
    """
    store = root(settings)
    denied = (Verdict(fault.url, (fault,), 0) for fault in witnesses.denied(store, against, prefix))
    return chain(verifying.verify(store, prefix, share=share, day=day), denied)


def witness(prefix: str = "", settings: Settings | None = None) -> Iterator[Head]:
    """The newest manifest of every slot below a prefix, for whoever keeps it elsewhere.

    :func:`verify` holds the archive against it: what is gone at the end of a chain, or a whole slot, is
    told by nothing that lies in the archive itself.

    :param prefix: Such as ``v1/weather``; all of the archive where empty.
    """
    return witnesses.heads(root(settings), prefix)


def sweep(
    prefix: str = "",
    *,
    grace: timedelta = sweeping.GRACE,
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
    return sweeping.sweep(root(settings), prefix, grace=grace, delete=delete)


def expire(
    prefix: str = "",
    *,
    delete: bool = False,
    pause: timedelta = expiry.PAUSE,
    shorten: bool = False,
    by: str = "retention",
    settings: Settings | None = None,
) -> Iterator[Removal | LeftAlone]:
    """Find, and on request remove, the payloads of revisions, and of refused deliveries, whose time is over.

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
    site = site_of(settings)
    store, days = root(site), site.archive.evidence_days
    slots = expiry.expire(store, site, prefix, delete=delete, pause=pause, shorten=shorten, by=by)
    return chain(slots, refused.expire(store, prefix, days, delete=delete))


def erase(
    slot: Slot,
    revision: int | None = None,
    *,
    reason: str,
    by: str,
    name: str | None = None,
    delete: bool = False,
    settings: Settings | None = None,
) -> list[Removal]:
    """Erase a revision, or every one of a slot, at once: payloads, and what its manifest tells of people.

    With a name that body alone goes, and all others stay, in the same pack too. With every revision of
    a slot goes what was refused of it.

    :param reason: The request, for the tombstone.
    :param by: Who asks for it.
    :param name: Of one body, to erase it alone.
    :param delete: Do it; a dry run otherwise, which writes nothing.
    :raises ArchiveHeld: A legal hold covers the slot.
    :raises NotArchived: There is no such revision, or no such body.
    """
    site = site_of(settings)
    store = root(site)
    found: list[Removal] = []
    there = False
    for template in templates_of(site):
        folder = template.render(slot)
        if store.level(f"meta/{folder}").entries:
            there = True
            words = {"reason": reason, "by": by}
            found += (
                erasure.erase(store, folder, revision, **words, delete=delete)
                if name is None
                else excise.excise(store, folder, name, revision, **words, delete=delete)
            )
        if revision is None and name is None:
            found += refused.of_slot(store, folder, reason=reason, delete=delete)
    if not there and not found:
        where = url(slot.entity, slot, site)
        raise NotArchived(f"{slot}: nothing is archived; it would be below {where}")
    return found


def hold(
    scope: str | Entity | Slot, *, reason: str, by: str, settings: Settings | None = None
) -> Hold:
    """Forbid to remove anything of a source, an entity or a slot, until the hold is released.

    :param scope: A source's name, an entity, or a slot.
    """
    return holding.place(root(settings), scope, reason=reason, by=by)


def release(hold_id: str, *, reason: str, by: str, settings: Settings | None = None) -> Release:
    """End a hold; the records of both stay.

    :raises NotArchived: There is no such hold.
    """
    return holding.release(root(settings), hold_id, reason=reason, by=by)


def holds(settings: Settings | None = None) -> Iterator[tuple[Hold, Release | None]]:
    """Every hold that was ever placed, oldest first, and its end where it has one."""
    return holding.holds(root(settings))


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
    site = site_of(settings)
    store = root(site)
    named = [Entity.parse(entity)] if entity else browse.entities(store, templates_of(site))
    found = (each for one in named for each in find(one, since, until, settings=site))
    bounds = [
        f"{name} {time.isoformat()}" for name, time in (("from", since), ("until", until)) if time
    ]
    return bag.export(
        store, found, Path(target), " ".join([str(entity or "all entities"), *bounds])
    )


def shards(depth: int = 2, settings: Settings | None = None) -> list[str]:
    """Prefixes that divide the archive, for ``verify``, ``sweep`` and ``expire`` on many workers.

    The last one, ``.``, stands for what lies beside all slots: templates, holds, temporary files.

    :param depth: Levels below the template's literal ones: 1 is a source, and 2 an entity, by default.
    """
    site = site_of(settings)
    store = root(site)
    return browse.shards(store, templates_of(site), depth)
