"""What the operators that keep the archive are told by words, and how they count what they did."""

from __future__ import annotations

from datetime import datetime

from platform_ops.archive import Removal
from platform_ops.errors import ConfigError

__all__ = ["moment_of", "number_of", "steps"]


def moment_of(name: str, text: str) -> datetime:
    """The time that a parameter holds.

    :raises ConfigError: It is none, or has no zone.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{name}={text!r} is no time; write 2026-01-05T06:00+00:00") from None
    if found.tzinfo is None:
        raise ConfigError(f"{name}={text!r} has no zone; write 2026-01-05T06:00+00:00")
    return found


def number_of(name: str, text: int | str) -> int:
    """The number that a parameter holds.

    :raises ConfigError: It is none.
    """
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{name}={text!r} is no number; write 1 or more") from None


def steps(found: Removal) -> dict[str, int]:
    """One step of a removal, as it counts."""
    verb = "held" if found.held_by else found.step if found.done else f"to_{found.step}"
    return {verb: 1, f"{verb}_bytes": found.size_bytes}
