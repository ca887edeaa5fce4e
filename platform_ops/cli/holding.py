"""``platform-ops archive hold``, ``release`` and ``holds``: what must stay, and until when."""

from __future__ import annotations

from typing import Any

import click

from platform_ops import archive as archives
from platform_ops.archive import Hold, Release
from platform_ops.cli.arguments import (
    Site,
    SlotOptions,
    parse_entity,
    record_options,
    slot_options,
    wanted,
)
from platform_ops.cli.terminal import console, json_text, time_text
from platform_ops.entity import Entity, Slot

__all__ = ["hold", "holds", "release"]


@click.command()
@click.argument("what", metavar="SOURCE|ENTITY|URL")
@slot_options(revision=False)
@record_options
@click.pass_context
def hold(ctx: click.Context, what: str, options: SlotOptions, reason: str, by: str) -> None:
    """Forbid to remove anything of a source, an entity or a slot.

    With --time it covers one slot of the entity, as does a URL. It counts until it is released, and
    prints the name under which that is done.
    """
    site = Site.of(ctx)
    placed = archives.hold(
        _scope(site, what, options), reason=reason, by=by, settings=site.settings
    )
    click.echo(placed.id)


@click.command()
@click.argument("hold_id", metavar="HOLD")
@record_options
@click.pass_context
def release(ctx: click.Context, hold_id: str, reason: str, by: str) -> None:
    """End a hold; its record stays, and says who ended it and why."""
    archives.release(hold_id, reason=reason, by=by, settings=Site.of(ctx).settings)


@click.command()
@click.option("--all", "every", is_flag=True, help="Those that were released as well.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def holds(ctx: click.Context, every: bool, as_json: bool) -> None:
    """List the holds in force: what each covers, who placed it, when and why."""
    found = [
        (placed, ended)
        for placed, ended in archives.holds(Site.of(ctx).settings)
        if every or ended is None
    ]
    if as_json:
        click.echo(json_text([_plain(*each) for each in found], indent=2))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("hold", "covers", "placed (UTC)", "by", "reason", "released", box=None)
    for placed, ended in found:
        until = f"{time_text(ended.at_utc)} by {ended.by}: {ended.reason}" if ended else ""
        cells = (placed.id, placed.scope, time_text(placed.at_utc), placed.by, placed.reason, until)
        table.add_row(*map(Text, cells))
    if found:
        console().print(table)
    else:
        click.echo("no hold is in force")


def _scope(site: Site, what: str, options: SlotOptions) -> str | Entity | Slot:
    if "://" in what:
        return wanted(site, what, options).slot
    if "." not in what:
        return what
    entity = parse_entity(what)
    return options.slot(entity) if options.given else entity


def _plain(placed: Hold, ended: Release | None) -> dict[str, Any]:  # Any: JSON values
    return {
        "id": placed.id,
        "covers": placed.scope,
        "reason": placed.reason,
        "by": placed.by,
        "at_utc": placed.at_utc.isoformat(),
        "released": {
            "reason": ended.reason,
            "by": ended.by,
            "at_utc": ended.at_utc.isoformat(),
        }
        if ended
        else None,
    }
