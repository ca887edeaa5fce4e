"""What flows from where to where: sources, entities, assets and the DAGs between them, as one graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from platform_ops.registry.models.dags import Asset

if TYPE_CHECKING:
    from platform_ops.registry.models.catalog import Catalog
    from platform_ops.registry.models.entities import Entity

__all__ = ["Flow", "Lineage", "Node"]


class Node(NamedTuple):
    """One thing of the graph, by its kind and name in the catalogue.

    :param kind: ``source``, ``entity``, ``asset`` or ``dag``.
    """

    kind: str
    name: str


class Flow(NamedTuple):
    """Something goes from one to the other; ``label`` says what, where it is not data."""

    source: Node
    target: Node
    label: str = ""


@dataclass(frozen=True)
class Lineage:
    """The graph of one catalogue."""

    catalog: Catalog

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """Every edge, each once."""
        return tuple(dict.fromkeys([*self._from_sources(), *self._of_dags()]))

    @cached_property
    def assets(self) -> Mapping[str, Asset]:
        """Assets that DAGs read or write, by name; those that stand for an entity are not among them."""
        found: dict[str, Asset] = {}
        for dag in self.catalog.dags:
            for each in (*dag.reads, *dag.writes):
                if self.entity_of(each) is None and not (each.name in found and not each.uri):
                    found[each.name] = each
        return dict(sorted(found.items()))

    def entity_of(self, asset: Asset) -> Entity | None:
        """The entity that an asset stands for."""
        return self._by_asset.get(asset.uri) or self._by_asset.get(asset.name)

    def node_of(self, asset: Asset) -> Node:
        """Where an asset stands in the graph."""
        entity = self.entity_of(asset)
        return Node("entity", entity.name) if entity else Node("asset", asset.name)

    def producers(self, node: Node) -> tuple[str, ...]:
        """DAGs that write it."""
        return self._dags(each.source for each in self._into[node])

    def consumers(self, node: Node) -> tuple[str, ...]:
        """DAGs that read it."""
        return self._dags(each.target for each in self._out_of[node])

    def around(self, node: Node, steps: int = 2) -> tuple[Flow, ...]:
        """What leads to a node and what it leads to, so many steps either way."""
        found: dict[Flow, None] = {}
        for edges in (self._into, self._out_of):
            border = {node}
            for _ in range(steps):
                hit = [flow for each in sorted(border) for flow in edges[each]]
                found.update(dict.fromkeys(hit))
                border = {flow.source if edges is self._into else flow.target for flow in hit}
        return tuple(sorted(found))

    @cached_property
    def _by_asset(self) -> Mapping[str, Entity]:
        return {each.asset: each for each in self.catalog.entities if each.asset}

    @cached_property
    def _into(self) -> Mapping[Node, list[Flow]]:
        return _grouped((flow.target, flow) for flow in self.flows)

    @cached_property
    def _out_of(self) -> Mapping[Node, list[Flow]]:
        return _grouped((flow.source, flow) for flow in self.flows)

    def _dags(self, nodes: Iterable[Node]) -> tuple[str, ...]:
        return tuple(sorted({each.name for each in nodes if each.kind == "dag"}))

    def _from_sources(self) -> Iterator[Flow]:
        """By the DAGs that archive an entity; straight to one that no DAG archives."""
        writers: dict[Node, list[Node]] = defaultdict(list)
        for dag in self.catalog.dags:
            for asset in dag.writes:
                writers[self.node_of(asset)].append(Node("dag", dag.dag_id))
        for each in self.catalog.entities:
            entity = Node("entity", each.name)
            for through in writers[entity] or [entity]:
                if each.source:
                    yield Flow(Node("source", each.source), through)

    def _of_dags(self) -> Iterator[Flow]:
        known = {dag.dag_id for dag in self.catalog.dags}
        for dag in self.catalog.dags:
            here = Node("dag", dag.dag_id)
            for asset in dag.reads:
                yield Flow(self.node_of(asset), here)
            for asset in dag.writes:
                yield Flow(here, self.node_of(asset))
            for other in dag.triggers:
                if {other.source, other.target} <= known:
                    label = "starts" if other.kind == "trigger" else "is waited for"
                    yield Flow(Node("dag", other.source), Node("dag", other.target), label)


def _grouped(pairs: Iterable[tuple[Node, Flow]]) -> Mapping[Node, list[Flow]]:
    found: dict[Node, list[Flow]] = defaultdict(list)
    for node, flow in pairs:
        found[node].append(flow)
    return found
