"""What earlier captures have told of a source that delivers each thing once: mail, a stream.

Such a source keeps its watermark as JSON, with an identity under ``of``: the mailbox, the topics. Two
places tell it, Airflow's state store and the archive's manifests, and neither is believed alone: a task
that was cleared puts an old watermark back, and a store can be lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from platform_ops import archive
from platform_ops.errors import NotArchived
from platform_ops.ingest import entity_of, site_settings, slot_of, watermark_before

if TYPE_CHECKING:
    from airflow.sdk import Context

    from platform_ops.entity import Manifest, Slot
    from platform_ops.ingest import ArchivingOperator

__all__ = ["earlier", "read", "settled"]

Told = dict[str, Any]  # Any: JSON values of a source's own


def earlier(
    context: Context,
    task: ArchivingOperator,
    of: str,
    enough: Callable[[list[Told]], object] = bool,
) -> list[Told]:
    """Watermarks of earlier captures from one origin, latest first; empty where there were none.

    Several origins may fill one entity, as mapped tasks do, so that the newest manifest may be another's.

    :param of: The origin's identity, as it stands in the watermark.
    :param enough: Whether these tell all that is asked; until then older manifests are read.
    """
    slot = _slot(context, task)
    found = [told for told in [read(watermark_before(context, slot))] if told.get("of") == of]
    for manifest in archive.recent(slot.entity, settings=site_settings()):
        told = read(manifest.watermark)
        if told.get("of") == of:
            found.append(told)
            if enough(found):
                break
    return found


def settled(context: Context, task: ArchivingOperator) -> Manifest | None:
    """What the slot of this run holds already: to fill it again is to read the same things again.

    What is new belongs to a later slot, since a revision takes the place of the one before it.
    """
    try:
        return archive.newest(_slot(context, task), settings=site_settings())
    except NotArchived:
        return None


def _slot(context: Context, task: ArchivingOperator) -> Slot:
    return slot_of(context, entity_of(task.entity), task.partition_key, task.map_key)


def read(text: str | None) -> Told:
    """A watermark, as it was told; empty where there is none, or one of another kind of source."""
    try:
        told = json.loads(text or "")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
