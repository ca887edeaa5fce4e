"""``platform-ops archive sweep``: what may leave the archive, named first, removed on request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from platform_ops import archive as archives
from platform_ops.archive import LeftAlone, Stray
from platform_ops.archive.upkeep import sweeping
from platform_ops.cli import FAULTY
from platform_ops.cli.arguments import Site, prefixes
from platform_ops.cli.terminal import (
    console,
    count_text,
    counting,
    json_text,
    print_finding,
    print_outcome,
    size_text,
    time_text,
)

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["sweep"]


@click.command()
@click.argument("what", metavar="[ENTITY|URL|PREFIX]", required=False)
@click.option("--delete", is_flag=True, help="Remove it; nothing is removed without.")
@click.option(
    "--grace",
    type=click.IntRange(min=sweeping.SHORTEST_GRACE.days),
    default=sweeping.GRACE.days,
    show_default=True,
    metavar="DAYS",
    help="Longer than any task runs: what is younger is kept.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, at the end.")
@click.pass_context
def sweep(ctx: click.Context, what: str | None, delete: bool, grace: int, as_json: bool) -> None:
    """Find what crashed writers left behind, and with --delete remove it.

    These are payloads that no manifest names, and temporary files, all of them older than the grace
    period. A slot with a damaged manifest is left alone and named, and the exit code is 1.
    """
    site = Site.of(ctx)
    found = chain.from_iterable(
        archives.sweep(each, grace=timedelta(days=grace), delete=delete, settings=site.settings)
        for each in prefixes(site, what)
    )
    tally = _Tally(delete, sweeping.unlisted(site.store))
    out = console()
    if as_json:
        tally.take_all(found)
        click.echo(json_text(tally.as_dict(), indent=2))
    else:
        with counting("sweeping" if delete else "looking"):
            for each in tally.passing(found):
                _print(out, each)
        _print_summary(out, site.store.url, tally)
    ctx.exit(FAULTY if tally.left_alone else 0)


@dataclass(slots=True)
class _Tally:
    """What a sweep has found so far."""

    delete: bool
    unlisted: str | None
    count: int = 0
    size_bytes: int = 0
    strays: list[Stray] = field(default_factory=list)
    left_alone: list[LeftAlone] = field(default_factory=list)

    def passing(self, found: Iterable[Stray | LeftAlone]) -> Iterator[Stray | LeftAlone]:
        """Count each as it passes."""
        for each in found:
            if isinstance(each, LeftAlone):
                self.left_alone.append(each)
            elif not each.held_by:
                self.count += 1
                self.size_bytes += each.size_bytes
            yield each

    def take_all(self, found: Iterable[Stray | LeftAlone]) -> None:
        """Count them and hold them, silently."""
        self.strays = [each for each in self.passing(found) if isinstance(each, Stray)]

    def as_dict(self) -> dict[str, Any]:  # Any: JSON values
        """The outcome as JSON values."""
        return {
            "deleted": self.delete,
            "size_bytes": self.size_bytes,
            "strays": [
                {**asdict(each), "modified_utc": each.modified_utc.isoformat()}
                for each in self.strays
            ],
            "left_alone": [asdict(each) for each in self.left_alone],
            "unlisted": self.unlisted,
        }

    def __str__(self) -> str:
        if not self.count:
            text = "nothing to sweep"
        else:
            objects = f"{count_text(self.count, 'object')}, {size_text(self.size_bytes)}"
            text = f"removed {objects}" if self.delete else f"{objects}; --delete removes them"
        places = count_text(len(self.left_alone), "place")
        return f"{text}; {places} left alone" if self.left_alone else text


def _print(out: Console, found: Stray | LeftAlone) -> None:
    if isinstance(found, LeftAlone):
        print_finding(out, "left alone", found.message, "bold yellow")
    elif found.held_by:
        print_finding(out, "held", f"{found.url}  hold {found.held_by}", "bold yellow")
    else:
        when = f"{time_text(found.modified_utc)}Z"
        print_finding(out, found.kind, f"{found.url}  {size_text(found.size_bytes)}  {when}")


def _print_summary(out: Console, url: str, tally: _Tally) -> None:
    from rich.text import Text

    print_outcome(out, url, str(tally), "bold yellow" if tally.left_alone else "bold green")
    if tally.unlisted:
        out.print(Text(tally.unlisted, style="dim"), soft_wrap=True)
