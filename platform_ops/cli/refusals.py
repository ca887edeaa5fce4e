"""``platform-ops archive evidence``: deliveries that were refused, and where what came of them is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from platform_ops import archive as archives
from platform_ops.archive.stores.store import locate
from platform_ops.cli.arguments import Site, entity_argument
from platform_ops.cli.terminal import console, json_text, size_text, time_text

if TYPE_CHECKING:
    from platform_ops.archive import Evidence, Store
    from platform_ops.entity import Entity

__all__ = ["evidence"]


@click.command()
@entity_argument(required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_context
def evidence(ctx: click.Context, entity: Entity | None, as_json: bool) -> None:
    """List deliveries that a policy of their entity refused, and why.

    What came is kept as evidence for [archive] evidence_days, and no other command shows it.
    """
    site = Site.of(ctx)
    found = archives.evidence(entity, site.settings)
    if as_json:
        for each in found:
            click.echo(json_text(_plain(site.store, each)))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("slot", "refused (UTC)", "check", "size", "what was found", "kept at", box=None)
    for each in found:
        cells = (
            str(each.slot),
            time_text(each.at_utc),
            each.check,
            size_text(each.size_bytes),
            each.message.removeprefix(f"{each.slot}: {each.check}: "),
            "\n".join(locate(site.store, payload.key) for payload in each.payloads),
        )
        table.add_row(*map(Text, cells))
    if table.rows:
        console().print(table)
    else:
        click.echo("nothing was refused")


def _plain(store: Store, found: Evidence) -> dict[str, Any]:  # Any: JSON values
    return {
        "entity": str(found.slot.entity),
        "time_utc": found.slot.time_utc.isoformat(),
        "partition_key": found.slot.partition_key,
        "map_key": found.slot.map_key,
        "check": found.check,
        "message": found.message,
        "refused_at_utc": found.at_utc.isoformat(),
        "run": found.run.run_id,
        "dag": found.run.dag_id,
        "task": found.run.task_id,
        "size_bytes": found.size_bytes,
        "urls": [locate(store, each.key) for each in found.payloads],
    }
