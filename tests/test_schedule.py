"""When slots are expected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from platform_ops.schedule import Schedule, inferred


def times(text: str, since: str, until: str, zone: str = "UTC") -> list[str]:
    bounds = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (since, until))
    return [f"{each:%m-%d %H:%M}" for each in Schedule.parse(text, zone).times(*bounds)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@daily", ["03-05 00:00", "03-06 00:00"]),
        ("30 6 * * *", ["03-05 06:30", "03-06 06:30"]),
        ("0 0 * * 3", ["03-06 00:00"]),
        ("every 16 hours", ["03-05 08:00", "03-06 00:00", "03-06 16:00"]),
        ("every day", ["03-05 00:00", "03-06 00:00"]),
        ("@monthly", []),
    ],
)
def test_the_times_of_a_schedule(text: str, expected: list[str]) -> None:
    assert times(text, "2024-03-05", "2024-03-07") == expected


def test_the_end_is_left_out_and_the_start_is_not() -> None:
    assert times("@daily", "2024-03-05", "2024-03-06") == ["03-05 00:00"]
    assert times("every hour", "2024-03-05T10:30", "2024-03-05T12:00") == ["03-05 11:00"]


def test_a_time_of_day_is_one_of_the_zone() -> None:
    assert times("30 6 * * *", "2024-07-01", "2024-07-02", "Europe/Berlin") == ["07-01 04:30"]
    assert times("30 23 * * *", "2024-07-01", "2024-07-02", "America/New_York") == ["07-01 03:30"]


def test_summer_time_repeats_no_day_and_leaves_none_out() -> None:
    forward = times("30 2 * * *", "2024-03-30", "2024-04-02", "Europe/Berlin")
    assert forward == ["03-30 01:30", "03-31 01:30", "04-01 00:30"]
    back = times("30 2 * * *", "2024-10-26", "2024-10-29", "Europe/Berlin")
    assert back == ["10-26 00:30", "10-27 00:30", "10-28 01:30"]


def test_summer_time_leaves_every_hour_an_hour() -> None:
    back = times("0 * * * *", "2024-10-27", "2024-10-27T03:00", "Europe/Berlin")
    assert back == ["10-27 00:00", "10-27 01:00", "10-27 02:00"]


@pytest.mark.parametrize("text", ["", "daily", "every 0 minutes", "* * * * * *", "61 * * * *"])
def test_what_is_no_schedule_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no schedule; write a cron expression"):
        Schedule.parse(text)


def test_a_period_is_inferred_from_what_is_usual() -> None:
    start = datetime(2024, 3, 5, 6, tzinfo=UTC)
    seen = [start + timedelta(days=day) for day in (0, 1, 2, 3, 5, 6, 7)]
    found = inferred(seen)
    assert found is not None
    assert found.text == "every day"
    expected = list(found.times(start, start + timedelta(days=8)))
    assert expected == [start + timedelta(days=day) for day in range(8)]


@pytest.mark.parametrize("days", [[], [0], [0, 1], [0, 1, 3, 7, 15, 40]])
def test_nothing_is_inferred_from_too_little(days: list[int]) -> None:
    assert inferred(datetime(2024, 3, 5, tzinfo=UTC) + timedelta(days=day) for day in days) is None
