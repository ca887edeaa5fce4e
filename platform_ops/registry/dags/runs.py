"""When a DAG runs next, and for which days it ran: asked of its own timetable.

Everything is counted from one moment that the caller gives, never from the clock, so that equal
builds are equal (ADR 0017).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow.serialization.definitions.dag import SerializedDAG
    from airflow.timetables.base import DagRunInfo

__all__ = ["DAYS", "due_days", "next_runs"]

DAYS: Final = 30
"""How far back :func:`due_days` looks."""

_SHOWN = 5
_MOST = 5_000  # runs that are walked through to find the next ones: a run every second for an hour
_OF_THE_CLOCK = ("ContinuousTimetable", "OnceTimetable")  # these follow what happened, not a plan
# A timetable says what follows what, not what comes next: asked for runs since the moment, one over
# intervals leaves out the interval that is open. So the walk starts at a run before it.
_LOOKS_BACK = tuple(timedelta(days=days) for days in (0.05, 1.1, 8, 32, 370))


def next_runs(dag: SerializedDAG, moment: datetime) -> tuple[str, ...]:
    """The next runs as ISO times in the timetable's zone; none where only events start it."""
    coming = (each for each in islice(_walk(dag, moment), _MOST) if each.run_after >= moment)
    zone = getattr(dag.timetable, "_timezone", None) or UTC
    found = (each.run_after.astimezone(zone) for each in islice(coming, _SHOWN))
    return tuple(each.isoformat(timespec="minutes") for each in found)


def due_days(dag: SerializedDAG, moment: datetime) -> tuple[str, ...]:
    """The last days that data should exist for, up to the DAG's own end."""
    until = min(filter(None, (moment, dag.end_date))).astimezone(UTC)
    midnight = until.replace(hour=0, minute=0, second=0, microsecond=0)
    days = (midnight - timedelta(days=back) for back in reversed(range(DAYS + 1)))
    due = (each.date().isoformat() for each in days if _is_due(dag, each, moment))
    return tuple(due)[-DAYS:]


def _is_due(dag: SerializedDAG, day: datetime, moment: datetime) -> bool:
    """Whether a run for that day has started; one run is enough to know, however many there are."""
    wanted = day.date().isoformat()
    for each in islice(_infos(dag, day), 3):
        if _day_of(each) >= wanted:
            return _day_of(each) == wanted and each.run_after < moment
    return False


def _walk(dag: SerializedDAG, moment: datetime) -> Iterator[DagRunInfo]:
    """Runs from shortly before the moment on."""
    earliest = moment
    for back in _LOOKS_BACK:
        earliest = moment - back
        first = next(_infos(dag, earliest), None)
        begins_later = dag.start_date is not None and dag.start_date >= earliest
        if first is not None and (first.run_after <= moment or begins_later):
            break
    return _infos(dag, earliest)


def _infos(dag: SerializedDAG, earliest: datetime) -> Iterator[DagRunInfo]:
    from airflow.timetables.base import TimeRestriction
    from pendulum import instance  # what timetables count with

    timetable = dag.timetable
    if not timetable.periodic or type(timetable).__name__ in _OF_THE_CLOCK:
        return
    begin = _begin(earliest, dag.start_date, getattr(timetable, "_delta", None))
    end = instance(dag.end_date) if dag.end_date else None
    restriction = TimeRestriction(instance(begin), end, catchup=True)
    info: DagRunInfo | None = None
    while following := timetable.next_dagrun_info_v2(
        last_dagrun_info=info, restriction=restriction
    ):
        if info is not None and following.run_after <= info.run_after:
            return
        info = following
        yield info


def _begin(earliest: datetime, start: datetime | None, delta: object) -> datetime:
    """The first moment to ask for; a fixed distance is counted from the DAG's own start."""
    if start is None or start >= earliest:
        return start or earliest
    if not isinstance(delta, timedelta):
        return earliest
    first = datetime.fromtimestamp(start.timestamp(), UTC)  # of the standard library, which divides
    return first + (earliest - first) // delta * delta


def _day_of(info: Any) -> str:  # Any: the partition's date is of newer timetables alone
    when = getattr(info, "partition_date", None)
    if when is None and info.data_interval is not None:
        when = info.data_interval.start
    return str((when or info.run_after).astimezone(UTC).date())
