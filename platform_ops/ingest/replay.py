"""Reading the archive instead of the source, and saying so where there is nothing to read."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import Final

from platform_ops import archive
from platform_ops.archive import Commit, Outcome
from platform_ops.archive.records.tombstones import tombstone_at
from platform_ops.entity import Manifest, Slot
from platform_ops.errors import ArchiveError, NotArchived
from platform_ops.ingest.capture import Capture
from platform_ops.runconf import Wish
from platform_ops.settings import Settings

__all__ = ["changed_request", "replayed"]

_SHOWN: Final = 5
"""Captures of the same time that a message names, where the one that is asked for is not there."""


def replayed(site: Settings, slot: Slot, wish: Wish, request: str | None = None) -> Capture:
    """The revision that the replay asks for.

    :param request: What the task asks for now, in words.
    :raises NotArchived: There is none, or its payloads were removed; the source was not asked.
    """
    try:
        found = archive.newest(
            slot, revision=wish.revision, as_of_utc=wish.as_of_utc, settings=site
        )
    except NotArchived as err:
        raise NotArchived(f"{err}{_others(site, slot)}{_asked(request)}") from err
    reference, store = archive.refer(found, site), archive.root(site)
    stone = tombstone_at(store, reference.manifest_url.removeprefix(f"{store.url}/"))
    if stone is not None:
        raise stone.error()
    return Capture(slot, _found=Commit(found, reference, Outcome.REPLAYED))


def changed_request(capture: Capture, fingerprint: str | None) -> str | None:
    """What was asked when this was archived, where that is another request than now; else None.

    :param fingerprint: Of the first request that the task would send now; None where it is unknown.
    """
    first = next(iter(capture.manifest.payloads), None)
    # A pack's origin is of many requests.
    if first is None or first.members is not None or fingerprint is None:
        return None
    then = first.origin
    if then.fingerprint in (None, fingerprint):
        return None
    return f"{then.method} {then.url}"


def _others(site: Settings, slot: Slot) -> str:
    """What is archived of the entity at the same time, under other keys."""
    until = slot.time_utc + timedelta(microseconds=1)
    try:
        there = {each.slot: each for each in archive.find(slot.entity, slot.time_utc, until, site)}
    except ArchiveError:  # no answer to a question that nobody asked
        return ""
    there.pop(slot, None)
    named = [_described(each) for each in islice(there.values(), _SHOWN)]
    if not named:
        return "; nothing else of the entity is archived at that time"
    more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
    return f"; archived at that time are: {', '.join(named)}{more}"


def _described(manifest: Manifest) -> str:
    slot = manifest.slot
    named = {"part": slot.partition_key, "map": slot.map_key}
    keys = " ".join(f"{name}={key}" for name, key in named.items() if key is not None) or "no key"
    origin = manifest.payloads[0].origin if manifest.payloads else None
    return f"{keys} ({origin.method} {origin.url})" if origin else keys


def _asked(request: str | None) -> str:
    if request is None:
        return ""
    return (
        f"; the task asks for {request}, which was not asked then as often: the task or its pages "
        "have changed since"
    )
