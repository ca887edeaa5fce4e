"""Taking in: one capture of a slot, by what the site agreed on for its entity."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from platform_ops.archive.place import root, site_of, template_of, templates_of
from platform_ops.archive.writing import volume
from platform_ops.archive.writing.inspection import Acceptance
from platform_ops.archive.writing.write import Session
from platform_ops.entity import RunIdentity, Slot
from platform_ops.settings import Codec, OnExisting, Settings

__all__ = ["session"]


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
    site = site_of(settings)
    agreement = site.entity(slot.entity)
    return Session(
        store=root(site),
        template=template_of(site),
        slot=slot,
        run=run,
        policy=on_existing or site.on_existing(slot.entity),
        codec=codec or agreement.codec,
        pack=agreement.pack if pack is None else pack,
        redact=agreement.redact,
        acceptance=_acceptance(site, slot),
        encryption=site.archive.encrypted_by,
        retention_days=agreement.retention_days,
        versions=versions or {},
    )


def _acceptance(site: Settings, slot: Slot) -> Acceptance:
    """What the site agreed on for deliveries of the entity."""
    agreed = site.entity(slot.entity)
    return Acceptance(
        empty=agreed.on_empty,
        truncated=agreed.on_truncated,
        unparsable=agreed.on_unparsable,
        small=agreed.on_small,
        large=agreed.on_large,
        format=agreed.format,
        limit_bytes=agreed.limit_bytes,
        floor=agreed.volume_floor,
        at=slot.time_utc.astimezone(ZoneInfo(agreed.timezone)),
        past=lambda: volume.samples(root(site), templates_of(site), slot, agreed.timezone),
    )
