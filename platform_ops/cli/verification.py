"""``platform-ops archive verify`` and ``witness``: each fault, and what an outsider keeps to find more."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from platform_ops import archive as archives
from platform_ops.archive import Fault, Store, Verdict
from platform_ops.archive.stores.store import locate
from platform_ops.archive.upkeep.witnesses import denied, parse
from platform_ops.cli import FAULTY
from platform_ops.cli.arguments import Site, prefixes
from platform_ops.cli.terminal import (
    console,
    count_text,
    json_text,
    print_finding,
    print_outcome,
    size_text,
)
from platform_ops.errors import NotArchived

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["verify", "witness"]


def _share(ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:  # noqa: ARG001
    if text is None:
        return None
    hit = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text)
    if hit is None or not 0 < float(hit[1]) <= 100:
        raise click.BadParameter(f"{text!r}: write a share of the payloads, such as 5%")
    return float(hit[1]) / 100


@click.command()
@click.argument("what", metavar="[ENTITY|URL|PREFIX]", required=False)
@click.option("--full", "depth", flag_value="full", default="full", help="Every byte; the default.")
@click.option("--quick", "depth", flag_value="quick", help="Compare sizes only; read no payload.")
@click.option(
    "--sample",
    callback=_share,
    metavar="PERCENT",
    help="Read such a share of the payloads, as 5%: another one each day, until all were read.",
)
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A list that witness has written, kept elsewhere: newest manifests and slots that are gone.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, at the end.")
@click.pass_context
def verify(
    ctx: click.Context,
    what: str | None,
    depth: str,
    sample: float | None,
    against: Path | None,
    as_json: bool,
) -> None:
    """Check every manifest, their chain, and every byte.

    Names each fault on a line of its own, and exits with 1 where there is one. PREFIX is a folder of
    the URL scheme, such as v1/weather; all of the archive is checked without one. Where find or status
    have made an index, manifests that it has seen and that are gone are faults too; so is what a list
    by --against has seen.
    """
    if depth == "quick" and sample is not None:
        raise click.UsageError("--quick reads no payload, and --sample some: give one of them")
    site = Site.of(ctx)
    out = console()
    tally = _Tally(0.0 if depth == "quick" else sample or 1.0, None if as_json else out)
    for prefix in prefixes(site, what):
        verdicts = archives.verify(prefix, share=tally.share, settings=site.settings)
        _follow(site.store, prefix, verdicts, tally)
        if against:
            _hold_against(site, prefix, against, tally)
        _remember(site, prefix, tally)
    if what and not tally.manifests and not tally.faults:
        raise NotArchived(f"{what}: nothing is archived there, in {site.store.url}")
    if as_json:
        click.echo(json_text(tally.as_dict(), indent=2))
    else:
        style = "bold red" if tally.faults else "bold green" if tally.manifests else "bold yellow"
        print_outcome(out, site.store.url, str(tally), style)
    ctx.exit(FAULTY if tally.faults else 0)


@click.command()
@click.argument("what", metavar="[ENTITY|URL|PREFIX]", required=False)
@click.pass_context
def witness(ctx: click.Context, what: str | None) -> None:
    """Print the newest manifest of every slot, with its digest: one line of JSON each.

    Keep the list where the archive's own credentials do not reach, and give it to verify --against: of
    a newest manifest that was taken away, or a whole slot, the archive itself shows no trace.
    """
    site = Site.of(ctx)
    for prefix in prefixes(site, what):
        for head in archives.witness(prefix, site.settings):
            click.echo(head.to_json())


@dataclass(slots=True)
class _Tally:
    """What verifying has found so far.

    :param share: How many of the payloads are read; their sizes are compared in any case.
    :param out: Where each fault is told at once; nowhere, where it is None.
    """

    share: float
    out: Console | None
    manifests: int = 0
    size_bytes: int = 0
    faults: list[Fault] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)

    def take(self, verdict: Verdict) -> None:
        """Count one manifest."""
        self.manifests += not verdict.evidence
        self.size_bytes += verdict.size_bytes
        for fault in verdict.faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Count a fault: of a manifest, or of something that is not there to be checked."""
        self.faults.append(fault)
        if self.out is not None:
            print_finding(self.out, fault.kind, fault.message, "bold red")

    @property
    def seconds(self) -> float:
        """Since the tally began."""
        return time.monotonic() - self._started

    def as_dict(self) -> dict[str, Any]:  # Any: JSON values
        """The outcome as JSON values."""
        return {
            "full": self.share == 1,
            "share": self.share,
            "manifests": self.manifests,
            "size_bytes": self.size_bytes,
            "seconds": round(self.seconds, 3),
            "faults": [asdict(fault) for fault in self.faults],
        }

    def __str__(self) -> str:
        work = count_text(self.manifests, "manifest")
        if self.share:
            speed = self.size_bytes / max(self.seconds, 1e-6) / (1 << 20)
            work += f", {size_text(self.size_bytes)} of payloads hashed"
            work += f" ({self.share:.0%} of them)" if self.share < 1 else ""
            work += f" in {self.seconds:.2f} s ({speed:,.0f} MiB/s)"
        else:
            work += f", sizes of payloads compared, in {self.seconds:.2f} s"
        return f"{work}: {count_text(len(self.faults), 'fault') if self.faults else 'no fault'}"


def _follow(store: Store, prefix: str, verdicts: Iterable[Verdict], tally: _Tally) -> None:
    """Count verdicts, and on a terminal show how far it is."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    err = console(stderr=True)
    progress = Progress(
        TextColumn("verifying"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[work]}"),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    with progress:
        task = progress.add_task("", total=None, work="")
        if err.is_terminal:
            total = sum(1 for _ in store.entries(f"meta/{prefix}".rstrip("/")))
            progress.update(task, total=total)
        for verdict in verdicts:
            tally.take(verdict)
            speed = tally.size_bytes / max(tally.seconds, 1e-6)
            work = (
                f"{size_text(tally.size_bytes)}  {size_text(int(speed))}/s" if tally.share else ""
            )
            progress.update(task, advance=1, work=work)


def _remember(site: Site, prefix: str, tally: _Tally) -> None:
    """Name what an index has seen and is gone: of a slot's newest manifest there is no other trace.

    Where there is no index none is made: it would remember nothing yet.
    """
    known = archives.index(site.settings)
    if not known.path.exists():
        return
    known.refresh(prefix)
    for hit in known.lost(prefix):
        url = locate(site.store, hit.key)
        if all(fault.url != url for fault in tally.faults):  # else a witness has told it
            message = f"{url}: was there at an earlier listing, and nothing removes it"
            tally.add(Fault("gone", url, message))


def _hold_against(site: Site, prefix: str, file: Path, tally: _Tally) -> None:
    """Name what a witness has seen and that is gone, or another one by now."""
    with file.open(encoding="utf-8") as lines:
        for fault in denied(site.store, parse(lines, str(file)), prefix):
            tally.add(fault)
