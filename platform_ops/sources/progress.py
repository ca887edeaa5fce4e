"""What earlier captures have told of a source that delivers each thing once: mail, a stream.

Such a source keeps its watermark as JSON, with an identity under ``of``: the mailbox, the topics. Two
places tell it, Airflow's state store and the archive's manifests, and neither is believed alone: a task
that was cleared puts an old watermark back, and a store can be lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from platform_ops import archive
from platform_ops.errors import NotArchived
from platform_ops.ingest import entity_of, site_settings, slot_of, watermark_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from platform_ops.entity import Manifest
    from platform_ops.ingest import ArchivingOperator

__all__ = ["earlier", "read", "settled"]

Told = dict[str, Any]  # Any: JSON values of a source's own


def earlier(
    context: Context, entity: str, of: str, enough: Callable[[list[Told]], object] = bool
) -> list[Told]:
    """Watermarks of earlier captures from one origin; empty where there were none.

    :param of: The origin's identity, as it stands in the watermark.
    :param enough: Whether the newest ones tell all that is asked; else every manifest is read.
    """
    site, named = site_settings(), entity_of(entity)
    texts = [watermark_of(context, named)]
    with suppress(NotArchived):
        texts.append(archive.newest(named, settings=site).watermark)
    found = [told for told in map(read, texts) if told.get("of") == of]
    if enough(found):
        return found
    # Several origins fill one entity, as mapped tasks do: look for the captures of this one.
    every = (read(each.watermark) for each in archive.find(named, settings=site))
    return [told for told in every if told.get("of") == of]


def settled(context: Context, task: ArchivingOperator) -> Manifest | None:
    """What the slot of this run holds already: to fill it again is to read the same things again.

    What is new belongs to a later slot, since a revision takes the place of the one before it.
    """
    slot = slot_of(context, entity_of(task.entity), task.partition_key, task.map_key)
    try:
        return archive.newest(slot, settings=site_settings())
    except NotArchived:
        return None


def read(text: str | None) -> Told:
    """A watermark, as it was told; empty where there is none, or one of another kind of source."""
    try:
        told = json.loads(text or "")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
