"""What the pages on entities show: the list of all of them, and one over time with its calendar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Final

from platform_ops import archive
from platform_ops.archive import Index, Question, Status
from platform_ops.archive.arrivals import State
from platform_ops.archive.indexing import Hit, Overview
from platform_ops.archive.place import templates_of
from platform_ops.archive.stores.store import Store, locate
from platform_ops.entity import Entity
from platform_ops.settings import EntitySettings, Settings

__all__ = ["MARKS", "Day", "EntityRow", "Row", "calendar", "flat", "listed", "over_time", "rows"]

_INSTANT: Final = timedelta(microseconds=1)
_SCHEDULED: Final = timedelta(days=30)
_WORST: Final[tuple[State, ...]] = (
    *("missing", "empty", "late", "unexpected", "removed", "due", "arrived"),
)
MARKS: Final[dict[State, str]] = {
    "arrived": "✓",
    "late": "~",
    "empty": "0",
    "removed": "–",
    "unexpected": "?",
    "due": "·",
    "missing": "!",
}
"""A sign of each state, for whoever does not tell the colours apart."""


@dataclass(frozen=True, slots=True)
class EntityRow:
    """An entity in the list of all.

    :param state: Of its newest slot, or ``missing`` where later ones are overdue; None where nothing is
        archived and nothing expected.
    :param missing: How many slots are overdue since the newest one.
    """

    entity: Entity
    about: EntitySettings
    owner: str
    declared: bool
    known: Overview | None
    state: State | None
    missing: int


@dataclass(frozen=True, slots=True)
class Row:
    """A slot's newest revision, or a time at which there is none."""

    time_utc: datetime
    state: State
    due_utc: datetime | None
    hit: Hit | None
    url: str


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the calendar.

    :param state: The worst of its slots; None where there are none.
    """

    date: date
    state: State | None
    expected: int
    there: int

    @property
    def told(self) -> str:
        """In words, for whoever hears the page."""
        if self.state is None:
            return f"{self.date}: nothing expected, nothing there"
        return f"{self.date}: {self.there} of {self.expected} there, {self.state}"


def listed(index: Index, site: Settings, text: str) -> list[tuple[Entity, Overview | None]]:
    """Every entity that is declared or archived, whose name or owner holds a text, by name."""
    known = {each.entity: each for each in index.overview()}
    found = sorted({*known, *site.entities()})
    wanted = text.strip().lower()
    return [
        (each, known.get(each))
        for each in found
        if wanted in str(each).lower() or wanted in _owner(site, each).lower()
    ]


def rows(
    index: Index, site: Settings, entities: Sequence[tuple[Entity, Overview | None]]
) -> Iterator[EntityRow]:
    """Look at the newest slot of each: a page of them, never all."""
    now = datetime.now(UTC)
    for entity, known in entities:
        declared = site.declared(entity)
        about = declared or EntitySettings()
        state, missing = _newest_state(index, site, entity, about, known, now)
        yield EntityRow(
            entity, about, _owner(site, entity), declared is not None, known, state, missing
        )


def _newest_state(
    index: Index,
    site: Settings,
    entity: Entity,
    about: EntitySettings,
    known: Overview | None,
    now: datetime,
) -> tuple[State | None, int]:
    if about.schedule is not None:
        since = known.last_utc if known else now - _SCHEDULED
        found = archive.status(entity, since, None, fresh=False, settings=site)
        missing = found.counts["missing"]
        there = [each.state for each in found.arrivals if each.newest]
        if missing or there:
            return ("missing" if missing else there[-1]), missing
        return None, 0
    if known is None:
        return None, 0
    question = Question(entity, known.last_utc, known.last_utc + _INSTANT)
    hits = index.find(question, question.prefixes(templates_of(site))).hits
    newest = [list(group)[-1] for _, group in groupby(hits, key=lambda hit: hit.slot)]
    if newest and all(each.removed for each in newest):
        return "removed", 0
    empty = any(not each.removed and 0 in (each.size_bytes, each.rows) for each in newest)
    return ("empty" if empty else "arrived"), 0


def _owner(site: Settings, entity: Entity) -> str:
    declared, source = site.declared(entity), site.sources.get(entity.source)
    return (declared.owner if declared else None) or (source.owner if source else None) or ""


def over_time(
    index: Index, site: Settings, entity: Entity, since: datetime, until: datetime
) -> Status:
    """What was expected and what arrived, from the first slot on at the earliest."""
    known = index.overview(entity)
    first = known[0].first_utc if known else datetime.now(UTC) - _SCHEDULED
    start = min(max(since, first), until)
    return archive.status(entity, start, until, fresh=False, settings=site)


def flat(store: Store, found: Status, day: date | None) -> list[Row]:
    """Slots, newest first, each with its newest revision; of one day where one is asked for."""
    return [
        Row(each.time_utc, each.state, each.due_utc, hit, locate(store, hit.key) if hit else "")
        for each in reversed(found.arrivals)
        if day is None or each.time_utc.date() == day
        for hit in each.newest or (None,)
    ]


def calendar(found: Status, since: date, until: date) -> list[list[Day | None]]:
    """Seven rows, a weekday each, from Monday on; a column is a week."""
    by_day: dict[date, list[State]] = {}
    for each in found.arrivals:
        by_day.setdefault(each.time_utc.date(), []).append(each.state)
    monday = since - timedelta(days=since.weekday())
    weeks = (until - monday).days // 7 + 1

    def at(weekday: int, week: int) -> Day | None:
        day = monday + timedelta(days=7 * week + weekday)
        states = by_day.get(day, [])
        if not since <= day <= until:
            return None
        there = sum(state not in ("missing", "due") for state in states)
        worst = next((each for each in _WORST if each in states), None)
        return Day(day, worst, len(states), there)

    return [[at(weekday, week) for week in range(weeks)] for weekday in range(7)]
