"""Lists of everything of one kind, and graphs that a page draws itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives

from platform_ops.registry.docstrings import first_sentence, plain
from platform_ops.registry.model import ClassEntry, Dag
from platform_ops.sphinx_ext.directives import CatalogDirective
from platform_ops.sphinx_ext.drawing import Card, draw
from platform_ops.sphinx_ext.elements import Cell, badge, paragraph, table, xref

__all__ = ["GraphDirective", "IndexDirective"]

_EDGE = re.compile(r"(?P<source>[^>]+?)\s*->\s*(?P<target>.+)")
_BOX = re.compile(r"(?P<name>[^:]+?)\s*:\s*(?P<title>[^|]+?)(?:\s*\|\s*(?P<note>.+))?")


class IndexDirective(CatalogDirective):
    """``airflow:operator-index`` and its like: one row for each object, and its page below."""

    @property
    def kind(self) -> str:
        """The kind that the directive's name says."""
        return self.name.rpartition(":")[2].removesuffix("-index")

    def run(self) -> list[nodes.Node]:
        """A table, and the pages in the navigation."""
        self.domain.note_use(f"index:{self.kind}")
        members = self.site.members(self.kind)
        if not members:
            return [paragraph("There are none.")]
        tree = self.toctree([self.site.docname(each) for each in members])
        if self.kind == "dag":
            rows = [_dag_row(each) for each in members if isinstance(each, Dag)]
            return [table(("DAG", "What it does", "Runs"), rows), tree]
        rows = [_class_row(each) for each in members if isinstance(each, ClassEntry)]
        return [table(("Class", "What it does"), rows), tree]


def _dag_row(dag: Dag) -> Sequence[Cell]:
    return [xref("dag", dag.dag_id)], plain(dag.summary), dag.schedule_words


def _class_row(entry: ClassEntry) -> Sequence[Cell]:
    name: list[nodes.Node] = [xref(entry.kind, entry.public, entry.short)]
    if entry.deprecated:
        name += [nodes.Text(" "), badge("deprecated", "deprecated")]
    module = paragraph(entry.public.rpartition(".")[0], classes=["airflow-module"])
    return [*name, module], plain(first_sentence(entry.summary))


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
        raw = nodes.raw("", drawn, format="html")
        return [nodes.container("", raw, classes=["airflow-graph-frame"])]
