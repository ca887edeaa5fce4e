"""Which conventions hold here: those of platform_ops, and those that installed packages bring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final

from platform_ops.conventions.model import Convention
from platform_ops.conventions.rules import CONVENTIONS
from platform_ops.errors import ConfigError
from platform_ops.findings import Rule, Severity

if TYPE_CHECKING:
    from platform_ops.settings import ConventionSettings

__all__ = ["GROUP", "META", "NO_REASON", "STALE", "UNLOADABLE", "UNREADABLE", "chosen", "installed"]

GROUP: Final = "platform_ops.rules"
"""Entry points of a package that brings rules; each names an iterable of :class:`Convention`."""

UNREADABLE: Final = Rule(
    "PO001",
    "File that is no Python",
    "Airflow cannot read it either, and its DAGs are gone.",
    fix="mend it",
)
UNLOADABLE: Final = Rule(
    "PO002",
    "File that Airflow cannot load",
    "Its DAGs are gone from the UI, or stay as they were before the fault.",
    fix="mend it, or install what it needs",
)
NO_REASON: Final = Rule(
    "PO901",
    "Exception without a reason",
    "Nobody can tell whether it still holds, so that it stays for ever.",
    bad='with DAG("Weather"):  # noqa: PO101\n    ...',
    good='with DAG("Weather"):  # noqa: PO101 it has ten years of history under this name\n    ...',
    fix="say why behind the id: `# noqa: PO101 renamed in May, with the dashboards`",
)
STALE: Final = Rule(
    "PO902",
    "Exception that excuses nothing",
    "What it excused is mended, or stands in another line; left in place, it would hide the next fault.",
    bad='with DAG("weather"):  # noqa: PO101 it has ten years of history\n    ...',
    good='with DAG("weather"):\n    ...',
    fix="remove it",
)
META: Final = (UNREADABLE, UNLOADABLE, NO_REASON, STALE)
"""Rules on the files and the exceptions themselves."""


@lru_cache(maxsize=1)
def installed() -> tuple[Convention, ...]:
    """Every convention, by id.

    :raises ConfigError: A package's entry point cannot be loaded, or two rules share an id.
    """
    found = [*CONVENTIONS]
    for each in entry_points(group=GROUP):
        where = f"entry point {each.name!r} of {GROUP} ({each.value})"
        try:
            brought = tuple(each.load())
        except Exception as err:
            raise ConfigError(f"{where} cannot be loaded: {type(err).__name__}: {err}") from err
        strange = [rule for rule in brought if not isinstance(rule, Convention)]
        if strange:
            raise ConfigError(
                f"{where} holds {strange[0]!r}; it must be a list of "
                "platform_ops.conventions.Convention"
            )
        found += brought
    seen: dict[str, Rule] = {rule.id: rule for rule in META}
    for rule in found:
        if rule.id in seen:
            raise ConfigError(
                f"two rules have the id {rule.id!r}: {seen[rule.id].title!r} and {rule.title!r}; "
                "give those of your own package other letters"
            )
        seen[rule.id] = rule
    return tuple(sorted(found, key=lambda rule: rule.id))


def chosen(
    settings: ConventionSettings, conventions: Iterable[Convention] | None = None
) -> tuple[Convention, ...]:
    """The conventions as the site takes them: those that are off left out, severities changed.

    :raises ConfigError: The settings name a rule that there is not.
    """
    known = installed() if conventions is None else tuple(conventions)
    for name in settings.rules:
        if all(rule.id != name for rule in known):
            there = ", ".join(rule.id for rule in known)
            raise ConfigError(
                f"[conventions.rules.{name}]: there is no such rule; there are {there}"
            )
    taken = []
    for rule in known:
        told = settings.rules.get(rule.id)
        severity = told.severity if told else None
        if severity != "off":
            taken.append(replace(rule, severity=Severity(severity)) if severity else rule)
    return tuple(taken)
