"""Consoles that fit a terminal, stay whole in a pipe, and never break a URL."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console", "count_text", "size_text", "time_text"]

_ENDLESS: Final = 10_000
"""Columns of a console that is no terminal: what reads a pipe has no right margin."""


def console(*, stderr: bool = False) -> Console:
    """Standard output: as wide as the terminal, or as wide as it takes where there is none.

    :param stderr: Standard error instead: for progress, which is nobody's input.
    """
    from rich.console import Console

    # Made anew for each command: rich would keep a stream that a test has replaced since.
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _ENDLESS
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def size_text(size_bytes: int) -> str:
    """Bytes for people: one decimal and a binary unit."""
    size, unit = float(size_bytes), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 999.5:
            break
        size, unit = size / 1024, larger
    return f"{size_bytes} B" if unit == "B" else f"{size:.1f} {unit}"


def count_text(count: int, noun: str) -> str:
    """``1 slot``, ``2,000 slots``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def time_text(moment: datetime) -> str:
    """UTC, to the minute where seconds are zero: the column's heading says the zone."""
    utc = moment.astimezone(UTC)
    if utc.microsecond:
        return f"{utc:%Y-%m-%d %H:%M:%S.%f}"
    return f"{utc:%Y-%m-%d %H:%M:%S}" if utc.second else f"{utc:%Y-%m-%d %H:%M}"
