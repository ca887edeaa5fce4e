"""How far a source was read: kept with the entity's asset, and told by its manifests if that is lost."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from platform_ops import archive
from platform_ops.entity import Entity, Slot
from platform_ops.errors import NotArchived
from platform_ops.ingest.context import asset, entity_of, site_settings

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.execution_time.context import AssetStateStoreAccessor

    from platform_ops.entity import Manifest

__all__ = ["advance", "watermark_before", "watermark_of"]

_KEY: Final = "watermark"
_TIME: Final = "watermark_time"
"""Time of the latest slot that has told one."""


def watermark_of(context: Context, entity: str | Entity) -> str | None:
    """How far earlier captures of an entity have read its source; None where there were none.

    It lies in Airflow's asset state store, with the entity's asset. Where it is not there, the archive
    tells it: the slot with the latest time whose newest revision has one.

    :return: In the source's own terms, as :attr:`platform_ops.entity.Part.watermark` gave it.
    """
    parsed = entity_of(entity)
    state = _state(context, parsed)
    kept = state.get(_KEY) if state is not None else None
    if isinstance(kept, str):
        return kept
    told = (each for each in archive.find(parsed, settings=site_settings()) if each.watermark)
    newest = max(told, key=lambda each: (each.slot.time_utc, each.revision), default=None)
    return newest.watermark if newest else None


def watermark_before(context: Context, slot: Slot) -> str | None:
    """How far the captures before a slot's own have read: where it begins, now and when it is made again.

    Of a mapped task each key goes on by itself, and only the archive tells them apart: what Airflow keeps
    is that of whichever instance ended last.

    :param slot: The one that is about to be filled, for the first time or once more.
    :return: As :func:`watermark_of` gives it.
    """
    site = site_settings()
    again = _is_filled(slot)
    if slot.map_key is None and not again:
        return watermark_of(context, slot.entity)
    before = (
        each
        for each in archive.find(slot.entity, until=slot.time_utc if again else None, settings=site)
        if each.watermark is not None and each.slot.map_key == slot.map_key
    )
    last = max(before, key=lambda each: each.slot.time_utc, default=None)
    return last.watermark if last else None


def advance(context: Context, manifest: Manifest) -> None:
    """Keep what a commit tells; a retry that adopts it does so again.

    An older slot that is made again tells nothing new: the next run would read once more what later
    slots hold.
    """
    state = _state(context, manifest.slot.entity)
    if manifest.watermark is None or state is None:
        return
    latest, time = state.get(_TIME), manifest.slot.time_utc
    behind = isinstance(latest, str) and time < datetime.fromisoformat(latest)
    if behind and manifest.revision > 1:
        return
    state.set(_KEY, manifest.watermark)
    if not behind:
        state.set(_TIME, time.isoformat())


def _is_filled(slot: Slot) -> bool:
    try:
        archive.newest(slot, settings=site_settings())
    except NotArchived:
        return False
    return True


def _state(context: Context, entity: Entity) -> AssetStateStoreAccessor | None:
    """The store of the entity's asset; a task that does not announce the asset has none."""
    stores, outlet = context.get("asset_state_store"), asset(entity)
    if stores is None or outlet not in context["ti"].task.outlets:
        return None
    return stores[outlet]
