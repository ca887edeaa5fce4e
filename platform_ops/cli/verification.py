"""``archive verify`` as a person follows it: progress while it works, each fault, one line of sum."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from platform_ops.archive import Fault, Store, Verdict
from platform_ops.cli.terminal import count_text, size_text

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Tally", "follow", "print_summary"]


@dataclass(slots=True)
class Tally:
    """What verifying has found so far.

    :param full: Whether payloads are read, or their sizes compared only.
    """

    full: bool
    manifests: int = 0
    size_bytes: int = 0
    faults: list[Fault] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)

    def take(self, verdict: Verdict) -> None:
        """Count one manifest."""
        self.manifests += 1
        self.size_bytes += verdict.size_bytes
        self.faults += verdict.faults

    def take_all(self, verdicts: Iterable[Verdict]) -> None:
        """Count them, silently."""
        for verdict in verdicts:
            self.take(verdict)

    @property
    def seconds(self) -> float:
        """Since the tally began."""
        return time.monotonic() - self._started

    def as_dict(self) -> dict[str, Any]:  # Any: JSON values
        """The outcome as JSON values."""
        return {
            "full": self.full,
            "manifests": self.manifests,
            "size_bytes": self.size_bytes,
            "seconds": round(self.seconds, 3),
            "faults": [asdict(fault) for fault in self.faults],
        }

    def __str__(self) -> str:
        work = count_text(self.manifests, "manifest")
        if self.full:
            speed = self.size_bytes / max(self.seconds, 1e-6) / (1 << 20)
            work += f", {size_text(self.size_bytes)} of payloads hashed"
            work += f" in {self.seconds:.2f} s ({speed:,.0f} MiB/s)"
        else:
            work += f", sizes of payloads compared, in {self.seconds:.2f} s"
        return f"{work}: {count_text(len(self.faults), 'fault') if self.faults else 'no fault'}"


def follow(
    out: Console, store: Store, prefix: str, verdicts: Iterable[Verdict], tally: Tally
) -> None:
    """Count verdicts, print each fault at once, and on a terminal show how far it is."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    progress = Progress(
        TextColumn("verifying"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[work]}"),
        console=out,
        transient=True,
        disable=not out.is_terminal,
    )
    with progress:
        task = progress.add_task("", total=None, work="")
        if out.is_terminal:
            total = sum(1 for _ in store.entries(f"meta/{prefix}".rstrip("/")))
            progress.update(task, total=total)
        for verdict in verdicts:
            tally.take(verdict)
            for fault in verdict.faults:
                _print_fault(out, fault)
            speed = tally.size_bytes / max(tally.seconds, 1e-6)
            work = f"{size_text(tally.size_bytes)}  {size_text(int(speed))}/s" if tally.full else ""
            progress.update(task, advance=1, work=work)


def print_summary(out: Console, store: Store, tally: Tally) -> None:
    """One line: what was checked, how fast, and how many faults there are."""
    from rich.text import Text

    style = "bold red" if tally.faults else "bold green" if tally.manifests else "bold yellow"
    out.print(Text(store.url, style="dim"), soft_wrap=True)
    out.print(Text(str(tally), style=style), soft_wrap=True)


def _print_fault(out: Console, fault: Fault) -> None:
    from rich.text import Text

    line = Text.assemble((f"{fault.kind:<10} ", "bold red"), fault.message)
    out.print(line, soft_wrap=True)
