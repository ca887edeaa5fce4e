"""Slots and revisions as a person reads them: a table for each entity, and the tree of the URLs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from platform_ops.archive import Store
from platform_ops.archive.records import read
from platform_ops.archive.records.browse import Held
from platform_ops.archive.stores.store import locate
from platform_ops.cli.terminal import Column, count_text, size_text, table, time_text, visible
from platform_ops.entity import Manifest, Payload, Slot
from platform_ops.errors import ArchiveCorrupt

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

__all__ = ["Row", "keys_text", "print_table", "print_tree"]


@dataclass(frozen=True, slots=True)
class Row:
    """One slot and its newest revision.

    :param newest: None where its manifest is damaged.
    :param fault: What is wrong with the manifest.
    """

    held: Held
    newest: Manifest | None
    fault: str | None = None

    @classmethod
    def of(cls, store: Store, held: Held) -> Row:
        """Read the newest manifest, and keep what is wrong with it."""
        try:
            return cls(held, read.manifest_at(store, held.manifest_keys[-1], held.slot))
        except ArchiveCorrupt as err:
            return cls(held, None, str(err))

    def as_dict(self, store: Store) -> dict[str, Any]:  # Any: JSON values
        """The row for scripts."""
        slot, newest = self.held.slot, self.newest
        return {
            "entity": str(slot.entity),
            "time_utc": slot.time_utc.isoformat(),
            "partition_key": slot.partition_key,
            "map_key": slot.map_key,
            "team": slot.team,
            "url": locate(store, f"data/{self.held.folder}"),
            "manifest_url": locate(store, self.held.manifest_keys[-1]),
            "revisions": len(self.held.manifest_keys),
            "revision": newest and newest.revision,
            "payloads": newest and len(newest.payloads),
            "size_bytes": newest and newest.size_bytes,
            "rows": newest and newest.rows,
            "sha256": newest and newest.sha256,
            "committed_at_utc": newest and newest.committed_at_utc.isoformat(),
            "fault": self.fault,
        }

    def cells(self) -> tuple[str, ...]:
        """Time, keys, revision, payloads, size, rows, time of the commit."""
        slot, newest = self.held.slot, self.newest
        keys = keys_text(slot)
        if newest is None:
            return (time_text(slot.time_utc), keys, "damaged", "", "", "", "")
        return (
            time_text(slot.time_utc),
            keys,
            str(newest.revision),
            str(len(newest.payloads)),
            size_text(newest.size_bytes),
            "" if newest.rows is None else f"{newest.rows:,}",
            f"{newest.committed_at_utc:%Y-%m-%d %H:%M}",
        )


_COLUMNS: Final = (
    Column("TIME (UTC)"),
    Column("KEYS", folds=True),
    Column("REV", right=True),
    Column("FILES", right=True, spare=True),
    Column("SIZE", right=True),
    Column("ROWS", right=True, spare=True),
    Column("COMMITTED (UTC)", spare=True),
)


def print_table(out: Console, rows: Sequence[Row], root: str, hint: str = "") -> None:
    """One table for each entity, all with the same columns; empty columns are left out.

    :param hint: What else may have been meant, where there is nothing.
    """
    from rich.text import Text

    out.print(Text(root, style="dim"), soft_wrap=True)
    everything = [row.cells() for row in rows]
    for entity, group in groupby(rows, key=lambda row: row.held.slot.entity):
        of_entity = list(group)
        count = count_text(len(of_entity), "slot")
        out.print()
        out.print(Text.assemble((visible(str(entity)), "bold"), (f"  {count}", "dim")))
        cells = [row.cells() for row in of_entity]
        styles = ["red" if row.fault else "" for row in of_entity]
        out.print(table(_COLUMNS, cells, styles=styles, like=everything, room=out.width))
        for row in of_entity:
            if row.fault:
                out.print(Text(row.fault, style="red"), soft_wrap=True)
    if not rows:
        out.print(Text(f"nothing is archived here{hint}", style="yellow"), soft_wrap=True)


def keys_text(slot: Slot) -> str:
    """Team, partition key and map key of a slot, as far as it has them."""
    named = {"team": slot.team, "part": slot.partition_key, "map": slot.map_key}
    return " ".join(f"{name}={key}" for name, key in named.items() if key is not None)


@dataclass(slots=True)
class _Folder:
    """A level of the URL scheme: folders below, and at a slot what it holds."""

    folders: dict[str, _Folder] = field(default_factory=dict)
    held: Held | None = None

    def at(self, path: str) -> _Folder:
        folder = self
        for name in path.split("/"):
            folder = folder.folders.setdefault(name, _Folder())
        return folder


def print_tree(out: Console, store: Store, held: Iterable[Held]) -> bool:
    """Draw slots as the URL scheme lays them, each revision and its payloads below.

    :return: Whether a manifest is damaged.
    """
    from rich.text import Text
    from rich.tree import Tree

    top = _Folder()
    for each in held:
        top.at(each.folder).held = each
    drawn = Tree(Text(store.url, style="bold"), guide_style="dim")
    faulty = _draw(drawn, top, store)
    if not top.folders:
        drawn.add(Text("nothing is archived here", style="yellow"))
    out.print(drawn)
    return faulty


def _draw(tree: Tree, folder: _Folder, store: Store) -> bool:
    from rich.text import Text

    faulty = False
    for name, below in folder.folders.items():
        # A chain of single folders is one line: a day with one slot needs no three.
        names, end = [name], below
        while len(end.folders) == 1 and end.held is None:
            ((step, end),) = end.folders.items()
            names.append(step)
        faulty |= _draw(tree.add(Text("/".join(names), style="cyan")), end, store)
    if folder.held is not None:
        for line, payloads in _revisions(store, folder.held):
            branch = tree.add(line)
            faulty |= payloads is None
            for payload in payloads or ():
                branch.add(payload)
    return faulty


def _revisions(store: Store, held: Held) -> Iterator[tuple[Text, list[Text] | None]]:
    """A line for each revision, newest first, and one for each payload; None where it is damaged."""
    from rich.text import Text

    for index, key in enumerate(reversed(held.manifest_keys)):
        name = key.rpartition("/")[2].removesuffix(".json")
        try:
            manifest = read.manifest_at(store, key, held.slot)
        except ArchiveCorrupt as err:
            yield Text.assemble((name, "bold red"), f"  {err}"), None
            continue
        yield (
            _revision_line(name, manifest, superseded=index > 0),
            [_payload_line(payload, name, superseded=index > 0) for payload in manifest.payloads],
        )


def _revision_line(name: str, manifest: Manifest, *, superseded: bool) -> Text:
    from rich.text import Text

    sizes = f"  {size_text(manifest.size_bytes)}"
    sizes += "" if manifest.rows is None else f", {count_text(manifest.rows, 'row')}"
    committed = f"  {manifest.committed_at_utc:%Y-%m-%d %H:%M}Z"
    if superseded:
        return Text(f"{name}{sizes}{committed}  superseded", style="dim")
    return Text.assemble((name, "bold green"), sizes, (committed, "dim"))


def _payload_line(payload: Payload, revision: str, *, superseded: bool) -> Text:
    from rich.text import Text

    line = Text.assemble(payload.name, (f"  {size_text(payload.size_bytes)}", "dim"))
    stored_by = payload.key.split("/")[-2].partition("-")[0]
    if stored_by != revision:
        line.append(f"  same bytes as in {stored_by}", style="dim")
    if superseded:
        line.stylize("dim")
    return line
