"""``platform-ops archive rehearse``: what a replay would read, before anything is run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from platform_ops import archive as archives
from platform_ops.archive import Scene
from platform_ops.archive.stores.store import Store, locate
from platform_ops.cli import FAULTY
from platform_ops.cli.arguments import Site, entity_argument, range_options, time_option
from platform_ops.cli.listing import keys_text
from platform_ops.cli.terminal import (
    Column,
    console,
    count_text,
    counting,
    json_text,
    table,
    time_text,
)
from platform_ops.entity import Entity

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["rehearse"]


@click.command()
@entity_argument(required=True)
@range_options()
@click.option(
    "--revision", type=click.IntRange(min=1), help="A pinned revision; the newest otherwise."
)
@time_option("--as-of", "The newest revision that was committed by this time.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, one line a slot.")
@click.pass_context
def rehearse(
    ctx: click.Context,
    entity: Entity,
    since: datetime | None,
    until: datetime | None,
    revision: int | None,
    as_of: datetime | None,
    as_json: bool,
) -> None:
    """Say what a replay would read, slot by slot, and where it would refuse.

    Slots that are there, and those that the entity's schedule expects. Payloads are looked for, and
    not read. Exits with 1 where a slot would be refused: a replay never asks the source instead.
    """
    site = Site.of(ctx)
    with counting("listing the store"):
        scenes = archives.rehearse(
            entity, since, until, revision=revision, as_of_utc=as_of, settings=site.settings
        )
    if as_json:
        for each in scenes:
            click.echo(json_text(_as_dict(site.store, each)))
    else:
        _print(console(), site.store, entity, scenes)
    ctx.exit(FAULTY if not scenes or any(each.refusal for each in scenes) else 0)


def _as_dict(store: Store, each: Scene) -> dict[str, Any]:  # Any: JSON values
    slot, hit = each.slot, each.hit
    return {
        "time_utc": each.time_utc.isoformat(),
        "partition_key": slot and slot.partition_key,
        "map_key": slot and slot.map_key,
        "team": slot and slot.team,
        "manifest_url": hit and locate(store, hit.key),
        "revision": hit and hit.revision,
        "committed_at_utc": hit and hit.committed_at_utc and hit.committed_at_utc.isoformat(),
        "refusal": each.refusal,
    }


_COLUMNS: Final = (
    Column("TIME (UTC)"),
    Column("KEYS", folds=True),
    Column("REV", right=True),
    Column("COMMITTED (UTC)"),
    Column("REPLAY", folds=True),
)


def _print(out: Console, store: Store, entity: Entity, scenes: Sequence[Scene]) -> None:
    from rich.text import Text

    out.print(Text(store.url, style="dim"), soft_wrap=True)
    out.print()
    out.print(Text(str(entity), style="bold"))
    if scenes:
        styles = ["red" if each.refusal else "" for each in scenes]
        out.print(table(_COLUMNS, [_cells(each) for each in scenes], styles=styles))
    refused = sum(1 for each in scenes if each.refusal)
    read = count_text(len(scenes) - refused, "slot")
    text = f"a replay would read {read}" + (f", and refuse {refused}" if refused else "")
    out.print()
    out.print(Text(text, style="bold red" if refused or not scenes else "bold green"))


def _cells(each: Scene) -> tuple[str, ...]:
    hit = each.hit
    return (
        time_text(each.time_utc),
        keys_text(each.slot) if each.slot else "",
        str(hit.revision) if hit else "",
        f"{hit.committed_at_utc:%Y-%m-%d %H:%M}" if hit and hit.committed_at_utc else "",
        f"refused: {each.refusal}" if each.refusal else "reads it",
    )
