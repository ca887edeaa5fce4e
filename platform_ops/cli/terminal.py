"""Consoles that fit a terminal, stay whole in a pipe, and never break a URL."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = [
    "Column",
    "console",
    "count_text",
    "counting",
    "print_finding",
    "print_outcome",
    "size_text",
    "table",
    "time_text",
]

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


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    :param right: Whether its cells end at one line, as numbers do.
    :param folds: Whether it gives way where the room ends.
    """

    heading: str
    right: bool = False
    folds: bool = False


def table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    styles: Sequence[str] | None = None,
    like: Sequence[Sequence[str]] | None = None,
) -> Table:
    """A table without lines; columns that are empty throughout are left out.

    :param styles: One for each row.
    :param like: Rows whose columns it shares, where several tables are to look like one.
    """
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    all_rows = rows if like is None else like
    shown = [index for index in range(len(columns)) if any(row[index] for row in all_rows)]
    for index in shown:
        column = columns[index]
        widest = max(len(column.heading), *(len(row[index]) for row in all_rows))
        drawn.add_column(
            column.heading,
            justify="right" if column.right else "left",
            no_wrap=not column.folds,
            overflow="fold",
            min_width=len(column.heading) if column.folds else widest,
        )
    for number, row in enumerate(rows):
        style = styles[number] if styles else ""
        drawn.add_row(*(Text(row[index], style=style) for index in shown))
    return drawn


@contextmanager
def counting(verb: str) -> Iterator[Any]:  # Any: what shows a text, whoever calls it
    """On a terminal, a sign on standard error that work goes on; gives what tells how far it is."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    err = console(stderr=True)
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    with progress:
        task = progress.add_task(verb, total=None)
        yield lambda text: progress.update(task, description=f"{verb} {text}")


def print_finding(out: Console, word: str, text: str, style: str = "bold") -> None:
    """One line of what a command finds: a word in the style, and what there is to say."""
    from rich.text import Text

    out.print(Text.assemble((f"{word:<10} ", style), text), soft_wrap=True)


def print_outcome(out: Console, where: str, text: str, style: str) -> None:
    """What a command ends with: where it looked, and what it came to."""
    from rich.text import Text

    out.print(Text(where, style="dim"), soft_wrap=True)
    out.print(Text(text, style=style), soft_wrap=True)


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
