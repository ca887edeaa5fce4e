"""How far a source was read: kept with the entity's asset, and told by its manifests if that is lost."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
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
    tells it: the latest slot with a watermark.

    :return: In the source's own terms, as :attr:`platform_ops.entity.Part.watermark` gave it.
    """
    parsed = entity_of(entity)
    kept = _kept(_state(context, parsed), None)
    if kept is not None:
        return kept
    return _told(archive.recent(parsed, settings=site_settings()))


def watermark_before(context: Context, slot: Slot) -> str | None:
    """How far the captures before a slot's own have read: where it begins, now and when it is made again.

    Of a mapped task each key goes on by itself.

    :param slot: The one that is about to be filled, for the first time or once more.
    :return: As :func:`watermark_of` gives it.
    """
    site, key, again = site_settings(), slot.map_key, _is_filled(slot)
    kept = None if again else _kept(_state(context, slot.entity), key)
    if kept is not None:
        return kept
    until = slot.time_utc if again else None
    found = archive.recent(slot.entity, until, key, settings=site)
    return _told(each for each in found if each.slot.map_key == key)


def advance(context: Context, manifest: Manifest) -> None:
    """Keep what a commit tells; a retry that adopts it does so again.

    An older slot that is made again tells nothing new: the next run would read once more what later
    slots hold.
    """
    slot, state = manifest.slot, _state(context, manifest.slot.entity)
    if manifest.watermark is None or state is None:
        return
    latest = state.get(_name(_TIME, slot.map_key))
    behind = isinstance(latest, str) and slot.time_utc < datetime.fromisoformat(latest)
    if behind and manifest.revision > 1:
        return
    state.set(_name(_KEY, slot.map_key), manifest.watermark)
    if not behind:
        state.set(_name(_TIME, slot.map_key), slot.time_utc.isoformat())


def _kept(state: AssetStateStoreAccessor | None, map_key: str | None) -> str | None:
    kept = None if state is None else state.get(_name(_KEY, map_key))
    return kept if isinstance(kept, str) else None


def _told(manifests: Iterable[Manifest]) -> str | None:
    return next((each.watermark for each in manifests if each.watermark is not None), None)


def _name(of: str, map_key: str | None) -> str:
    """Under which name Airflow keeps it: of a map key, which may be any text, by its digest."""
    if map_key is None:
        return of
    return f"{of}_{hashlib.sha256(map_key.encode()).hexdigest()[:32]}"


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
