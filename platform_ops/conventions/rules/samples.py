"""DAG files to show with a rule: whole, and without fault but for the one that they are about."""

from __future__ import annotations

from typing import Final

__all__ = ["LOAD", "sample"]

LOAD: Final = '''
@task
def load() -> None:
    """Load what arrived."""

load()
'''

_DAG: Final = {
    "dag_id": '"daily_weather"',
    "description": '"Yesterday\'s weather, once a day."',
    "schedule": '"@daily"',
    "start_date": "datetime(2026, 1, 1, tzinfo=UTC)",
    "catchup": "False",
    "tags": '["weather"]',
    "default_args": '{"owner": "weather-desk", "retries": 2}',
    "dagrun_timeout": "timedelta(hours=6)",
}


def sample(body: str = LOAD, imports: str = "", top: str = "", **dag: str | None) -> str:
    """A file with one DAG.

    :param body: What stands in it.
    :param imports: Further lines of imports.
    :param top: What stands above the DAG.
    :param dag: Arguments of the DAG to change, or None to leave out.
    """
    arguments = {**_DAG, **dag}
    shown = [f"    {name}={value}," for name, value in arguments.items() if value is not None]
    used = "\n".join([*filter(None, arguments.values()), body, top])
    times = ", ".join(each for each in ("UTC", "datetime", "timedelta") if each in used)
    names = ["DAG", *(["task"] if "@task" in body + top else [])]
    lines = [f"from datetime import {times}", ""] if times else []
    lines += [f"from airflow.sdk import {', '.join(names)}"]
    lines += [imports.strip()] if imports else []
    lines += ["", top.strip()] if top else []
    lines += ["", "with DAG(", *shown, "):"]
    lines += [f"    {line}" if line.strip() else "" for line in body.strip().splitlines()]
    return "\n".join(lines)
