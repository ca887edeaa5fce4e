"""The site's sources and entities, and what arrived of them, as the documentation's catalogue wants it.

One line in a ``conf.py`` is enough: ``airflow_catalog["entities"] = "platform_ops.published:published"``.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from platform_ops import archive
from platform_ops.entity import Entity as Name
from platform_ops.entity import Manifest, Slot
from platform_ops.errors import PlatformError
from platform_ops.registry.models.entities import Arrival, Column, DataSource, Entity, Published
from platform_ops.settings import Settings, load

__all__ = ["published"]

_DAYS = 30
_HEAD_BYTES = 65_536


def published(moment: str) -> Published:
    """Everything that ``platform.toml`` declares.

    :param moment: ISO time up to which arrivals count.
    """
    found = load()
    settings = found.settings
    now = datetime.fromisoformat(moment)
    entities = tuple(_entity(each, settings, now) for each in settings.entities())
    return Published(
        sources=tuple(
            DataSource(name, each.description, each.owner or "", each.url or "")
            for name, each in settings.sources.items()
        ),
        entities=entities,
        files=(str(found.path),) if found.path else (),
        live=any(each.reachable for each in entities),
    )


def _entity(name: Name, settings: Settings, now: datetime) -> Entity:
    agreed = settings.entity(name)
    owner = agreed.owner or settings.sources[name.source].owner or ""
    days = agreed.retention_days
    manifests, reachable = _newest(name, settings, now)
    newest = max(manifests, key=lambda each: each.slot.time_utc, default=None)
    slot = newest.slot if newest else Slot(name, now)
    return Entity(
        name=str(name),
        source=name.source,
        description=agreed.description,
        owner=owner,
        sensitivity=agreed.sensitivity,
        retention=f"{days} days" if days else "for ever",
        asset=name.uri,
        url_pattern=_pattern(name, settings),
        url_example=archive.url(name, slot, settings),
        reachable=reachable,
        last_arrived=_last(manifests),
        format=newest.payloads[0].media_type if newest and newest.payloads else "",
        columns=_columns(newest, settings) if newest else (),
        arrivals=_by_day(manifests),
    )


def _newest(name: Name, settings: Settings, now: datetime) -> tuple[list[Manifest], bool]:
    """The last days' captures, and those of the newest days before where there are none."""
    root = settings.archive.root
    try:
        recent = _heads(archive.find(name, now - timedelta(days=_DAYS), now, settings))
        found = recent or _heads(archive.find(name, None, now, settings))
    except (PlatformError, OSError):
        return [], False
    return found, bool(found) or not root.startswith("file://")


def _heads(manifests: Iterable[Manifest]) -> list[Manifest]:
    """The newest revision of each slot."""
    newest: dict[Slot, Manifest] = {}
    for each in manifests:
        if each.slot not in newest or each.revision > newest[each.slot].revision:
            newest[each.slot] = each
    return list(newest.values())


def _pattern(name: Name, settings: Settings) -> str:
    source, entity = name.source, name.name
    template = settings.archive.template.replace("{source}", source).replace("{entity}", entity)
    return f"{settings.archive.root}/data/{template}"


def _last(manifests: Iterable[Manifest]) -> str:
    newest = max((each.committed_at_utc for each in manifests), default=None)
    return newest.isoformat(timespec="seconds") if newest else ""


def _by_day(manifests: Iterable[Manifest]) -> tuple[Arrival, ...]:
    days: dict[str, list[Manifest]] = defaultdict(list)
    for each in manifests:
        days[each.slot.time_utc.date().isoformat()].append(each)
    return tuple(_arrival(day, days[day]) for day in sorted(days)[-_DAYS:])


def _arrival(day: str, captures: list[Manifest]) -> Arrival:
    rows = [each.rows for each in captures]
    known = [each for each in rows if each is not None]
    return Arrival(
        day,
        len(captures),
        sum(each.size_bytes for each in captures),
        sum(known) if len(known) == len(rows) else None,
    )


def _columns(newest: Manifest, settings: Settings) -> tuple[Column, ...]:
    """Names, and types where the format has any, from the first bytes of the newest payload."""
    if not newest.payloads:
        return ()
    kind = newest.payloads[0].media_type
    try:
        if "parquet" in kind:
            return _parquet_columns(newest, settings)
        with archive.open(archive.refer(newest).to_dict(), verify=False, settings=settings) as body:
            head = body.read(_HEAD_BYTES).decode("utf-8", "replace")
        if "csv" in kind:
            return tuple(Column(each) for each in next(csv.reader(io.StringIO(head)), []))
        if "json" in kind:
            return _json_columns(head)
    except (PlatformError, OSError, ValueError):
        return ()
    return ()


def _parquet_columns(newest: Manifest, settings: Settings) -> tuple[Column, ...]:
    """Of its first rows, or of none where it has none; pyarrow reads them, where it is installed."""
    ref = archive.refer(newest).to_dict()
    rows = archive.batches(ref, verify=False, settings=settings)
    first = next(rows, None)
    schema = first.schema if first is not None else archive.as_arrow(ref, settings).schema
    return tuple(Column(each.name, str(each.type)) for each in schema)


def _json_columns(head: str) -> tuple[Column, ...]:
    """Of the first object: a document's, a line's, or a list's first."""
    start = head.find("{")
    first, _ = json.JSONDecoder().raw_decode(head[start:]) if start >= 0 else ({}, 0)
    return tuple(Column(name, type(value).__name__) for name, value in first.items())
