"""Taking in: one capture of a slot, by what the site agreed on for its entity."""

from __future__ import annotations

from collections.abc import Mapping

from platform_ops.archive.place import root, site_of, template_of
from platform_ops.archive.write import Session
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
        encryption=site.archive.encrypted_by,
        retention_days=agreement.retention_days,
        versions=versions or {},
    )
