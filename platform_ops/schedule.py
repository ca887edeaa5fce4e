"""When captures of an entity are expected: a cron expression, ``@daily`` and its like, or a period.

Pure: no Airflow, no storage. Times of a cron expression are local to a time zone, as Airflow takes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["Schedule", "inferred"]

_FORESEEN: Final = timedelta(days=366 * 5)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EVERY: Final = re.compile(r"every (?P<count>[1-9][0-9]*)? ?(?P<unit>minute|hour|day|week)s?")
_PRESETS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
_RIGHT: Final = (
    "write a cron expression of five fields such as '30 6 * * 1-5', one of "
    f"{', '.join(_PRESETS)}, or a period such as 'every 15 minutes'"
)
_REGULAR: Final = 0.6
"""The part of all gaps that must have one length for a period to be inferred from them."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The times at which a slot is expected.

    :param text: As the site wrote it, or as it was inferred.
    :param zone: Name of the time zone in which a cron expression is meant.
    :param period: Between two times, where it is no cron expression.
    :param anchor: One of the times, where there is a period.
    :raises ValueError: The text or the zone is none; the message says what is right.
    """

    text: str
    zone: str = "UTC"
    period: timedelta | None = None
    anchor: datetime = _EPOCH

    @classmethod
    def parse(cls, text: str, zone: str = "UTC") -> Schedule:
        """Read what a site wrote.

        :raises ValueError: It is no schedule, or there is no such zone.
        """
        from croniter import croniter

        _zone(zone)
        if hit := _EVERY.fullmatch(text):
            period = timedelta(**{f"{hit['unit']}s": int(hit["count"] or 1)})
            return cls(text, zone, period)
        expression = _PRESETS.get(text, text)
        if len(expression.split()) != 5 or not croniter.is_valid(expression):
            raise ValueError(f"{text!r} is no schedule; {_RIGHT}")
        return cls(text, zone)

    def times(self, since: datetime, until: datetime) -> Iterator[datetime]:
        """Every time in ``[since, until)``, in UTC."""
        if self.period is not None:
            return _periodic(self.period, self.anchor, since, until)
        return self._cron(since, until)

    def due_after(self, time: datetime, grace: timedelta | None = None) -> datetime | None:
        """By when the slot after the one of ``time`` has to be there; None where none follows.

        :param grace: How long after its own time a slot may come; until the next one's where None.
        """
        following = self.times(time + timedelta(microseconds=1), time + _FORESEEN)
        after = next(following, None)
        if after is None:
            return None
        return next(following, None) if grace is None else after + grace

    def _cron(self, since: datetime, until: datetime) -> Iterator[datetime]:
        from croniter import croniter

        expression, zone = _PRESETS.get(self.text, self.text), _zone(self.zone)
        # A fixed time of day is one of the clock on the wall, where the hour that is set back comes
        # once and one that is left out is made up for; every hour is an hour, whatever the clock says.
        by_the_wall = "*" not in expression.split()[1]
        start = since.astimezone(zone) - timedelta(hours=3)
        ticks = croniter(expression, start.replace(tzinfo=None) if by_the_wall else start)
        while True:
            tick: datetime = ticks.get_next(datetime)
            moment = (tick.replace(tzinfo=zone) if by_the_wall else tick).astimezone(UTC)
            if moment >= until:
                return
            if moment >= since:
                yield moment


def inferred(times: Iterable[datetime]) -> Schedule | None:
    """The period that most gaps between these times have; None where there is no such."""
    ordered = sorted(set(times))
    gaps = [later - earlier for earlier, later in pairwise(ordered)]
    if len(gaps) < 2:
        return None
    usual = max(set(gaps), key=lambda gap: (gaps.count(gap), -gap))
    if gaps.count(usual) < _REGULAR * len(gaps):
        return None
    return Schedule(f"every {_words(usual)}", "UTC", usual, ordered[-1])


def _periodic(
    period: timedelta, anchor: datetime, since: datetime, until: datetime
) -> Iterator[datetime]:
    moment = anchor + -((anchor - since) // period) * period
    while moment < until:
        if moment >= since:
            yield moment.astimezone(UTC)
        moment += period


def _words(gap: timedelta) -> str:
    for unit in ("weeks", "days", "hours", "minutes", "seconds"):
        count, rest = divmod(gap, timedelta(**{unit: 1}))
        if count and not rest:
            return unit.removesuffix("s") if count == 1 else f"{count} {unit}"
    return f"{gap.total_seconds()} seconds"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; write one such as 'Europe/Berlin'") from None
