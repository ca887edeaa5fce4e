"""Sweeping: what crashed writers left behind, and nobody needs.

A crash leaves payloads that no manifest names, and temporary files. They are nobody's, once no writer
can still be about to name them: that is what the grace period is for (ADR 0003).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain, groupby
from secrets import token_hex
from typing import Final, Literal

from platform_ops.archive.records.history import BESIDE, history
from platform_ops.archive.records.tombstones import PAYLOAD
from platform_ops.archive.stores.store import Entry, Store, locate
from platform_ops.archive.upkeep.holding import Holds, in_force
from platform_ops.errors import ArchiveError, ArchiveUnavailable, ConfigError

__all__ = ["GRACE", "LeftAlone", "Stray", "now", "sweep", "unlisted"]

GRACE: Final = timedelta(days=7)
"""Longer than any task runs from its first payload to its commit."""
SHORTEST_GRACE: Final = timedelta(days=1)

# What ends unfinished uploads, by the root's scheme; Azure does so by itself, after a week.
_LIFECYCLE: Final = {"s3": ("DaysAfterInitiation", "prefix"), "gs": ("age", "matchesPrefix")}

_CLOCK: Final = ".sweep"
_TEMPORARY: Final = (".tmp", _CLOCK)

StrayKind = Literal["payload", "temporary"]


@dataclass(frozen=True, slots=True)
class Stray:
    """An object that nothing needs and no writer can still be about to need.

    :param kind: A ``payload`` that no manifest names, or a ``temporary`` file.
    :param removed: Whether it is gone now; a dry run removes nothing.
    :param held_by: The legal hold on its slot, for which it stays.
    """

    kind: StrayKind
    key: str
    url: str
    size_bytes: int
    modified_utc: datetime
    removed: bool = False
    held_by: str | None = None


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """Where something may be unneeded, and nothing was touched since that is not certain.

    :param url: A slot's folder, or an object.
    """

    url: str
    message: str


def sweep(
    store: Store, prefix: str = "", *, grace: timedelta = GRACE, delete: bool = False
) -> Iterator[Stray | LeftAlone]:
    """Find, and on request remove, what crashed writers left behind.

    Rival sweeps do no harm: each removes what the other has not.

    :param prefix: Such as ``v1/weather``; all of the archive, and its temporary files, where empty.
    :param grace: How long an object, and all that lies in its revision's folder, was left as it is.
    :param delete: Remove it; only name it otherwise, and write nothing at all.
    :raises ConfigError: The grace period is shorter than a day.
    """
    if grace < SHORTEST_GRACE:
        raise ConfigError(
            f"a grace period of {grace} is too short: a task may be at work; give 1 day or more"
        )
    return _sweep(store, prefix.strip("/"), grace, delete)


def unlisted(store: Store) -> str | None:
    """What a sweep cannot see in this store, and what to set instead; None where it sees all."""
    scheme, _, path = store.url.partition("://")
    rule = _LIFECYCLE.get(scheme)
    if rule is None:
        return None
    bucket, _, prefix = path.partition("/")
    below = f"{prefix}/data/" if prefix else "data/"
    return (
        f"incomplete multipart uploads are not listed: give the bucket {bucket} a lifecycle rule "
        f'AbortIncompleteMultipartUpload, {rule[0]} {GRACE.days}, {rule[1]} "{below}"'
    )


def _sweep(
    store: Store, prefix: str, grace: timedelta, delete: bool
) -> Iterator[Stray | LeftAlone]:
    # The store's own clock, where it may be written to: both times that are compared are then its.
    before = (now(store) if delete else datetime.now(UTC)) - grace
    for found in _unneeded(store, prefix, before):
        if delete and isinstance(found, Stray) and not found.held_by:
            store.delete(found.key)
            yield replace(found, removed=True)
        else:
            yield found


def _unneeded(store: Store, prefix: str, before: datetime) -> Iterator[Stray | LeftAlone]:
    if prefix != BESIDE:
        yield from _orphans(store, prefix, before)
    if prefix in ("", BESIDE):
        for entry in chain.from_iterable(map(store.entries, _TEMPORARY)):
            yield from _stale(store, "temporary", [entry], before)


def _orphans(store: Store, prefix: str, before: datetime) -> Iterator[Stray | LeftAlone]:
    objects = store.entries(f"data/{prefix}".rstrip("/"))
    # A root whose manifests are lost, or were not restored yet, holds nothing but orphans.
    if next(store.entries("meta"), None) is None:
        if next(objects, None) is not None:
            message = (
                "there is no manifest in all of the archive; restore them, or remove it by hand"
            )
            yield LeftAlone(locate(store, "data"), message)
        return
    holds: Holds | None = None
    for folder, group in groupby(objects, key=_slot_folder):
        if folder is None:
            yield from (_foreign(store, entry) for entry in group)
            continue
        revisions = groupby(group, key=lambda entry: entry.key.rpartition("/")[0])
        stale = [stray for _, each in revisions for stray in _stale(store, "payload", each, before)]
        if not stale:
            continue
        try:
            # After the payloads were listed: whoever has committed since is seen.
            needed = history(store, folder).named
        except ArchiveError as err:
            yield LeftAlone(locate(store, f"data/{folder}"), str(err))
            continue
        holds = in_force(store, holds)
        hold = holds.over(folder)
        for stray in stale:
            if stray.key not in needed:
                yield replace(stray, held_by=hold.id) if hold else stray


def _slot_folder(entry: Entry) -> str | None:
    hit = PAYLOAD.fullmatch(entry.key)
    return hit["folder"] if hit else None


def _foreign(store: Store, entry: Entry) -> LeftAlone:
    url = locate(store, entry.key)
    return LeftAlone(url, f"{url}: no payload by its name; it is not the archive's to remove")


def _stale(
    store: Store, kind: StrayKind, together: Iterable[Entry], before: datetime
) -> Iterator[Stray]:
    """All of them, if not one is younger: a writer at work may be at its next page.

    One without a time, or with a time that is yet to come, is as good as young.
    """
    found: list[Stray] = []
    for each in together:
        if each.modified_utc is None or each.modified_utc >= before:
            return
        url = locate(store, each.key)
        found.append(Stray(kind, each.key, url, each.size_bytes, each.modified_utc))
    yield from found


def now(store: Store) -> datetime:
    """The time by the store's clock, whatever this machine's says: that of an object made now."""
    # A folder of its own: a rival that takes its own away must not take ours.
    key = f"{_CLOCK}/{token_hex(8)}/now"
    try:
        store.create(key, b"platform-ops sweep reads here what time it is by the store's clock.\n")
        found = store.stat(key)
    finally:
        store.delete(key)
    if found is None or found.modified_utc is None:
        raise ArchiveUnavailable(f"{locate(store, key)}: the store does not tell its time; retry")
    return found.modified_utc
