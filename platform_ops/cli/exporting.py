"""``platform-ops archive export``: a part of the archive as a BagIt bag."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from platform_ops import archive as archives
from platform_ops.cli.arguments import Site, entity_argument, range_options
from platform_ops.cli.terminal import count_text, counting, size_text
from platform_ops.entity import Entity

__all__ = ["export"]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@entity_argument(required=False)
@range_options()
@click.pass_context
def export(
    ctx: click.Context,
    folder: Path,
    entity: Entity | None,
    since: datetime | None,
    until: datetime | None,
) -> None:
    """Write revisions as a BagIt bag (RFC 8493) into a new folder.

    All of the archive, or an entity's slots of a time. Each payload is checked on the way; the folder
    appears once the bag is whole.
    """
    with counting("exporting"):
        bag = archives.export(folder, entity, since, until, Site.of(ctx).settings)
    click.echo(
        f"{bag.path}: {count_text(bag.manifests, 'revision')}, "
        f"{count_text(bag.payloads, 'payload')}, {size_text(bag.size_bytes)}"
    )
