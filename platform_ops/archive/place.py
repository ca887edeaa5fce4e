"""Where the site's archive is: its store, its templates, and the folder of each slot."""

from __future__ import annotations

from datetime import datetime

from platform_ops.archive.records import read
from platform_ops.archive.stores import store as stores
from platform_ops.archive.stores.store import Store
from platform_ops.entity import Entity, Slot
from platform_ops.errors import UrlError
from platform_ops.settings import Settings, load
from platform_ops.url_scheme import Template

__all__ = [
    "require_zone",
    "root",
    "site_of",
    "template_of",
    "templates_of",
    "url",
]


def root(settings: Settings | None = None) -> Store:
    """The store that holds the site's archive."""
    archive = site_of(settings).archive
    return stores.at(archive.root, archive.connection, archive.encryption, archive.kms_key)


def url(entity: str | Entity, slot: Slot, settings: Settings | None = None) -> str:
    """The folder of a slot's payloads: known before anything is written, without a network.

    :raises UrlError: A value makes the key longer than a store takes.
    """
    site = site_of(settings)
    if Entity.parse(entity) != slot.entity:
        raise ValueError(f"{slot} is no slot of {entity}")
    return f"{site.archive.root}/data/{template_of(site).render(slot)}"


def site_of(settings: Settings | None) -> Settings:
    """The settings that were passed, or those in force."""
    return settings or load().settings


def template_of(settings: Settings) -> Template:
    """The URL template in force."""
    return Template.compile(settings.archive.template)


def templates_of(settings: Settings) -> list[Template]:
    """The template in force, and those that older slots were written by."""
    return read.templates(root(settings), template_of(settings))


def require_zone(name: str, time: datetime | None) -> None:
    """Refuse a time that could mean two moments.

    :raises UrlError: It has no zone.
    """
    if time is not None and time.tzinfo is None:
        raise UrlError(f"{name}={time!r} has no time zone; add one, such as datetime.UTC")
