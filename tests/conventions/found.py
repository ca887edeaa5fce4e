"""What the rules find in a text, as a table of ids and lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from platform_ops.conventions import CONVENTIONS, Agreed, Convention, Hit
from platform_ops.conventions.examine import examine
from platform_ops.settings import Settings

__all__ = ["HEAD", "agreed", "found", "ids", "in_dag"]

HEAD = """\
from datetime import UTC, datetime, timedelta
from airflow.sdk import DAG, Asset, Variable, task
"""


def agreed(entities: Iterable[str] = (), **conventions: Any) -> Agreed:
    """A site's settings."""
    settings = Settings.model_validate({"conventions": conventions})
    return Agreed(settings.conventions, frozenset(entities) or None)


def found(
    text: str,
    site: Agreed | None = None,
    *,
    path: str = "dags/one.py",
    rules: Iterable[Convention] = CONVENTIONS,
) -> list[tuple[str, Hit]]:
    """All hits in one file, those of rules over all files too."""
    chosen, held = tuple(rules), site or agreed()
    examined = examine(path, text, chosen, held)
    written = [replace(each, file=path) for each in examined.writes]
    across = [
        (rule.id, told.hit)
        for rule in chosen
        if rule.across is not None
        for told in rule.across(written, held)
    ]
    return [*examined.hits, *across]


def ids(text: str, site: Agreed | None = None, only: str = "") -> list[str]:
    """The rules that a text breaks, one for each hit."""
    return sorted(rule for rule, _ in found(text, site) if rule.startswith(only))


def in_dag(body: str, **changes: str | None) -> str:
    """A DAG without fault but for what is asked for."""
    arguments: Mapping[str, str | None] = {
        "dag_id": '"tides"',
        "description": '"High water."',
        "schedule": '"@daily"',
        "start_date": "datetime(2026, 1, 1, tzinfo=UTC)",
        "catchup": "False",
        "tags": '["tides"]',
        "default_args": '{"owner": "harbour", "retries": 1}',
        "dagrun_timeout": "timedelta(hours=1)",
        **changes,
    }
    given = "\n".join(f"    {name}={value}," for name, value in arguments.items() if value)
    inside = "\n".join(f"    {line}" for line in body.strip().splitlines())
    return f"{HEAD}\nwith DAG(\n{given}\n) as dag:\n{inside}\n"
