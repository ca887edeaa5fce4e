"""Lists of everything of one kind, and graphs that a page draws itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives

from platform_ops.registry.classes.classify import TASKS
from platform_ops.registry.classes.docstrings import first_sentence, plain
from platform_ops.sphinx_ext.directives import CatalogDirective
from platform_ops.sphinx_ext.elements import badge, paragraph, to_page
from platform_ops.sphinx_ext.graphics.drawing import Card, draw, drawing
from platform_ops.sphinx_ext.parts import part_docname, range_title

if TYPE_CHECKING:
    from platform_ops.registry.models.catalog import ClassEntry
    from platform_ops.sphinx_ext.parts import Grouped
    from platform_ops.sphinx_ext.site import Site

__all__ = ["GraphDirective", "IndexDirective"]

_EDGE = re.compile(r"(?P<source>[^>]+?)\s*->\s*(?P<target>.+)")
_BOX = re.compile(r"(?P<name>[^:]+?)\s*:\s*(?P<title>[^|]+?)(?:\s*\|\s*(?P<note>.+))?")


class IndexDirective(CatalogDirective):
    """``airflow:operator-index`` and its like: one line for each object, and its page below.

    A long list has several pages; ``:part:`` says which one this is.
    """

    option_spec: ClassVar[dict[str, Any]] = {"part": directives.positive_int}  # Any: docutils' type

    @property
    def kind(self) -> str:
        """The kind that the directive's name says."""
        return self.name.rpartition(":")[2].removesuffix("-index")

    def run(self) -> list[nodes.Node]:
        """The list, and the pages in the navigation."""
        pages = self.site.parts.index(self.kind)
        shown: list[nodes.Node] = []
        part = self.options.get("part", 1)
        self.domain.note_use(f"listed:{self.kind}:{part}")
        rows = pages[part - 1] if part <= len(pages) else ()
        if not rows:
            return [paragraph("There are none.")]
        docname = self.site.index_docname(self.kind)
        if len(pages) > 1:
            shown.append(self.parts(docname, [_title(each) for each in pages], part))
        below = [self.site.docname(each) for _, each in rows]
        if part == 1:
            below += [part_docname(docname, number) for number in range(2, len(pages) + 1)]
        return [*shown, *self._groups(rows), self.toctree(below)]

    def _groups(self, rows: Sequence[Grouped]) -> Iterator[nodes.Node]:
        titles = {title for title, _ in rows}
        for title, group in groupby(rows, key=lambda row: row[0]):
            listing = _listing(self.site, [each for _, each in group])
            yield (
                listing
                if len(titles) == 1 and not title
                else self.section(title or "Others", listing)
            )


def _title(rows: Sequence[Grouped]) -> str:
    """What a part holds: its systems, or its names where they are all of one system."""
    titles = [title for title, _ in rows if title]
    if len({*titles}) > 1:
        return range_title(titles)
    return range_title([each.short for _, each in rows])


def _listing(site: Site, entries: Iterable[ClassEntry]) -> nodes.bullet_list:
    """One line for each class; a list, since a table of hundreds weighs three times as much."""
    items = []
    for each in entries:
        name: list[nodes.Node | str] = [to_page(site.docname(each), each.short)]
        for mark in _marks(each):
            name += [" ", badge(mark, mark)]
        about = paragraph(plain(first_sentence(each.summary)))
        items.append(nodes.list_item("", paragraph(*name), about))
    return nodes.bullet_list("", *items, classes=["airflow-index"])


def _marks(entry: ClassEntry) -> Iterator[str]:
    if entry.archiving:
        yield "archiving"
    if entry.deferrable and entry.kind in TASKS:
        yield "deferrable"
    if entry.deprecated:
        yield "deprecated"


class GraphDirective(CatalogDirective):
    """``airflow:graph``: a drawing from lines such as ``name: Title | note`` and ``one -> other``."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {
        "downwards": directives.flag
    }  # Any: docutils' own type

    def run(self) -> list[nodes.Node]:
        """Draw it; the argument is what a screen reader says instead."""
        cards: dict[str, Card] = {}
        edges: list[tuple[str, str]] = []
        for line in filter(None, map(str.strip, self.content)):
            if hit := _EDGE.fullmatch(line):
                edges.append((hit["source"].strip(), hit["target"].strip()))
            elif hit := _BOX.fullmatch(line):
                cards[hit["name"]] = Card(hit["title"], hit["note"] or "")
            else:
                raise self.error(f"{line!r} is neither 'name: Title | note' nor 'one -> other'")
        for each in (name for edge in edges for name in edge):
            cards.setdefault(each, Card(each))
        drawn = draw(cards, edges, label=self.arguments[0], downwards="downwards" in self.options)
        return [drawing(drawn, self.arguments[0])]
