"""When a DAG runs, in a few words, from its serialised timetable."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

__all__ = ["describe", "span"]

_PRESETS = {
    "@once": "once",
    "@continuous": "again as soon as a run ends",
    "@hourly": "every hour, on the hour",
    "@daily": "every day at 00:00",
    "@weekly": "every Sunday at 00:00",
    "@monthly": "on the first of each month at 00:00",
    "@quarterly": "on the first day of each quarter at 00:00",
    "@yearly": "on 1 January at 00:00",
}
_CRON_OF = {
    "0 * * * *": "@hourly",
    "0 0 * * *": "@daily",
    "0 0 * * 0": "@weekly",
    "0 0 1 * *": "@monthly",
    "0 0 1 */3 *": "@quarterly",
    "0 0 1 1 *": "@yearly",
}


def describe(timetable: str, values: Mapping[str, Any]) -> tuple[str, str]:  # Any: serialised
    """What to show for a timetable, short and in words.

    :param timetable: Dotted name of its class.
    :param values: Its serialised fields.
    """
    name = timetable.rpartition(".")[2]
    if name == "NullTimetable":
        return "None", "only when it is triggered"
    if name in ("OnceTimetable", "ContinuousTimetable"):
        preset = "@once" if name == "OnceTimetable" else "@continuous"
        return preset, _PRESETS[preset]
    if expression := values.get("expression"):
        return _cron(str(expression), name, str(values.get("timezone") or "UTC"))
    if (delta := values.get("delta")) is not None:
        return _delta(delta)
    if "asset_condition" in values:
        return _assets(values["asset_condition"])
    description = str(values.get("description") or "").rstrip(".")
    return name, description or f"as its timetable {name} decides"


def _cron(expression: str, timetable: str, zone: str) -> tuple[str, str]:
    preset = _CRON_OF.get(expression)
    words = _PRESETS[preset] if preset else _cron_words(expression)
    suffix = ", one run for each whole interval" if "DataInterval" in timetable else ""
    return preset or expression, f"{words} ({zone}){suffix}"


def _cron_words(expression: str) -> str:
    try:
        from cron_descriptor import Options, get_description  # comes with Airflow
    except ImportError:
        return f"by the cron expression {expression}"
    words = str(get_description(expression, Options(use_24hour_time_format=True)))
    return words[:1].lower() + words[1:]


def _delta(value: Any) -> tuple[str, str]:  # Any: seconds, or a relative delta's fields
    if isinstance(value, (int, float)):
        every = timedelta(seconds=value)
        return str(every), f"every {span(every)}"
    return "relative delta", "at a fixed distance in the calendar"


def span(length: timedelta) -> str:
    """A length of time in words: ``hour``, ``90 minutes``."""
    seconds = int(length.total_seconds())
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds % size == 0:
            count = seconds // size
            return unit if count == 1 else f"{count} {unit}s"
    return str(length)


def _assets(condition: Mapping[str, Any]) -> tuple[str, str]:  # Any: serialised
    names = _asset_names(condition)
    listed = _listed(names, "or" if "any" in str(condition.get("__type", "")) else "and")
    verb = "is" if len(names) == 1 else "are"
    return "assets", f"when {listed} {verb} updated"


def _asset_names(condition: Mapping[str, Any]) -> list[str]:  # Any: serialised
    if "objects" in condition:
        return [name for each in condition["objects"] for name in _asset_names(each)]
    return [str(condition.get("name") or condition.get("uri") or "an asset")]


def _listed(names: list[str], last: str) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
