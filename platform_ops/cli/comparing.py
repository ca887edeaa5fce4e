"""``platform-ops archive history`` and ``diff``: what became of a slot, and what changed in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import click

from platform_ops.archive.payloads import compare
from platform_ops.archive.payloads.compare import Change, Kind
from platform_ops.archive.records import browse, read, tombstones
from platform_ops.archive.records.tombstones import Tombstone
from platform_ops.archive.stores.store import Store, locate
from platform_ops.archive.upkeep.holding import in_force
from platform_ops.cli import FAULTY
from platform_ops.cli.arguments import (
    Site,
    SlotOptions,
    parse_entity,
    slot_options,
    wanted,
)
from platform_ops.cli.terminal import Column, console, json_text, size_text, table
from platform_ops.entity import Manifest
from platform_ops.errors import ArchiveCorrupt, NotArchived

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["diff", "history"]


@dataclass(frozen=True, slots=True)
class _Revision:
    """One line of a slot's history.

    :param manifest: None where it is damaged, and ``fault`` says why.
    :param before: The revision that it follows, where that can be read.
    """

    key: str
    manifest: Manifest | None
    before: Manifest | None
    tombstone: Tombstone | None
    fault: str | None

    @property
    def change(self) -> str:
        """What changed against the revision before, in words."""
        if self.manifest is None:
            return "damaged"
        if self.tombstone is not None:
            return f"{self.tombstone.cause} {self.tombstone.at_utc:%Y-%m-%d} by {self.tombstone.by}"
        if self.manifest.revision == 1:
            return "first"
        if self.before is None:
            return ""
        counted = compare.changes(self.before, self.manifest)
        kinds: tuple[Kind, ...] = ("changed", "added", "removed")
        return (
            ", ".join(f"{counted[kind]} {kind}" for kind in kinds if counted[kind]) or "same bytes"
        )


@click.command()
@click.argument("what", metavar="ENTITY|URL")
@slot_options(revision=False)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a line, newest revision first."
)
@click.pass_context
def history(ctx: click.Context, what: str, options: SlotOptions, as_json: bool) -> None:
    """Tell what became of one slot: each revision, who wrote it and what changed.

    Revisions whose payloads expired or were erased say so, and so does a legal hold. Exits with 1 where
    a manifest is damaged.
    """
    site = Site.of(ctx)
    folder = _folder(site, what, options)
    revisions = list(_revisions(site.store, folder))
    hold = in_force(site.store).over(folder)
    if as_json:
        for each in revisions:
            click.echo(json_text(_as_dict(site.store, each, hold)))
    else:
        _print_history(console(), site.store, folder, revisions, hold)
    ctx.exit(FAULTY if any(each.fault for each in revisions) else 0)


def _folder(site: Site, what: str, options: SlotOptions) -> str:
    if "://" in what:
        if options.given:
            raise click.UsageError("a URL names its slot: give no options with it")
        key = browse.manifest_key_at(site.store, what)
        return key.removeprefix("meta/").rpartition("/")[0]
    slot = options.slot(parse_entity(what))
    for template in site.templates:
        folder = template.render(slot)
        if site.store.level(f"meta/{folder}").entries:
            return folder
    raise NotArchived(f"{slot}: nothing is archived in {site.store.url}")


def _revisions(store: Store, folder: str) -> Iterator[_Revision]:
    """Newest first."""
    found: list[_Revision] = []
    before: Manifest | None = None
    for entry in store.level(f"meta/{folder}").entries:
        manifest, fault, tombstone = None, None, None
        try:
            manifest = read.manifest_at(store, entry.key)
            tombstone = tombstones.tombstone_at(store, entry.key)
        except ArchiveCorrupt as err:
            fault = str(err)
        found.append(_Revision(entry.key, manifest, before, tombstone, fault))
        before = manifest
    return reversed(found)


def _as_dict(store: Store, each: _Revision, hold: object) -> dict[str, Any]:  # Any: JSON values
    manifest = each.manifest
    stone = each.tombstone
    return {
        "manifest_url": locate(store, each.key),
        "revision": manifest and manifest.revision,
        "committed_at_utc": manifest and manifest.committed_at_utc.isoformat(),
        "dag_id": manifest and manifest.run.dag_id,
        "task_id": manifest and manifest.run.task_id,
        "run_id": manifest and manifest.run.run_id,
        "try_number": manifest and manifest.run.try_number,
        "bodies": manifest and manifest.bodies,
        "size_bytes": manifest and manifest.size_bytes,
        "rows": manifest and manifest.rows,
        "sha256": manifest and manifest.sha256,
        "changes": manifest and compare.changes(each.before, manifest),
        "removed": stone and {"cause": stone.cause, "by": stone.by, "reason": stone.reason},
        "hold": hold and str(hold),
        "fault": each.fault,
    }


_HISTORY: Final = (
    Column("REV", right=True),
    Column("COMMITTED (UTC)"),
    Column("BY", folds=True),
    Column("FILES", right=True),
    Column("SIZE", right=True),
    Column("ROWS", right=True),
    Column("CHANGE", folds=True),
)


def _print_history(
    out: Console, store: Store, folder: str, revisions: Sequence[_Revision], hold: object
) -> None:
    from rich.text import Text

    out.print(Text(f"{store.url}/data/{folder}", style="dim"), soft_wrap=True)
    styles = ["red" if each.fault else "dim" if each.tombstone else "" for each in revisions]
    out.print(table(_HISTORY, [_cells(each) for each in revisions], styles=styles))
    for each in revisions:
        if each.fault:
            out.print(Text(each.fault, style="red"), soft_wrap=True)
    if hold is not None:
        out.print(Text(str(hold), style="bold yellow"), soft_wrap=True)


def _cells(each: _Revision) -> tuple[str, ...]:
    manifest = each.manifest
    if manifest is None:
        return (each.key.rpartition("/")[2], "", "", "", "", "", each.change)
    run = manifest.run
    tries = f" try {run.try_number}" if run.try_number > 1 else ""
    return (
        str(manifest.revision),
        f"{manifest.committed_at_utc:%Y-%m-%d %H:%M}",
        f"{run.dag_id}.{run.task_id} {run.run_id}{tries}",
        str(manifest.bodies),
        size_text(manifest.size_bytes),
        "" if manifest.rows is None else f"{manifest.rows:,}",
        each.change,
    )


@click.command()
@click.argument("what", metavar="ENTITY|URL [URL]", nargs=-1, required=True)
@slot_options(revision=False)
@click.option("--from", "older", type=click.IntRange(min=1), help="Older revision; the one before.")
@click.option("--to", "newer", type=click.IntRange(min=1), help="Newer revision; the newest.")
@click.option("--lines", type=click.IntRange(min=0), default=40, show_default=True, metavar="COUNT",
              help="Lines of text to show of each payload; 0 compares digests alone.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, one line a payload.")
@click.pass_context
def diff(
    ctx: click.Context,
    what: tuple[str, ...],
    options: SlotOptions,
    older: int | None,
    newer: int | None,
    lines: int,
    as_json: bool,
) -> None:
    """Compare two revisions, payload by payload.

    Two of one slot, or any two by their URLs, the older first. Text, JSON and CSV are compared line by
    line, JSON with each value on a line of its own. Exits with 0 where all payloads are the same, 1
    where one differs.
    """
    site = Site.of(ctx)
    before, after = _pair(site, what, options, older, newer)
    found = list(compare.diff(site.store, before, after, lines=lines))
    if as_json:
        for each in found:
            click.echo(json_text(asdict(each)))
    else:
        _print_diff(console(), site.store, (before, after), found, lines)
    ctx.exit(FAULTY if any(each.kind != "same" for each in found) else 0)


def _pair(
    site: Site, what: tuple[str, ...], options: SlotOptions, older: int | None, newer: int | None
) -> tuple[Manifest, Manifest]:
    if len(what) == 2:
        if options.given or older or newer:
            raise click.UsageError("two URLs name their revisions: give no options with them")
        return wanted(site, what[0], options), wanted(site, what[1], options)
    if len(what) > 2:
        raise click.UsageError("give one ENTITY or URL of a slot, or the URLs of two revisions")
    folder = _folder(site, what[0], options)
    entries = site.store.level(f"meta/{folder}").entries
    keys = {int(PurePosixPath(entry.key).stem): entry.key for entry in entries}
    last = max(keys) if newer is None else newer
    first = max((each for each in keys if each < last), default=last) if older is None else older
    missing = [str(each) for each in (first, last) if each not in keys]
    if missing:
        there = ", ".join(map(str, keys))
        raise NotArchived(f"{folder}: no revision {', '.join(missing)}; it has: {there}")
    return read.manifest_at(site.store, keys[first]), read.manifest_at(site.store, keys[last])


_DIFF: Final = (
    Column(""),
    Column("PAYLOAD", folds=True),
    Column("BEFORE", right=True),
    Column("AFTER", right=True),
    Column("ROWS +", right=True),
    Column("ROWS -", right=True),
)
_STYLES: Final[dict[Kind, str]] = {
    "same": "dim",
    "changed": "yellow",
    "added": "green",
    "removed": "red",
}


def _print_diff(
    out: Console,
    store: Store,
    pair: tuple[Manifest, Manifest],
    found: Sequence[Change],
    lines: int,
) -> None:
    from rich.text import Text

    for word, one in zip(("before", "after "), pair, strict=True):
        committed = f"{one.committed_at_utc:%Y-%m-%d %H:%M}Z"
        where = locate(store, read.key_of(one))
        out.print(Text(f"{word} {where}  {committed}", style="dim"), soft_wrap=True)
    styles = [_STYLES[each.kind] for each in found]
    out.print(table(_DIFF, [_diff_cells(each) for each in found], styles=styles))
    for each in found:
        for name, (old, new) in each.headers.items():
            out.print(Text(f"{each.name}: {name}: {old} → {new}"), soft_wrap=True)
        for line in each.text:
            out.print(Text(line, style=_line_style(line)), soft_wrap=True)
        if lines and len(each.text) == lines:
            out.print(Text(f"… the first {lines} lines; --lines shows more", style="dim"))


def _diff_cells(each: Change) -> tuple[str, ...]:
    sizes = (each.size_before, each.size_after)
    rows = (each.rows_added, each.rows_removed)
    return (
        each.kind,
        each.name,
        *("" if size is None else size_text(size) for size in sizes),
        *("" if count is None else f"{count:,}" for count in rows),
    )


def _line_style(line: str) -> str:
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
