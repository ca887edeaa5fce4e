"""What the reader sees: sections with their reasons, tables, and progress while the demo works."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from tests.demo.processes import DemoFailed

__all__ = ["Screen", "Update"]


class Update(Protocol):
    """Says what is going on."""

    def __call__(self, text: str, done: int = 0, total: int = 0, detail: str = "") -> None:
        """Show progress.

        :param total: Zero where it cannot be counted.
        :param detail: What changes too often for a log.
        """


@dataclass(slots=True)
class Screen:
    """The terminal, or whatever standard output is.

    :param seconds: How long each section took, by its title.
    """

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)
    last_s: float = 0.0

    @classmethod
    def standard(cls) -> Screen:
        """Standard output: as wide as the terminal, or 100 columns where there is none."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)  # a log shows what happens when it happens
        return cls(Console(width=None if sys.stdout.isatty() else 100, highlight=False))

    @contextmanager
    def section(self, title: str, why: str) -> Iterator[None]:
        """A heading, one sentence on what follows and why it matters, and then the matter itself."""
        number = len(self.seconds) + 1
        began = time.monotonic()
        self.seconds[title] = 0.0
        self.console.print()
        self.console.print(Rule(Text(f"{number}  {title}", "bold"), align="left", style="cyan"))
        self.console.print(Padding(Text(why, "dim"), (0, 3)))
        self.console.print()
        yield
        self.last_s = self.seconds[title] = time.monotonic() - began

    def title(self, name: str, meaning: str) -> None:
        """What begins here, and why one should care."""
        self.console.print()
        self.console.print(
            Panel(Text(meaning), title=f"[bold]{name}", title_align="left", style="cyan")
        )

    def summary(self, facts: Mapping[str, str]) -> None:
        """All of it on one screen."""
        times = [
            (f"{number}  {name}", f"{took:.1f} s")
            for number, (name, took) in enumerate(self.seconds.items(), 1)
        ]
        total = sum(self.seconds.values())
        with self.section("In short", "What you saw, and how long each part of it took."):
            self.rows(("", ""), list(facts.items()))
            self.console.print()
            self.rows(("section", "time"), [*times, ("all", f"{total:.1f} s")], right=("time",))

    def say(self, text: str, style: str = "") -> None:
        """One line or more; a long URL is never broken."""
        for line in text.split("\n"):
            self.console.print(Text(f"   {line}" if line else "", style), soft_wrap=True)

    def command(self, line: str) -> None:
        """A command, as the reader would type it."""
        self.console.print(
            Text.assemble("   ", ("$ ", "dim"), (line, "bold green")), soft_wrap=True
        )

    def code(self, text: str) -> None:
        """Python, as the reader would type it."""
        for mark, line in zip(chain([">>> "], repeat("... ")), text.splitlines(), strict=False):
            self.console.print(Text.assemble("   ", (mark, "dim"), (line, "green")), soft_wrap=True)

    def rows(
        self, columns: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[str] = ()
    ) -> None:
        """A table; states are coloured.

        :param right: Columns that are aligned to the right.
        """
        headed = any(columns)
        table = Table(
            box=None, show_header=headed, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0)
        )
        for column in columns:
            table.add_column(column, justify="right" if column in right else "left")
        for row in rows:
            table.add_row(*(_coloured(str(cell)) for cell in row))
        self.console.print(Padding(table, (0, 3)))

    @contextmanager
    def waiting(self) -> Iterator[Update]:
        """Show progress: a bar where there is a terminal, else a line at each change."""
        if not self.console.is_terminal:
            yield _Lines(self)
            return
        count, detail = (
            TextColumn("{task.fields[count]}"),
            TextColumn("{task.fields[detail]}", "dim"),
        )
        columns = (
            TextColumn("  "),
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(24),
        )
        with Progress(
            *columns, count, TimeElapsedColumn(), detail, console=self.console, transient=True
        ) as bar:
            task = bar.add_task("", total=None, count="", detail="")

            def update(text: str, done: int = 0, total: int = 0, detail: str = "") -> None:
                count = f"{done}/{total}" if total else ""
                whole = total or None  # a bar without end, where nothing can be counted
                bar.update(
                    task, description=text, completed=done, total=whole, count=count, detail=detail
                )

            yield update

    def run(self, line: str, env: Mapping[str, str], cwd: Path) -> None:
        """Run one of our commands as a user would, with its output on this terminal.

        :raises DemoFailed: It ended with another exit code than 0.
        """
        name, *arguments = line.split()
        self.command(line)
        sys.stdout.flush()
        program = Path(sys.executable).with_name(name)
        code = subprocess.run([program, *arguments], env=env, cwd=cwd, check=False).returncode
        if code != 0:
            raise DemoFailed(f"`{line}` ended with exit code {code}; its output is above")


@dataclass(slots=True)
class _Lines:
    screen: Screen
    last: tuple[str, int] = ("", -1)

    def __call__(
        self,
        text: str,
        done: int = 0,
        total: int = 0,
        detail: str = "",  # noqa: ARG002  a log has no room for it
    ) -> None:
        if (text, done) != self.last:
            self.last = (text, done)
            self.screen.say(f"{text} {done}/{total}" if total else text)


def _coloured(cell: str) -> Text:
    colours = {"success": "green", "failed": "red", "running": "yellow", "queued": "dim"}
    text = Text(cell)
    for word, colour in colours.items():
        text.highlight_words([word], colour)
    return text
