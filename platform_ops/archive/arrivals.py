"""Slots that were expected against those that arrived: late, empty, missing and unexpected ones named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Final, Literal

from platform_ops.archive.indexing import Hit, Index, Question
from platform_ops.entity import Entity
from platform_ops.schedule import Schedule, inferred
from platform_ops.settings import EntitySettings
from platform_ops.url_scheme import Template

__all__ = ["STATES", "Arrival", "State", "Status", "status"]

State = Literal["arrived", "late", "empty", "removed", "unexpected", "due", "missing"]

STATES: Final[dict[State, str]] = {
    "arrived": "there, in time",
    "late": "there, committed after the time by which it was due",
    "empty": "there, without a byte or without a row",
    "removed": "its payloads expired or were erased",
    "unexpected": "there, at a time that the schedule does not name",
    "due": "not there yet, and not to be missed yet",
    "missing": "not there, and overdue",
}
"""Every state of a slot's time, and what it means."""

_A_WHILE: Final = timedelta(days=30)
"""How far back to look where nothing is said, and the entity is as old."""
_SEEN_FOR_A_PERIOD: Final = 500


@dataclass(frozen=True, slots=True)
class Arrival:
    """One time at which a slot was expected, or is.

    :param due_utc: By when it should have been there; None where nothing is expected then.
    :param newest: The newest revision of each slot at this time: mapped tasks and partitions have many.
    """

    time_utc: datetime
    state: State
    due_utc: datetime | None
    newest: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """One entity over a range of time.

    :param schedule: What was expected; None where none is set and none can be inferred.
    :param inferred: Whether it was inferred from what arrived.
    :param damaged: Manifests that cannot be read: what they hold counts as not there.
    :param lost: Manifests that the index has seen, and that are gone.
    :param as_of_utc: When the store was listed for it.
    """

    entity: Entity
    since: datetime
    until: datetime
    schedule: Schedule | None
    inferred: bool
    arrivals: tuple[Arrival, ...]
    damaged: tuple[Hit, ...]
    lost: tuple[Hit, ...]
    as_of_utc: datetime

    @property
    def counts(self) -> dict[State, int]:
        """How many times are in each state."""
        counted = Counter(each.state for each in self.arrivals)
        return {state: counted[state] for state in STATES}

    @property
    def complete(self) -> bool:
        """Whether nothing is missing, damaged or lost."""
        return not self.damaged and not self.lost and self.counts["missing"] == 0


def status(
    index: Index,
    templates: Iterable[Template],
    entity: Entity,
    agreement: EntitySettings,
    *,
    now: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Status:
    """Compare what was expected of an entity with what an index knows, as it was refreshed last.

    :param agreement: With the schedule, its zone and the grace.
    :param since: The first slot there is, or 30 days ago, whichever is later, where None.
    :param until: Now, where None.
    """
    # Without a schedule, one is inferred from what arrived before as well.
    bounded = since is not None and agreement.schedule is not None
    question = Question(entity, since, until) if bounded else Question(entity)
    answer = index.find(question, question.prefixes(templates))
    by_time = _by_time(answer.hits)
    schedule = _declared(agreement) or inferred(sorted(by_time)[-_SEEN_FOR_A_PERIOD:])
    end = now if until is None else until
    # Of an entity that is scheduled and never came, all that was expected is missing.
    first = min(by_time, default=now if agreement.schedule is None else now - _A_WHILE)
    start = since or max(first, now - _A_WHILE)
    expected = _due(schedule, agreement.grace_minutes, start, min(end, now))
    times = {time for time in by_time if start <= time < end} | set(expected)
    return Status(
        entity,
        start,
        end,
        schedule,
        schedule is not None and agreement.schedule is None,
        tuple(
            Arrival(
                time,
                _state(expected.get(time), held, now, scheduled=schedule is not None),
                expected.get(time),
                tuple(each.newest for each in held),
            )
            for time, held in ((time, by_time.get(time, ())) for time in sorted(times))
        ),
        tuple(answer.faulty),
        tuple(answer.lost),
        answer.as_of_utc or now,
    )


def _declared(agreement: EntitySettings) -> Schedule | None:
    if agreement.schedule is None:
        return None
    return Schedule.parse(agreement.schedule, agreement.timezone)


@dataclass(frozen=True, slots=True)
class _Held:
    """A slot that is there: its oldest revision tells when it arrived, its newest what it holds."""

    first: Hit
    newest: Hit


def _by_time(hits: Iterable[Hit]) -> dict[datetime, tuple[_Held, ...]]:
    """Slots by their time; the hits come in order of slot and revision."""
    found: dict[datetime, list[_Held]] = {}
    for slot, revisions in groupby(hits, key=lambda hit: hit.slot):
        of_slot = list(revisions)
        if slot is not None:
            found.setdefault(slot.time_utc, []).append(_Held(of_slot[0], of_slot[-1]))
    return {time: tuple(held) for time, held in found.items()}


def _due(
    schedule: Schedule | None, grace_minutes: int | None, since: datetime, until: datetime
) -> dict[datetime, datetime]:
    """Every time that was expected, with the time by which its slot is due."""
    if schedule is None:
        return {}
    times = list(schedule.times(since, until))
    if grace_minutes is not None:
        return {time: time + timedelta(minutes=grace_minutes) for time in times}
    return dict(pairwise([*times, *_after(schedule, times)]))


def _after(schedule: Schedule, times: Sequence[datetime]) -> Iterator[datetime]:
    for time in times[-1:]:
        following = schedule.times(time + timedelta(microseconds=1), time + timedelta(days=366 * 5))
        yield next(following, time)


def _state(due: datetime | None, held: Sequence[_Held], now: datetime, *, scheduled: bool) -> State:
    if not held:
        return "missing" if due is not None and due <= now else "due"
    if all(each.newest.removed for each in held):
        return "removed"
    if scheduled and due is None:
        return "unexpected"
    if any(_empty(each.newest) for each in held):
        return "empty"
    committed = [each.first.committed_at_utc for each in held]
    late = due is not None and any(time is not None and time > due for time in committed)
    return "late" if late else "arrived"


def _empty(hit: Hit) -> bool:
    return not hit.removed and (hit.size_bytes == 0 or hit.rows == 0)
