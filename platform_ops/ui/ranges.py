"""Which part of much a page shows: a range of days, and a page of a list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from platform_ops.errors import UrlError

__all__ = ["Range", "Slice", "slice_of"]

_WEEKS: Final = 26


@dataclass(frozen=True, slots=True)
class Range:
    """Half a year of days.

    :param until: The last day.
    :param day: The one day whose slots are listed, where one was chosen.
    """

    since: date
    until: date
    day: date | None

    @classmethod
    def of(cls, until: str | None, day: str | None) -> Range:
        """By what was asked: 26 weeks, the last one up to the last day, today where it says none.

        :raises UrlError: It is no day.
        """
        last = _day(until) if until else datetime.now(UTC).date()
        monday = last - timedelta(weeks=_WEEKS - 1, days=last.weekday())
        return cls(monday, last, _day(day) if day else None)

    @property
    def since_utc(self) -> datetime:
        """Its first moment."""
        return datetime.combine(self.since, time(), UTC)

    @property
    def until_utc(self) -> datetime:
        """The first moment after it; now, where that is earlier."""
        return min(datetime.combine(self.until + timedelta(days=1), time(), UTC), datetime.now(UTC))

    @property
    def before(self) -> date:
        """The last day of the range before."""
        return self.since - timedelta(days=1)

    @property
    def after(self) -> date | None:
        """The last day of the range after; None where it has not come."""
        today = datetime.now(UTC).date()
        return min(self.until + timedelta(weeks=_WEEKS), today) if self.until < today else None


def _day(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.max
    if not 1900 < found.year < 2200:
        raise UrlError(f"{text!r} is no day; write it as 2026-01-31")
    return found


@dataclass(frozen=True, slots=True)
class Slice:
    """A page of a list.

    :param number: Of the page, from 1.
    :param last: Number of the last page.
    """

    number: int
    last: int
    start: int
    stop: int


def slice_of(asked: str | None, size: int, total: int) -> Slice:
    """The page that was asked for, or the nearest one that there is."""
    last = max(1, -(-total // size))
    number = int(asked) if asked and asked.isascii() and asked.isdigit() and len(asked) < 9 else 1
    number = min(max(1, number), last)
    return Slice(number, last, (number - 1) * size, min(number * size, total))
