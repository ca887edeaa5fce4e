"""How much an entity usually brings, by its manifests, and in words what does not fit that.

Robust: the median and the median deviation from it, which a few odd days do not move. Seasonal: by weekday
and hour, as soon as there are enough captures of those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from platform_ops.archive.records import read
from platform_ops.archive.stores.store import Store
from platform_ops.entity import Slot
from platform_ops.errors import ArchiveCorrupt
from platform_ops.url_scheme import Template, encode

__all__ = ["Sample", "Usual", "samples", "usual"]

_WEEKS: Final = 10
_SAMPLES: Final = 60
_DEVIATIONS: Final = 6.0
"""How many robust standard deviations from the median still pass."""
_TO_SIGMA: Final = 1.4826  # of a median absolute deviation, where values are spread normally
_LEAST_SPREAD: Final = 0.05
"""Of the median: what brings the same each day may still vary by this much, times the deviations."""
_SEASONAL_FLOOR: Final = 4
_DAYS: Final = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


@dataclass(frozen=True, slots=True)
class Sample:
    """One capture that is there."""

    time_utc: datetime
    size_bytes: int
    rows: int | None


@dataclass(frozen=True, slots=True)
class Usual:
    """What a delivery of this time usually holds.

    :param unit: ``rows`` or ``bytes``.
    :param season: Whose usual it is: ``Tuesdays at 06:00``, ``06:00``, or empty for all captures.
    :param low: The least that passes, and ``high`` the most.
    :param seen: The least and the most of the captures that pass.
    """

    unit: str
    season: str
    low: float
    high: float
    median: float
    seen: tuple[int, int]
    captures: int

    def told(self, value: int) -> str:
        """A value beside the usual, in words."""
        least, most = self.seen
        many = f"{least:,}" if least == most else f"{least:,}–{most:,}"
        who = f"{self.season} bring" if self.season else "captures bring"
        return (
            f"{value:,} {self.unit}; {who} {many} "
            f"(median {self.median:,.0f} of {self.captures} captures)"
        )


def samples(store: Store, templates: Sequence[Template], slot: Slot, zone: str) -> list[Sample]:
    """Captures before a slot, of the same map key: those of its weekday and hour first, few in all.

    A manifest that is damaged is left out: it is ``verify`` that tells of it.
    """
    since = slot.time_utc - timedelta(weeks=_WEEKS)
    keys = read.keys_of(store, templates, slot.entity, since, slot.time_utc)
    folders: dict[str, str] = {}  # to the newest revision, since keys come in order
    for key in keys:
        folders[key.rpartition("/")[0]] = key
    at = slot.time_utc.astimezone(ZoneInfo(zone))
    ranked = sorted(
        (rank, key)
        for folder, key in folders.items()
        if (rank := _rank(templates, folder.removeprefix("meta/"), slot, at)) is not None
    )
    return [*_read(store, (key for _, key in ranked[:_SAMPLES]), slot)]


def _rank(
    templates: Sequence[Template], folder: str, slot: Slot, at: datetime
) -> tuple[int, float] | None:
    """How much a folder's capture tells of a slot: the lower the more, and the younger the more."""
    wanted = None if slot.map_key is None else encode(slot.map_key)
    for template in templates:
        levels = template.split(folder)
        if levels is None:
            continue
        if levels.get("map_key") != wanted:
            return None
        clock = levels.get("time", "000000Z")[:6]
        moment = datetime.strptime(f"{levels['date']}{clock}+0000", "%Y-%m-%d%H%M%S%z")
        if moment >= slot.time_utc:
            return None
        local = moment.astimezone(at.tzinfo)
        alike = (local.hour == at.hour) + 2 * (
            local.hour == at.hour and local.weekday() == at.weekday()
        )
        return -alike, -moment.timestamp()
    return None


def _read(store: Store, keys: Iterator[str], slot: Slot) -> Iterator[Sample]:
    for key in keys:
        try:
            found = read.manifest_at(store, key)
        except ArchiveCorrupt:
            continue
        if found.slot.map_key == slot.map_key and found.slot != slot:
            yield Sample(found.slot.time_utc, found.size_bytes, found.rows)


def usual(past: Sequence[Sample], at: datetime, unit: str, floor: int) -> Usual | None:
    """What captures at this time usually hold; None where there are too few to say.

    :param at: Local time of the slot.
    :param unit: ``rows``, for captures that know them, or ``bytes``.
    :param floor: How many captures it takes; of one weekday alone half as many.
    """
    known = [(each.time_utc.astimezone(at.tzinfo), _value(each, unit)) for each in past]
    for season, belongs, least in _seasons(at, floor, {time.hour for time, _ in known}):
        values = [value for time, value in known if value is not None and belongs(time)]
        if len(values) >= least:
            return _of(values, unit, season)
    return None


def _seasons(
    at: datetime, floor: int, hours: set[int]
) -> Iterator[tuple[str, Callable[[datetime], bool], int]]:
    day, clock = _DAYS[at.weekday()], f"{at.hour:02d}:00"
    hourly = len(hours) > 1

    def same_hour(time: datetime) -> bool:
        return time.hour == at.hour

    def same_day(time: datetime) -> bool:
        return same_hour(time) and time.weekday() == at.weekday()

    yield f"{day} at {clock}" if hourly else day, same_day, max(_SEASONAL_FLOOR, floor // 2)
    if hourly:
        yield f"captures at {clock}", same_hour, floor
    yield "", lambda _: True, floor


def _value(sample: Sample, unit: str) -> int | None:
    return sample.rows if unit == "rows" else sample.size_bytes


def _of(values: list[int], unit: str, season: str) -> Usual:
    middle = median(values)
    deviation = median(abs(value - middle) for value in values) * _TO_SIGMA
    room = _DEVIATIONS * max(deviation, middle * _LEAST_SPREAD)
    low, high = middle - room, middle + room
    passing = [value for value in values if low <= value <= high]
    return Usual(unit, season, low, high, middle, (min(passing), max(passing)), len(values))
