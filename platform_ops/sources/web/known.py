"""What was captured before, for a request that only wants what has changed since."""

from __future__ import annotations

from platform_ops import archive
from platform_ops.archive.place import templates_of
from platform_ops.archive.records import browse
from platform_ops.archive.records.read import manifest_at
from platform_ops.archive.records.tombstones import tombstone_at
from platform_ops.entity import Manifest, Slot
from platform_ops.errors import NotArchived
from platform_ops.ingest import site_settings

__all__ = ["newest_answer"]


def newest_answer(own: Slot, fingerprint: str) -> Manifest | None:
    """The newest revision that answers one request, has a validator, and still can be read.

    :param own: The slot to fill: looked for are slots with its keys, at whatever time.
    :param fingerprint: Of the request.
    :return: None where the newest one is of another request, was removed, or told no validator.
    """
    site = site_settings()
    store = archive.root(site)
    try:
        key = browse.newest(store, templates_of(site), own.entity, own).manifest_keys[-1]
        found = manifest_at(store, key)
    except NotArchived:
        return None
    if len(found.payloads) != 1 or tombstone_at(store, key) is not None:
        return None
    origin = found.payloads[0].origin
    if origin.fingerprint != fingerprint or not {"etag", "last-modified"} & set(origin.headers):
        return None
    return found
