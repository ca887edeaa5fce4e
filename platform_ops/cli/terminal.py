"""Consoles that fit a terminal, stay whole in a pipe, and never break a URL."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment
    from rich.table import Table

__all__ = [
    "Column",
    "console",
    "count_text",
    "counting",
    "json_text",
    "print_finding",
    "print_outcome",
    "size_text",
    "table",
    "time_text",
    "visible",
]

# Controls, marks that turn the direction of writing, and halves of letters, which no stream can encode.
_CONTROLS: Final = (
    "\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
)
_UNSEEN_IN_LINES: Final = re.compile(f"[{_CONTROLS}]")
_UNSEEN: Final = re.compile(f"[{_CONTROLS}\n]")
_FOLDED: Final = 24
"""Letters that a column keeps which gives way, as long as another one can be spared."""
_ENDLESS: Final = 10_000
"""Columns of a console that is no terminal: what reads a pipe has no right margin."""


def console(*, stderr: bool = False) -> Console:
    """Standard output: as wide as the terminal, or as wide as it takes where there is none.

    :param stderr: Standard error instead: for progress, which is nobody's input.
    """
    from rich.console import Console
    from rich.segment import Segment

    # Made anew for each command: rich would keep a stream that a test has replaced since.
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _ENDLESS

    class Visible(Console):
        """Whatever names of the archive hold, no terminal obeys it."""

        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterable[Segment]:
            for each in super().render(renderable, options):
                yield each if each.control else Segment(visible(each.text, lines=True), each.style)

    return Visible(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def visible(text: str, *, lines: bool = False) -> str:
    """The text with everything written out that a terminal would act upon instead of showing it.

    :param lines: Leave the ends of lines as they are.
    """
    return (_UNSEEN_IN_LINES if lines else _UNSEEN).sub(
        lambda hit: hit[0].encode("unicode_escape").decode(), text
    )


def json_text(value: object, indent: int | None = None) -> str:
    """JSON that people can read as well: letters as they are, and nothing that a terminal acts upon."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _UNSEEN_IN_LINES.sub(lambda hit: json.dumps(hit[0])[1:-1], text)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    :param right: Whether its cells end at one line, as numbers do.
    :param folds: Whether it gives way where the room ends.
    :param spare: Whether it is left out where the room is too small for all.
    """

    heading: str
    right: bool = False
    folds: bool = False
    spare: bool = False


def table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    styles: Sequence[str] | None = None,
    like: Sequence[Sequence[str]] | None = None,
    room: int = _ENDLESS,
) -> Table:
    """A table without lines; columns that are empty throughout are left out.

    :param styles: One for each row.
    :param like: Rows whose columns it shares, where several tables are to look like one.
    :param room: Letters in a line; columns that can be spared are left out from the right.
    """
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    rows = [[visible(cell) for cell in row] for row in rows]
    all_rows = rows if like is None else [[visible(cell) for cell in row] for row in like]
    shown = [index for index in range(len(columns)) if any(row[index] for row in all_rows)]
    widths = {
        index: max(len(columns[index].heading), *(len(row[index]) for row in all_rows))
        for index in shown
    }
    for index in reversed(shown):
        needed = (
            min(widths[each], _FOLDED if columns[each].folds else _ENDLESS) + 2 for each in shown
        )
        if columns[index].spare and sum(needed) > room:
            shown = [each for each in shown if each != index]
    for index in shown:
        column, widest = columns[index], widths[index]
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
