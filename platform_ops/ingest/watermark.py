"""How far a source was read: kept with the entity's asset, and told by its manifests if that is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from platform_ops import archive
from platform_ops.entity import Entity
from platform_ops.ingest.context import asset, entity_of, site_settings

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.execution_time.context import AssetStateStoreAccessor

__all__ = ["advance", "watermark_of"]

_KEY: Final = "watermark"


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


def advance(context: Context, entity: Entity, watermark: str | None) -> None:
    """Keep what a commit tells; a retry that adopts it does so again."""
    state = _state(context, entity)
    if watermark is not None and state is not None:
        state.set(_KEY, watermark)


def _state(context: Context, entity: Entity) -> AssetStateStoreAccessor | None:
    """The store of the entity's asset; a task that does not announce the asset has none."""
    stores, outlet = context.get("asset_state_store"), asset(entity)
    if stores is None or outlet not in context["ti"].task.outlets:
        return None
    return stores[outlet]
