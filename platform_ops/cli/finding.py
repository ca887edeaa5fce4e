"""``platform-ops archive find``: revisions by run, digest or request, from the index."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import click

from platform_ops import archive as archives
from platform_ops.archive import Index, Question
from platform_ops.archive.indexing import Answer, Hit
from platform_ops.archive.stores.store import Store, locate
from platform_ops.cli import FAULTY
from platform_ops.cli.arguments import Site, entity_argument, range_options
from platform_ops.cli.listing import keys_text
from platform_ops.cli.terminal import (
    Column,
    console,
    count_text,
    counting,
    json_text,
    size_text,
    table,
    time_text,
)
from platform_ops.entity import Entity

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["find", "print_lost", "refreshed"]


@click.command()
@entity_argument(required=False)
@range_options()
@click.option("--source", metavar="NAME", help="Source of the entity.")
@click.option("--run", metavar="ID", help="Run that wrote it.")
@click.option("--dag", metavar="ID", help="DAG that wrote it.")
@click.option("--task", metavar="ID", help="Task that wrote it.")
@click.option(
    "--sha256",
    metavar="HEX",
    help="Digest of a body, in a pack as well, a revision or a manifest, or its start.",
)
@click.option("--url", metavar="URL", help="What was asked of the source; * stands for anything.")
@click.option(
    "--name", metavar="NAME", help="Name of a body, in a pack as well; * stands for anything."
)
@click.option(
    *("--fingerprint", "--request", "fingerprint"),
    metavar="HEX",
    help="Fingerprint of the request, or its start.",
)
@click.option(
    "--fresh", is_flag=True, help="List the store before, so that the answer is as of now."
)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a line, one line a revision."
)
@click.pass_context
def find(
    ctx: click.Context, /, entity: Entity | None, fresh: bool, as_json: bool, **asked: Any
) -> None:
    """Find revisions by who wrote them and what is in them.

    All that is given must hold. The answer comes from an index on this machine and says as of when it
    is; --fresh lists the store first. Exits with 1 where nothing is found, or a manifest that may be
    meant is damaged, or gone since an earlier listing.
    """
    if entity is None and not any(asked.values()):
        raise click.UsageError(
            "say what to find: an ENTITY, --run, --sha256, --name, --url, --since …"
        )
    site = Site.of(ctx)
    question = Question(entity, **asked)
    prefixes = question.prefixes(site.templates)
    index = archives.index(site.settings)
    if fresh or any(index.as_of(prefix) is None for prefix in prefixes):
        refreshed(index, prefixes)
    answer = index.find(question, prefixes)
    if as_json:
        for hit in (*answer.hits, *answer.faulty, *answer.lost):
            click.echo(json_text(_as_dict(site.store, hit, answer)))
    else:
        _print(console(), site.store, answer)
    ctx.exit(0 if answer.hits and not answer.faulty and not answer.lost else FAULTY)


def refreshed(index: Index, prefixes: Sequence[str]) -> Index:
    """Bring the index up to date below these prefixes, and on a terminal show that it takes a while."""
    with counting("listing the store") as tell:
        for prefix in prefixes:
            index.refresh(
                prefix, lambda listed, read: tell(f"{listed:,} manifests, {read:,} of them new")
            )
    return index


def _as_dict(store: Store, hit: Hit, answer: Answer) -> dict[str, Any]:  # Any: JSON values
    slot = hit.slot
    return {
        "entity": slot and str(slot.entity),
        "time_utc": slot and slot.time_utc.isoformat(),
        "partition_key": slot and slot.partition_key,
        "map_key": slot and slot.map_key,
        "team": slot and slot.team,
        "revision": hit.revision,
        "manifest_url": locate(store, hit.key),
        "dag_id": hit.dag_id,
        "task_id": hit.task_id,
        "run_id": hit.run_id,
        "map_index": hit.map_index,
        "try_number": hit.try_number,
        "committed_at_utc": hit.committed_at_utc and hit.committed_at_utc.isoformat(),
        "size_bytes": hit.size_bytes,
        "rows": hit.rows,
        "bodies": hit.bodies,
        "sha256": hit.sha256,
        "manifest_sha256": hit.manifest_sha256,
        "removed": hit.removed,
        "fault": "gone" if hit in answer.lost else hit.fault,
        "as_of_utc": answer.as_of_utc and answer.as_of_utc.isoformat(),
    }


_COLUMNS: Final = (
    Column("TIME (UTC)"),
    Column("KEYS", folds=True),
    Column("REV", right=True),
    Column("RUN", folds=True),
    Column("SIZE", right=True, spare=True),
    Column("COMMITTED (UTC)", spare=True),
)


def _print(out: Console, store: Store, answer: Answer) -> None:
    from rich.text import Text

    out.print(Text(store.url, style="dim"), soft_wrap=True)
    everything = [_cells(hit) for hit in answer.hits]
    for (entity, writer), group in groupby(answer.hits, key=_writer):
        hits = list(group)
        out.print()
        count = count_text(len(hits), "revision")
        out.print(Text.assemble((entity, "bold"), (f"  {count} by {writer}", "dim")))
        styles = ["dim" if hit.removed else "" for hit in hits]
        out.print(
            table(
                _COLUMNS,
                [_cells(hit) for hit in hits],
                styles=styles,
                like=everything,
                room=out.width,
            )
        )
    for hit in answer.faulty:
        out.print(Text(f"damaged, and not searched: {hit.fault}", style="red"), soft_wrap=True)
    print_lost(out, store, answer.lost)
    found = "nothing is found" if not answer.hits else count_text(len(answer.hits), "revision")
    style = "bold green" if answer.hits else "yellow"
    out.print()
    out.print(
        Text.assemble((found, style), (f", {_as_of(answer.as_of_utc)}", "dim")), soft_wrap=True
    )


def print_lost(out: Console, store: Store, lost: Sequence[Hit]) -> None:
    """Name manifests that were there and are gone: no command of ours removes one."""
    from rich.text import Text

    for hit in lost:
        line = f"gone since an earlier listing: {locate(store, hit.key)} (run {hit.run_id})"
        out.print(Text(line, style="bold red"), soft_wrap=True)


def _writer(hit: Hit) -> tuple[str, str]:
    """Entity, and the task that wrote it: what a heading says once for many rows."""
    return str(hit.slot and hit.slot.entity), f"{hit.dag_id}.{hit.task_id}"


def _as_of(time: datetime | None) -> str:
    if time is None:
        return "from an index that has not seen all of the store; --fresh lists it"
    age = int((datetime.now(UTC) - time).total_seconds() // 60)
    if age < 1:
        return f"as of now, {time:%Y-%m-%d %H:%M}Z"
    ago = count_text(age, "minute") if age < 120 else count_text(age // 60, "hour")
    return f"as of {time:%Y-%m-%d %H:%M}Z, {ago} ago; --fresh lists the store"


def _cells(hit: Hit) -> tuple[str, ...]:
    slot = hit.slot
    return (
        time_text(slot.time_utc) if slot else "",
        keys_text(slot) if slot else "",
        str(hit.revision),
        str(hit.run_id),
        "removed" if hit.removed else size_text(hit.size_bytes or 0),
        f"{hit.committed_at_utc:%Y-%m-%d %H:%M}" if hit.committed_at_utc else "",
    )
