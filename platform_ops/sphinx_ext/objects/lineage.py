"""Lineage across DAGs, drawn: all of it on one page, and what is near on each object's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from platform_ops.registry.lineage import Flow, Node
from platform_ops.sphinx_ext.directives import CatalogDirective
from platform_ops.sphinx_ext.elements import paragraph
from platform_ops.sphinx_ext.graphics.drawing import Card, draw, drawing

if TYPE_CHECKING:
    from docutils import nodes

    from platform_ops.sphinx_ext.site import Site

__all__ = ["LineageDirective", "neighbourhood"]

_NOTES = {"dag": "DAG", "asset": "asset", "entity": "entity", "source": "source"}


class LineageDirective(CatalogDirective):
    """``airflow:lineage``: everything that the catalogue's DAGs read and write."""

    def run(self) -> list[nodes.Node]:
        """One drawing."""
        self.domain.note_use("lineage")
        flows = self.site.lineage.flows
        if not flows:
            return [paragraph("No DAG reads or writes what another one does.")]
        return [_drawn(self.site, flows, "What flows from where to where", None)]


def neighbourhood(site: Site, node: Node) -> nodes.Node | None:
    """What leads to an object and what it leads to; None where nothing does."""
    flows = site.lineage.around(node)
    return _drawn(site, flows, f"What {node.name} stands between", node) if flows else None


def _drawn(site: Site, flows: Iterable[Flow], label: str, here: Node | None) -> nodes.Node:
    flows = list(flows)
    cards = {
        "/".join(node): Card(
            node.name,
            _NOTES[node.kind],
            href=_href(site, node) if node != here else "",
            kind=f"{node.kind} here" if node == here else node.kind,
        )
        for node in dict.fromkeys(end for flow in flows for end in flow[:2])
    }
    edges = [("/".join(flow.source), "/".join(flow.target)) for flow in flows]
    labels = {edge: flow.label for edge, flow in zip(edges, flows, strict=True) if flow.label}
    return drawing(draw(cards, edges, label=label, edge_labels=labels), label)


def _href(site: Site, node: Node) -> str:
    docname = site.docname_of(node)
    return f"page:{docname}" if docname else ""
