"""When a DAG runs, in words."""

from __future__ import annotations

from typing import Any

import pytest

from platform_ops.registry.dags.schedule import describe

_CRON = "airflow.timetables.trigger.CronTriggerTimetable"
_INTERVAL = "airflow.timetables.interval.CronDataIntervalTimetable"
_ASSET = {"__type": "asset", "name": "a"}


@pytest.mark.parametrize(
    ("timetable", "values", "short", "words"),
    [
        ("x.NullTimetable", {}, "None", "only when it is triggered"),
        ("x.OnceTimetable", {}, "@once", "once"),
        (
            _CRON,
            {"expression": "0 0 * * *", "timezone": "UTC"},
            "@daily",
            "every day at 00:00 (UTC)",
        ),
        (
            _INTERVAL,
            {"expression": "0 * * * *", "timezone": "Europe/Paris"},
            "@hourly",
            "every hour, on the hour (Europe/Paris), one run for each whole interval",
        ),
        (_CRON, {"expression": "30 4 * * 1"}, "30 4 * * 1", "at 04:30, only on Monday (UTC)"),
        ("x.DeltaTriggerTimetable", {"delta": 14400.0}, "4:00:00", "every 4 hours"),
        ("x.DeltaTriggerTimetable", {"delta": 86400.0}, "1 day, 0:00:00", "every day"),
        (
            "x.AssetTriggeredTimetable",
            {"asset_condition": {"__type": "asset_any", "objects": [_ASSET, {"name": "b"}]}},
            "assets",
            "when a or b are updated",
        ),
        ("my.Moon", {}, "Moon", "as its timetable Moon decides"),
    ],
)
def test_schedule_in_words(timetable: str, values: dict[str, Any], short: str, words: str) -> None:
    assert describe(timetable, values) == (short, words)
