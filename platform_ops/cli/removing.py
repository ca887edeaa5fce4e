"""``platform-ops archive expire`` and ``erase``: payloads that go on purpose, named first."""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from platform_ops import archive as archives
from platform_ops.archive import LeftAlone, Removal
from platform_ops.archive.upkeep import expiry
from platform_ops.cli import FAULTY
from platform_ops.cli.arguments import (
    Site,
    SlotOptions,
    parse_entity,
    prefixes,
    record_options,
    slot_options,
    wanted,
)
from platform_ops.cli.terminal import (
    console,
    count_text,
    counting,
    json_text,
    print_finding,
    print_outcome,
    size_text,
)

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["erase", "expire"]


@click.command()
@click.argument("what", metavar="[ENTITY|URL|PREFIX]", required=False)
@click.option("--delete", is_flag=True, help="Do it; nothing is written without.")
@click.option(
    "--pause",
    type=click.FloatRange(min=0),
    default=expiry.PAUSE / timedelta(days=1),
    show_default=True,
    metavar="DAYS",
    help="How long a tombstone stands before the payloads go.",
)
@click.option(
    "--shorten",
    is_flag=True,
    help="Let today's retention_days end what a manifest promised to keep for longer.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, at the end.")
@click.pass_context
def expire(
    ctx: click.Context, what: str | None, delete: bool, pause: float, shorten: bool, as_json: bool
) -> None:
    """Name the payloads whose time is over, and with --delete remove them.

    Each gets a tombstone first, and goes with a later run, once that has stood for the pause. A slot
    with a damaged manifest is left alone and named, and the exit code is 1. What a legal hold covers
    stays.
    """
    site = Site.of(ctx)
    found = chain.from_iterable(
        archives.expire(
            each,
            delete=delete,
            pause=timedelta(days=pause),
            shorten=shorten,
            by=getpass.getuser(),
            settings=site.settings,
        )
        for each in prefixes(site, what)
    )
    tally = _Tally(delete)
    with counting("expiring" if delete else "looking"):
        _take(tally, found, None if as_json else console())
    _conclude(ctx, site, tally, as_json)


@click.command()
@click.argument("what", metavar="ENTITY|URL")
@slot_options(revision=True)
@click.option("--all", "every", is_flag=True, help="Every revision of the slot.")
@click.option(
    "--payload", "name", metavar="NAME", help="One body, in a pack as well; the others stay."
)
@record_options
@click.option("--delete", is_flag=True, help="Do it; nothing is written without.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, at the end.")
@click.pass_context
def erase(
    ctx: click.Context,
    what: str,
    options: SlotOptions,
    every: bool,
    name: str | None,
    reason: str,
    by: str,
    delete: bool,
    as_json: bool,
) -> None:
    """Name what an erasure takes, and with --delete erase it at once.

    The payloads of one revision, or with --all of every revision of its slot, and what their manifests
    tell of the request. The manifests stay, redacted, so that the chain can still be checked. With
    --payload one body goes, of a pack too: out of every revision of the slot that has it, or out of the
    one that a URL or --revision names.
    """
    site = Site.of(ctx)
    if "://" in what:
        manifest = wanted(site, what, options)
        slot, number = manifest.slot, None if every else manifest.revision
    else:
        slot, number = options.slot(parse_entity(what)), options.revision
        if every + (number is not None) != 1 and (name is None or every):
            raise click.UsageError("give --revision, or --all for every revision of the slot")
    tally = _Tally(delete)
    found = archives.erase(
        slot, number, reason=reason, by=by, name=name, delete=delete, settings=site.settings
    )
    _take(tally, found, None if as_json else console())
    _conclude(ctx, site, tally, as_json)


@dataclass(slots=True)
class _Tally:
    """What was found, and what of it was done."""

    delete: bool
    removals: list[Removal] = field(default_factory=list)
    left_alone: list[LeftAlone] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:  # Any: JSON values
        """The outcome as JSON values."""
        return {
            "deleted": self.delete,
            "removals": [
                {**asdict(each), "slot": str(each.slot), "entity": str(each.slot.entity)}
                for each in self.removals
            ],
            "left_alone": [asdict(each) for each in self.left_alone],
        }

    def __str__(self) -> str:
        buried = [each for each in self.removals if each.step == "bury" and not each.held_by]
        removed = [each for each in self.removals if each.step == "remove" and not each.held_by]
        bodies = [each for each in buried if each.body]
        buried = [each for each in buried if not each.body]
        texts = [
            _sum(bodies, "erased" if self.delete else "to erase", one="body", many="bodies"),
            _sum(buried, "buried" if self.delete else "to bury"),
            _sum(removed, "removed" if self.delete else "to remove"),
        ]
        if held := sum(1 for each in self.removals if each.held_by):
            texts.append(f"{count_text(held, 'revision')} held")
        if self.left_alone:
            texts.append(f"{count_text(len(self.left_alone), 'place')} left alone")
        text = "; ".join(each for each in texts if each) or "nothing is due"
        undone = not self.delete and (buried or bodies or removed)
        return f"{text}; --delete does it" if undone else text


def _sum(removals: list[Removal], verb: str, one: str = "revision", many: str = "revisions") -> str:
    size_bytes = sum(each.size_bytes for each in removals)
    revisions = f"{len(removals):,} {one if len(removals) == 1 else many}"
    return f"{revisions} {verb}, {size_text(size_bytes)}" if removals else ""


def _take(tally: _Tally, found: Iterable[Removal | LeftAlone], out: Console | None) -> None:
    for each in found:
        if isinstance(each, LeftAlone):
            tally.left_alone.append(each)
        else:
            tally.removals.append(each)
        if out is not None:
            _print(out, each)


def _print(out: Console, found: Removal | LeftAlone) -> None:
    from rich.text import Text

    if isinstance(found, LeftAlone):
        print_finding(out, "left alone", found.message, "bold yellow")
        return
    if found.held_by:
        print_finding(out, "held", f"{found.url}  hold {found.held_by}", "bold yellow")
    else:
        body = f"  {found.body}" if found.body else ""
        told = f"{found.url}{body}  {size_text(found.size_bytes)}  {found.reason}"
        print_finding(out, found.step, told)
    if found.shared_with:
        others = ", ".join(map(str, found.shared_with))
        out.print(
            Text(f"           some of it stays: revision {others} names it as well", "yellow"),
            soft_wrap=True,
        )


def _conclude(ctx: click.Context, site: Site, tally: _Tally, as_json: bool) -> None:
    if as_json:
        click.echo(json_text(tally.as_dict(), indent=2))
    else:
        style = "bold yellow" if tally.left_alone else "bold green"
        print_outcome(console(), site.store.url, str(tally), style)
    ctx.exit(FAULTY if tally.left_alone else 0)
