"""``platform-ops archive``: what is archived, as tables, trees, documents and bytes.

Needs no Airflow. Exit codes: 0 all is well, 1 a fault in what is archived, 2 it could not run, 130 it was
interrupted.
"""

from __future__ import annotations

import shutil
import sys
from datetime import datetime

import click

from platform_ops import archive as archives
from platform_ops.archive.payloads import content
from platform_ops.archive.records import browse, read
from platform_ops.archive.stores.store import locate
from platform_ops.cli import FAULTY, Commands, listing, verification
from platform_ops.cli.arguments import (
    Site,
    SlotOptions,
    entity_argument,
    range_options,
    slot_options,
    wanted,
)
from platform_ops.cli.comparing import diff, history
from platform_ops.cli.expecting import status
from platform_ops.cli.exporting import export
from platform_ops.cli.finding import find
from platform_ops.cli.holding import hold, holds, release
from platform_ops.cli.refusals import evidence
from platform_ops.cli.rehearsing import rehearse
from platform_ops.cli.removing import erase, expire
from platform_ops.cli.sweeping import sweep
from platform_ops.cli.terminal import console, json_text
from platform_ops.entity import Entity

__all__ = ["archive"]


@click.group(cls=Commands)
def archive() -> None:
    """List, show, read, verify and keep what is archived.

    ENTITY is written source.name, as in weather.forecast.
    """


for _command in (
    *(find, history, diff, rehearse, status, sweep, expire, erase, hold, release, holds, export),
    *(evidence, verification.verify, verification.witness),
):
    archive.add_command(_command)


@archive.command("ls")
@entity_argument(required=False)
@range_options()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, one line a slot.")
@click.pass_context
def list_slots(
    ctx: click.Context,
    entity: Entity | None,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> None:
    """List the slots that hold a revision, with the newest of each."""
    site = Site.of(ctx)
    held = browse.slots(site.store, site.templates, entity, since, until)
    rows = (listing.Row.of(site.store, each) for each in held)
    faulty = False
    if as_json:
        for row in rows:
            faulty |= row.fault is not None
            click.echo(json_text(row.as_dict(site.store)))
    else:
        found = list(rows)
        faulty = any(row.fault for row in found)
        unknown = entity is not None and not found
        hint = browse.hint(site.store, site.templates, entity) if entity and unknown else ""
        listing.print_table(console(), found, site.store.url, hint)
    ctx.exit(FAULTY if faulty else 0)


@archive.command()
@entity_argument(required=False)
@range_options()
@click.pass_context
def tree(
    ctx: click.Context, entity: Entity | None, since: datetime | None, until: datetime | None
) -> None:
    """Draw the archive as the URL scheme lays it, down to the payloads."""
    site = Site.of(ctx)
    held = browse.slots(site.store, site.templates, entity, since, until)
    faulty = listing.print_tree(console(), site.store, held)
    ctx.exit(FAULTY if faulty else 0)


@archive.command()
@click.argument("what", metavar="ENTITY|URL")
@slot_options(revision=True)
@click.pass_context
def show(ctx: click.Context, what: str, options: SlotOptions) -> None:
    """Print one manifest: of an entity's slot, or behind a URL.

    Without --time it is that of the entity's latest slot.
    In a pipe it is the stored text to the byte, so that sha256sum gives the digest which the next
    revision and each reference hold.
    """
    site = Site.of(ctx)
    manifest = wanted(site, what, options)
    text = manifest.to_json().decode()
    out = console()
    if not out.is_terminal:
        click.echo(text, nl=False)
        return
    from rich.highlighter import JSONHighlighter
    from rich.text import Text

    highlighted = Text(text)
    JSONHighlighter().highlight(highlighted)
    out.print(Text(locate(site.store, read.key_of(manifest)), style="dim"), soft_wrap=True)
    out.print(highlighted, soft_wrap=True, end="")


@archive.command()
@click.argument("what", metavar="ENTITY|URL")
@slot_options(revision=True)
@click.option(
    "--payload", metavar="NAME", help="One body, in a pack as well; all in order otherwise."
)
@click.pass_context
def cat(ctx: click.Context, what: str, options: SlotOptions, payload: str | None) -> None:
    """Write payload bytes to standard output: of an entity's latest slot, unless --time names another.

    They are checked against their digests on the way.
    A payload's URL gives that payload alone. The check ends with the last byte: look at the exit
    code before you trust what came.
    """
    site = Site.of(ctx)
    manifest = wanted(site, what, options)
    key = what.removeprefix(f"{site.store.url}/")
    of_url = tuple(each for each in manifest.payloads if each.key == key)
    if payload is not None:
        stream = content.find(site.store, manifest, payload).open()
    else:
        stream = content.stream(site.store, of_url or manifest.payloads)
    shutil.copyfileobj(stream, sys.stdout.buffer, 1 << 20)


@archive.command()
@entity_argument(required=True)
@slot_options(revision=False)
@click.pass_context
def url(ctx: click.Context, entity: Entity, options: SlotOptions) -> None:
    """Print the URL of a slot's folder.

    Whether or not anything is there: it follows from the settings alone: no network, no storage.
    """
    slot = options.slot(entity)
    click.echo(archives.url(entity, slot, Site.of(ctx).settings))
