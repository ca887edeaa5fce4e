"""What a template may ask of the platform: ``{{ macros.platform_ops.archive_url("shop.orders") }}``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from airflow.plugins_manager import AirflowPlugin
from jinja2 import pass_context

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["PlatformMacros", "archive_url"]


@pass_context
def archive_url(
    context: Context,
    entity: str,
    time: datetime | None = None,
    partition_key: str | None = None,
    map_key: str | None = None,
) -> str:
    """The folder of an entity's payloads for this run: known before anything is there, without a network.

    In a template it is called without the context, which Jinja passes.

    :param entity: As ``source.name``.
    :param time: Of another run's slot, such as ``data_interval_end``.
    :param partition_key: The run's own where unset.
    :param map_key: Of one instance of a mapped task; the map index where unset and the task is mapped.
    :raises ConfigError: No entity is written so.
    :raises UrlError: A value makes the key longer than a store takes, or a time has no zone.
    """
    from dataclasses import replace

    from platform_ops import archive
    from platform_ops.ingest import entity_of, site_settings, slot_of

    slot = slot_of(context, entity_of(entity), partition_key, map_key)
    if time is not None:
        slot = replace(slot, time_utc=time)
    return archive.url(slot.entity, slot, site_settings())


class PlatformMacros(AirflowPlugin):
    """Lets templates name places in the archive."""

    name = "platform_ops"
    macros = [archive_url]  # noqa: RUF012  # as Airflow's own plugins declare it
