"""What would weigh too much on one page, divided over several.

A reader on a slow line waits for bytes, so that a page has a limit whatever a package brings. How much
of it an object takes is told from its texts alone, before anything is drawn: the pages of a site must
be known before the first of them is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Final, TypeVar

from platform_ops.registry.classes.docstrings import first_sentence
from platform_ops.registry.models.catalog import ClassEntry

if TYPE_CHECKING:
    from platform_ops.registry.models.catalog import Option, Setting
    from platform_ops.registry.models.methods import Method
    from platform_ops.sphinx_ext.site import Site

__all__ = ["ROOM", "Parts", "divided", "part_docname", "range_title"]

ROOM: Final = 33_000
"""Bytes of HTML that the contents of a page may take, about; its frame and navigation come on top."""

_METHOD = 330  # bytes of the tags around a method, with its anchors
_FIELD = 110
_PARAMETER = 480
_OPTION = 620
_SETTING = 420
_LINE = 240
_HEAD = 3_000  # badges, import line, inherited names, relatives, source

_Item = TypeVar("_Item")

Grouped = tuple[str, ClassEntry]
"""A class, and the heading that it stands under in the list of its kind."""

SettingSection = tuple[str, tuple["Setting", ...]]
"""A section of the settings file by name, and what can be set there."""


class Parts:
    """How a site's longest lists are divided, each told once.

    :param methods: Whether pages show methods.
    """

    def __init__(self, site: Site, *, methods: bool) -> None:
        self._site = site
        self._with_methods = methods
        self._indices: dict[str, tuple[tuple[Grouped, ...], ...]] = {}

    @cached_property
    def _moved(self) -> dict[str, tuple[tuple[Method, ...], ...]]:
        """Classes whose methods have no room on their page, with the methods of each further page."""
        moved = {}
        for each in self._site.catalog.classes:
            if each.methods and not each.base and self._with_methods:
                weights = {method: method_weight(method, each.name) for method in each.methods}
                if class_weight(each) + sum(weights.values()) > ROOM:
                    moved[each.name] = divided(each.methods, weights.__getitem__)
        return moved

    def methods(self, entry: ClassEntry) -> tuple[tuple[Method, ...], ...]:
        """Methods by page, where they have pages of their own; else nothing."""
        return self._moved.get(entry.name, ())

    def methods_docname(self, entry: ClassEntry, number: int) -> str:
        """The page of a part of a class's methods."""
        return part_docname(f"{self._site.docname(entry)}-methods", number)

    def index(self, kind: str) -> tuple[tuple[Grouped, ...], ...]:
        """The classes of a kind by page, ordered by heading."""
        if kind not in self._indices:
            groups: dict[str, list[ClassEntry]] = defaultdict(list)
            for each in self._site.catalog.of_kind(kind):
                groups[self._heading(each)].append(each)
            titles = sorted(groups, key=lambda name: (not name, name.lower()))
            rows = [(title, each) for title in titles for each in groups[title]]
            self._indices[kind] = divided(rows, _line_weight)
        return self._indices[kind]

    def _heading(self, entry: ClassEntry) -> str:
        """By package and system, where there are several; the filter works on what stands there."""
        package = self._site.packages.get(entry.package)
        named = package.title or package.name if package else entry.package
        several = len(self._site.packages) > 1
        return " · ".join(filter(None, (named if several else "", entry.system)))

    @cached_property
    def options(self) -> tuple[tuple[Option, ...], ...]:
        """Options of Airflow's configuration by page, ordered by section."""
        ordered = sorted(self._site.catalog.options, key=lambda each: each.section)
        return divided(ordered, option_weight)

    @cached_property
    def settings(self) -> tuple[tuple[SettingSection, ...], ...]:
        """Sections of the settings file by page, in their order; none is torn apart."""
        grouped = groupby(self._site.catalog.settings, key=lambda each: each.section)
        sections = [(name, tuple(rows)) for name, rows in grouped]
        return divided(sections, lambda section: sum(map(setting_weight, section[1])))

    def of(self, kind: str) -> int:
        """How many pages list a kind."""
        if kind == "option":
            return len(self.options)
        if kind == "setting":
            return len(self.settings)
        return len(self.index(kind))


def divided(
    items: Iterable[_Item], weigh: Callable[[_Item], int], room: int = ROOM
) -> tuple[tuple[_Item, ...], ...]:
    """Parts in the items' order, about as heavy as each other; an item that is too heavy stands alone."""
    weights = [(each, weigh(each)) for each in items]
    total = sum(weight for _, weight in weights)
    fewest = max(1, -(-total // room))
    for count in range(fewest, fewest + len(weights)):
        parts = _shared(weights, total / count)
        if all(len(part) == 1 or sum(map(weigh, part)) <= room for part in parts):
            return parts
    return tuple((each,) for each, _ in weights) or ((),)


def _shared(weights: Sequence[tuple[_Item, int]], share: float) -> tuple[tuple[_Item, ...], ...]:
    """Parts that end where the sum so far comes nearest to a multiple of the share."""
    parts: dict[int, list[_Item]] = defaultdict(list)
    before = 0
    for each, weight in weights:
        parts[int((before + weight / 2) / share)].append(each)
        before += weight
    return tuple(map(tuple, parts.values()))


def part_docname(docname: str, number: int) -> str:
    """The page of a part; the first stands where the whole would."""
    return docname if number == 1 else f"{docname}-{number}"


def method_weight(method: Method, owner: str) -> int:
    """Bytes of a method in full."""
    texts = [method.summary, method.description, method.returns, *method.arguments]
    described = [*method.parameters, *method.raises]
    texts += [each.description for each in described]
    fields = len(described) + len(method.arguments) / 4
    return round(_METHOD + 2 * len(owner) + 1.1 * sum(map(len, texts)) + _FIELD * fields)


def class_weight(entry: ClassEntry) -> int:
    """Bytes of a class's page, without its methods."""
    own = [
        each for each in entry.parameters if entry.name in (each.declared_by, each.documented_by)
    ]
    texts = [entry.summary, entry.description, *(each.description for each in own)]
    return round(_HEAD + 1.1 * sum(map(len, texts)) + _PARAMETER * len(entry.parameters))


def _line_weight(row: Grouped) -> int:
    """Bytes of a line in a list of pages."""
    entry = row[1]
    return _LINE + 2 * len(entry.public) + len(first_sentence(entry.summary))


def option_weight(option: Option) -> int:
    """Bytes of an option of Airflow's configuration."""
    return _OPTION + round(1.1 * len(option.description)) + 4 * len(option.name)


def setting_weight(setting: Setting) -> int:
    """Bytes of a site's own setting."""
    return _SETTING + round(1.2 * len(setting.description)) + 4 * len(setting.name)


def range_title(members: Sequence[str]) -> str:
    """What a part holds: its first and its last."""
    first, last = members[0], members[-1]
    return first if first == last else f"{first} – {last}"
