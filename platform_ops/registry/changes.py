"""What changed between two catalogues, and which of it breaks code that was written for the first.

Objects of all kinds are compared in one shape: aspects are texts that may differ, parts come and go.
One table, ``_BREAKS``, says which change of an aspect breaks users. What cannot be known from a
catalogue alone, such as whether a type was narrowed, counts as changed and not as breaking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Final

from platform_ops.registry.comparable import Thing, things
from platform_ops.registry.models.catalog import Catalog, adapter

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Action", "Change", "Changes", "compare"]

CHANGES_VERSION: Final = 1


class Action(StrEnum):
    """What became of something."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    :param kind: Of the object, as the roles of the site name it: ``operator``, ``metric``, ``dag`` …
    :param name: What a user calls the object: what is imported, or its id.
    :param part: What of the object, such as ``parameter endpoint``; empty for the object itself.
    :param aspect: What of that is another, such as ``default``; empty where it came or went.
    :param breaking: Whether code that was right before can fail now.
    :param summary: What the object or part is for, in a sentence.
    """

    kind: str
    name: str
    action: Action
    part: str = ""
    aspect: str = ""
    before: str = ""
    after: str = ""
    breaking: bool = False
    summary: str = ""

    @property
    def sentence(self) -> str:
        """The difference in words, without the object's own name."""
        what = " ".join(filter(None, (self.part, self.aspect))) or self.kind
        if self.action is not Action.CHANGED:
            return f"{what} {self.action}"
        return f"{what} was {self.before or 'empty'}, is {self.after or 'empty'}"


@dataclass(frozen=True, slots=True)
class Changes:
    """All differences, by kind, object and part.

    :param old: Packages of the first catalogue, each with its version.
    :param new: Those of the second.
    """

    version: int = CHANGES_VERSION
    old: dict[str, str] = field(default_factory=dict)
    new: dict[str, str] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    @property
    def breaking(self) -> tuple[Change, ...]:
        """Those that can make code fail which was right before."""
        return tuple(each for each in self.changes if each.breaking)

    def of(self, action: Action) -> tuple[Change, ...]:
        """Whole objects that came or went; or, for ``CHANGED``, all that befell those that stayed."""
        return tuple(
            each
            for each in self.changes
            if (Action.CHANGED if each.part else each.action) is action
        )

    def by_object(self) -> Iterator[tuple[str, str, tuple[Change, ...]]]:
        """Kind and name of each object, with all that befell it."""
        for (kind, name), found in groupby(self.changes, key=lambda each: (each.kind, each.name)):
            yield kind, name, tuple(found)

    def summary(self) -> str:
        """One line: ``3 added, 1 removed, 5 changed, 2 of them breaking``."""
        counts = [f"{len(self.of(action))} {action}" for action in Action if self.of(action)]
        if self.breaking:
            counts.append(f"{len(self.breaking)} of them breaking")
        return ", ".join(counts) or "nothing changed"

    def to_json(self) -> str:
        """One document."""
        return adapter(type(self)).dump_json(self, indent=1).decode() + "\n"

    def print(self, console: Console) -> None:
        """Write the differences for a person, by object; what breaks is marked."""
        from rich.text import Text

        for kind, name, found in self.by_object():
            console.print(Text.assemble((f"{kind} ", "bold"), (name, "bold cyan")), soft_wrap=True)
            for each in found:
                mark = ("  breaking  ", "bold red") if each.breaking else ("            ", "")
                console.print(Text.assemble(mark, each.sentence), soft_wrap=True)
        console.print(Text(self.summary(), style="bold"))


def compare(old: Catalog, new: Catalog) -> Changes:
    """What befell every object between two catalogues.

    Bases outside the walked packages are left out: they are not what the catalogue is about.
    """
    found = _differences(things(old), things(new))
    return Changes(
        old={each.name: each.version for each in old.packages},
        new={each.name: each.version for each in new.packages},
        changes=tuple(
            sorted(found, key=lambda each: (each.kind, each.name, each.part, each.aspect))
        ),
    )


def _differences(before: Iterable[Thing], after: Iterable[Thing]) -> Iterator[Change]:
    went, came, stayed = _matched(before, after)
    for each in went:
        yield _went(each, each.kind, each.names[0])
    for each in came:
        yield _came(each, each.kind, each.names[0])
    for old, new in stayed:
        yield from _of_object(old, new)


def _matched(
    before: Iterable[Thing], after: Iterable[Thing]
) -> tuple[list[Thing], list[Thing], list[tuple[Thing, Thing]]]:
    """What went, what came, and what stayed: found again by any of its names."""
    came = {id(each): each for each in after}
    by_name: dict[tuple[str, str], Thing] = {}
    for each in came.values():
        for name in each.names:
            by_name.setdefault((each.level, name), each)
    went, stayed = [], []
    for old in before:
        found = (by_name.get((old.level, name)) for name in old.names)
        new = next((each for each in found if each is not None and id(each) in came), None)
        if new is None:
            went.append(old)
        else:
            stayed.append((old, came.pop(id(new))))
    return went, list(came.values()), stayed


def _of_object(old: Thing, new: Thing) -> Iterator[Change]:
    kind, name = new.kind, new.names[0]
    if old.names[0] != name:
        yield Change(
            kind, name, Action.CHANGED, aspect="import", before=old.names[0], after=name,
            breaking=old.names[0] not in new.names, summary=new.summary,
        )  # fmt: skip
    yield from _aspects(kind, name, "", old, new)
    went, came, stayed = _matched(old.parts, new.parts)
    for each in went:
        if each.names[0] not in new.inherited:
            yield _went(each, kind, name, _titled(each))
    for each in came:
        if each.names[0] not in old.inherited:
            yield _came(each, kind, name, _titled(each))
    for one, other in stayed:
        yield from _aspects(kind, name, _titled(other), one, other)


def _titled(part: Thing) -> str:
    return f"{part.level} {part.names[0]}"


def _went(thing: Thing, kind: str, name: str, part: str = "") -> Change:
    return Change(kind, name, Action.REMOVED, part, breaking=True, summary=thing.summary)


def _came(thing: Thing, kind: str, name: str, part: str = "") -> Change:
    return Change(kind, name, Action.ADDED, part, breaking=thing.needed, summary=thing.summary)


def _aspects(kind: str, name: str, part: str, old: Thing, new: Thing) -> Iterator[Change]:
    for aspect, after in new.aspects.items():
        before = old.aspects.get(aspect, "")
        if before != after:
            breaks = _BREAKS.get((new.level, aspect))
            yield Change(
                kind, name, Action.CHANGED, part, aspect, before, after,
                breaking=breaks is not None and breaks(before, after), summary=new.summary,
            )  # fmt: skip


# --- What breaks ----------------------------------------------------------------------------------


def _replaced(before: str, _after: str) -> bool:
    return bool(before)


def _lost(before: str, after: str) -> bool:
    """Whether one of several values is gone."""
    return not set(before.split(", ")) - {""} <= set(after.split(", "))


def _became(value: str) -> Callable[[str, str], bool]:
    return lambda _before, after: after == value


_BREAKS: Final[Mapping[tuple[str, str], Callable[[str, str], bool]]] = {
    ("class", "kind"): _replaced,
    ("class", "bases outside"): _lost,
    ("class", "template fields"): _lost,
    ("class", "template files"): _lost,
    ("class", "deferrable"): _became("no"),
    ("class", "connection type"): _replaced,
    ("parameter", "default"): _became("required"),
    ("parameter", "templating"): _became("no"),
    ("parameter", "keyword only"): _became("yes"),
    ("metric", "kind"): _replaced,
    ("metric", "unit"): _replaced,
    ("metric", "tags"): _lost,
    ("setting", "default"): _became("required"),
    ("setting", "unit"): _replaced,
    ("error", "parent"): _replaced,
    ("error", "retried"): _became("no"),
}
