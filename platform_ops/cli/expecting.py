"""``platform-ops archive status``: what was expected against what arrived, for people and for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from platform_ops import archive as archives
from platform_ops.archive import Question
from platform_ops.archive.arrivals import Arrival, State, Status
from platform_ops.archive.records import browse
from platform_ops.archive.stores.store import Store, locate
from platform_ops.cli import FAULTY
from platform_ops.cli.arguments import Site, entity_argument, range_options
from platform_ops.cli.finding import print_lost, refreshed
from platform_ops.cli.listing import keys_text
from platform_ops.cli.terminal import Column, console, count_text, json_text, table, time_text
from platform_ops.entity import Entity

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["status"]

_STYLES: Final[dict[State, str]] = {
    "arrived": "",
    "late": "yellow",
    "empty": "yellow",
    "removed": "dim",
    "unexpected": "yellow",
    "due": "dim",
    "missing": "bold red",
}


@click.command()
@entity_argument(required=False)
@range_options()
@click.option("--all", "everything", is_flag=True, help="Name the slots that are all right too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, one line an entity.")
@click.pass_context
def status(
    ctx: click.Context,
    entity: Entity | None,
    since: datetime | None,
    until: datetime | None,
    everything: bool,
    as_json: bool,
) -> None:
    """Compare the slots that were expected with those that arrived.

    What is expected follows from the entity's schedule in platform.toml, else from the gaps between
    what arrived, and the answer says which. Without a range: from the first slot, at most 30 days back,
    until now. Exits with 0 where all is there, 1 where something is missing, damaged or gone, 2 where
    it could not run.
    """
    site = Site.of(ctx)
    found = [
        _status(site, each, since, until) for each in ([entity] if entity else _entities(site))
    ]
    if as_json:
        for one in found:
            click.echo(json_text(_as_dict(site.store, one)))
    else:
        _print(console(), site.store, found, everything=everything)
    ctx.exit(0 if all(one.complete for one in found) else FAULTY)


def _entities(site: Site) -> list[Entity]:
    """Those that hold something, and those of which something is expected."""
    scheduled = {
        each for each in site.settings.entities() if site.settings.entity(each).schedule is not None
    }
    return sorted(scheduled | set(browse.entities(site.store, site.templates)))


def _status(site: Site, entity: Entity, since: datetime | None, until: datetime | None) -> Status:
    refreshed(archives.index(site.settings), Question(entity).prefixes(site.templates))
    return archives.status(entity, since, until, fresh=False, settings=site.settings)


def _as_dict(store: Store, found: Status) -> dict[str, Any]:  # Any: JSON values
    return {
        "entity": str(found.entity),
        "since_utc": found.since.isoformat(),
        "until_utc": found.until.isoformat(),
        "schedule": found.schedule and found.schedule.text,
        "inferred": found.inferred,
        "complete": found.complete,
        "counts": found.counts,
        "slots": [
            {
                "time_utc": each.time_utc.isoformat(),
                "state": each.state,
                "due_utc": each.due_utc and each.due_utc.isoformat(),
                "manifest_urls": [locate(store, hit.key) for hit in each.newest],
            }
            for each in found.arrivals
        ],
        "damaged": [hit.fault for hit in found.damaged],
        "lost": [locate(store, hit.key) for hit in found.lost],
        "as_of_utc": found.as_of_utc.isoformat(),
    }


_SUMMARY: Final = (
    Column("ENTITY", folds=True),
    Column("ARRIVED", right=True),
    Column("LATE", right=True),
    Column("EMPTY", right=True),
    Column("REMOVED", right=True),
    Column("UNEXPECTED", right=True),
    Column("DUE", right=True),
    Column("MISSING", right=True),
    Column("SCHEDULE", folds=True),
)
_DETAILS: Final = (
    Column("STATE"),
    Column("TIME (UTC)"),
    Column("DUE (UTC)"),
    Column("COMMITTED (UTC)"),
    Column("SLOTS", folds=True),
)


def _print(out: Console, store: Store, found: Sequence[Status], *, everything: bool) -> None:
    from rich.text import Text

    out.print(Text(store.url, style="dim"), soft_wrap=True)
    for one in found:
        named = [each for each in one.arrivals if everything or each.state != "arrived"]
        if named:
            out.print()
            out.print(Text(str(one.entity), style="bold"))
            styles = [_STYLES[each.state] for each in named]
            out.print(table(_DETAILS, [_cells(each) for each in named], styles=styles))
        for hit in one.damaged:
            out.print(Text(f"damaged: {hit.fault}", style="red"), soft_wrap=True)
        print_lost(out, store, one.lost)
    if not found:
        out.print(Text("nothing is archived here, and nothing is expected", style="yellow"))
        return
    out.print()
    styles = ["" if one.complete else "red" for one in found]
    out.print(table(_SUMMARY, [_summary(one) for one in found], styles=styles))
    out.print()
    for one in found if len(found) == 1 else ():
        span = f"{one.since:%Y-%m-%d %H:%M}Z to {one.until:%Y-%m-%d %H:%M}Z"
        out.print(Text(f"{span}; {_expectation(one)}", style="dim"), soft_wrap=True)
    out.print(_verdict(found))


def _cells(each: Arrival) -> tuple[str, ...]:
    times = [hit.committed_at_utc for hit in each.newest if hit.committed_at_utc is not None]
    keys = [keys_text(hit.slot) for hit in each.newest if hit.slot is not None]
    shown = ", ".join(key for key in keys[:3] if key)
    return (
        each.state,
        time_text(each.time_utc),
        time_text(each.due_utc) if each.due_utc and not each.newest else "",
        f"{max(times):%Y-%m-%d %H:%M}" if times else "",
        f"{shown} and {len(keys) - 3} more" if len(keys) > 3 else shown,
    )


def _summary(one: Status) -> tuple[str, ...]:
    counts = one.counts
    numbers = [str(counts[state]) if counts[state] else "" for state in _STYLES]
    schedule = "none" if one.schedule is None else one.schedule.text
    return (str(one.entity), *numbers, f"{schedule} (inferred)" if one.inferred else schedule)


def _expectation(one: Status) -> str:
    if one.schedule is None:
        return "no schedule is set, and none can be inferred: nothing can be missing"
    if one.inferred:
        return f"{one.schedule.text}, inferred from what arrived: set schedule to be sure"
    zone = "" if one.schedule.zone == "UTC" else f" in {one.schedule.zone}"
    return f"schedule {one.schedule.text}{zone}"


def _verdict(found: Sequence[Status]) -> Any:  # Any: rich.Text
    from rich.text import Text

    counted = {
        "missing": (sum(one.counts["missing"] for one in found), "slot"),
        "damaged": (sum(len(one.damaged) for one in found), "manifest"),
        "gone": (sum(len(one.lost) for one in found), "manifest"),
    }
    faults = [
        f"{count_text(count, noun)} {word}" for word, (count, noun) in counted.items() if count
    ]
    if not faults:
        return Text("nothing is missing", style="bold green")
    return Text(", ".join(faults), style="bold red")
