"""Columns that changed since the last capture: told in the log, and counted."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from platform_ops import archive, metrics
from platform_ops.errors import ArchiveError
from platform_ops.ingest import site_settings
from platform_ops.tabular import PARQUET, Column, columns, schema_digest

if TYPE_CHECKING:
    import pyarrow as pa

    from platform_ops.entity import Manifest, Slot

__all__ = ["changes", "report"]

log = logging.getLogger("platform_ops.ingest")


def report(slot: Slot, schema: pa.Schema) -> None:
    """Warn where the columns differ from those of the entity's last capture; what then is policy."""
    try:
        before = _last(slot)
        if before is None or before.payloads[0].schema_sha256 == schema_digest(schema):
            return
        told = "; ".join(changes(_columns(before), columns(schema))) or "in a type's details"
    except ArchiveError as err:
        log.warning("%s: its columns cannot be compared with those of before: %s", slot, err)
        return
    metrics.emit(metrics.SCHEMA_DRIFT, 1, slot.entity)
    log.warning(
        "%s: the columns changed since revision %d of %s: %s",
        slot,
        before.revision,
        before.slot,
        told,
    )


def changes(before: tuple[Column, ...], after: tuple[Column, ...]) -> Iterator[str]:
    """What changed, in words."""
    then, now = ({each.name: each for each in side} for side in (before, after))
    for name in then.keys() - now.keys():
        yield f"{name} is gone"
    for name in now.keys() - then.keys():
        yield f"{name} ({now[name].type}) is new"
    kept = [name for name in now if name in then]
    for name in kept:
        if now[name].type != then[name].type:
            yield f"{name} was {then[name].type} and is {now[name].type}"
        elif now[name].nullable != then[name].nullable:
            yield f"{name} may {'now' if now[name].nullable else 'no longer'} be null"
    if kept != [name for name in then if name in now]:
        yield "the order of columns is another"


def _last(slot: Slot) -> Manifest | None:
    """The newest capture of the entity, at the slot's time or before it."""
    # A plain datetime: what pendulum subtracts from its own may lack the zone.
    time_utc = datetime.fromisoformat(slot.time_utc.isoformat())
    until = time_utc + timedelta(microseconds=1)
    found = archive.recent(slot.entity, until, settings=site_settings())
    tables = (each for each in found if each.payloads and each.payloads[0].media_type == PARQUET)
    return next(tables, None)


def _columns(manifest: Manifest) -> tuple[Column, ...]:
    import pyarrow.parquet as pq

    first = next(archive.bodies(archive.refer(manifest, site_settings())))
    # Its index alone, which stands at its end.
    with first.open(verify=False, seekable=True) as body:
        return columns(pq.read_schema(body))
