"""The rules that come with platform_ops, by what they are about."""

from typing import Final

from platform_ops.conventions.rules import data, naming, parsing, running, schedule, secrets

__all__ = ["CONVENTIONS"]

CONVENTIONS: Final = (
    *naming.RULES,
    *schedule.RULES,
    *parsing.RULES,
    *running.RULES,
    *data.RULES,
    *secrets.RULES,
)
"""All of them, by id; ids are stable, since a noqa, a waiver or a dashboard may name them."""
