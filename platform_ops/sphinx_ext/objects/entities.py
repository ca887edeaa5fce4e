"""The pages of sources, entities and assets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives

from platform_ops.registry.lineage import Node
from platform_ops.registry.models.entities import DataSource, Entity
from platform_ops.sphinx_ext.directives import CatalogDirective
from platform_ops.sphinx_ext.elements import badge, code, facts, link, paragraph, table, xref
from platform_ops.sphinx_ext.graphics.charts import human_size, volumes
from platform_ops.sphinx_ext.graphics.drawing import drawing
from platform_ops.sphinx_ext.objects.lineage import neighbourhood

__all__ = ["AssetDirective", "DataIndexDirective", "EntityDirective", "SourceDirective"]


class _DataDirective(CatalogDirective):
    """One object of the kinds that data comes in."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {"page": directives.flag}  # Any: docutils' own type

    def dags(self, names: Iterable[str]) -> list[nodes.Node]:
        """Links to DAGs, in a line."""
        found: list[nodes.Node] = []
        for name in names:
            found += [nodes.Text(", ")] if found else []
            found.append(xref("dag", name))
        return found or [nodes.Text("no DAG of this site")]

    def near(self, node: Node) -> Iterator[nodes.Node]:
        """What is before and after it."""
        drawn = neighbourhood(self.site, node)
        if drawn is not None:
            yield self.section("Lineage", drawn)


class SourceDirective(_DataDirective):
    """``airflow:source``: a system, and what comes from it."""

    def run(self) -> list[nodes.Node]:
        """Build the nodes from the catalogue's entry."""
        name = self.arguments[0]
        source = next((each for each in self.site.catalog.sources if each.name == name), None)
        if source is None:
            raise self.error(f"source {name!r} is not in the catalogue")
        self.domain.note_object("source", name, f"source-{name}", name)
        self.domain.note_use("lineage", f"source:{name}")
        return [self.anchor(f"source-{name}"), *self._head(source), *self._entities(source)]

    def _head(self, source: DataSource) -> Iterator[nodes.Node]:
        if source.description:
            yield paragraph(source.description, classes=["airflow-summary"])
        about: list[tuple[str, list[nodes.Node]]] = [
            ("Owner", [nodes.Text(source.owner or "nobody")])
        ]
        if source.url:
            about.append(("Read about it", [link(source.url, source.url)]))
        yield facts(about)

    def _entities(self, source: DataSource) -> Iterator[nodes.Node]:
        mine = [each for each in self.site.catalog.entities if each.source == source.name]
        if mine:
            yield self.section("Entities", entity_table(mine))
        yield from self.near(Node("source", source.name))


class EntityDirective(_DataDirective):
    """``airflow:entity``: what was agreed on one entity, where it lands, and what arrived."""

    def run(self) -> list[nodes.Node]:
        """Build the nodes from the catalogue's entry."""
        name = self.arguments[0]
        entity = self.site.entities.get(name)
        if entity is None:
            raise self.error(f"entity {name!r} is not in the catalogue")
        self.domain.note_object("entity", name, f"entity-{name}", name)
        if entity.asset:
            self.domain.note_object("asset", name, f"entity-{name}", name, aliases=[entity.asset])
        self.domain.note_use("lineage", f"entity:{name}")
        return [self.anchor(f"entity-{name}"), *self._head(entity), *self._sections(entity)]

    def _head(self, entity: Entity) -> Iterator[nodes.Node]:
        if entity.description:
            yield paragraph(entity.description, classes=["airflow-summary"])
        here = Node("entity", entity.name)
        dags = self.site.lineage.producers(here)
        about: list[tuple[str, list[nodes.Node]]] = [
            ("Source", [xref("source", entity.source)]),
            ("Owner", [nodes.Text(entity.owner or "nobody")]),
            ("Sensitivity", [nodes.Text(entity.sensitivity or "not said")]),
            ("Kept", [nodes.Text(entity.retention or "not said")]),
            ("Brought by", self.dags(dags)),
            ("Read by", self.dags(self.site.lineage.consumers(here))),
        ]
        schedules = [self.site.dags[dag].schedule_words for dag in dags]
        if schedules:
            about.insert(4, ("Comes", [nodes.Text("; ".join(dict.fromkeys(schedules)))]))
        if entity.asset:
            about.append(("Asset", [code(entity.asset)]))
        yield facts([(name, parts) for name, parts in about if parts])

    def _sections(self, entity: Entity) -> Iterator[nodes.Node]:
        if entity.url_pattern:
            yield self.section("Where it lands", *self._urls(entity))
        yield self.section("What arrived", *self._arrivals(entity))
        if entity.columns or entity.format:
            yield self.section("What it looks like", *self._schema(entity))
        yield from self.near(Node("entity", entity.name))

    def _urls(self, entity: Entity) -> Iterator[nodes.Node]:
        yield self.highlighted(entity.url_pattern, "text", "airflow-url")
        if entity.url_example:
            yield paragraph("For instance:")
            yield self.highlighted(entity.url_example, "text", "airflow-url")

    def _arrivals(self, entity: Entity) -> Iterator[nodes.Node]:
        moment = self.site.catalog.moment
        if not entity.reachable:
            yield paragraph("No archive could be asked when this page was written.")
            return
        if not entity.last_arrived:
            yield paragraph(f"Nothing had arrived by {_time(moment)}.")
            return
        yield paragraph("Last arrived ", nodes.strong("", _time(entity.last_arrived)), ".")
        producers = self.site.lineage.producers(Node("entity", entity.name))
        due = sorted({day for dag in producers for day in self.site.dags[dag].due_days})
        label = f"Bytes of {entity.name} by day"
        drawn = volumes(entity.arrivals, due, moment, label)
        yield drawing(drawn, label)
        missing = set(due) - {each.day for each in entity.arrivals}
        note = "Bytes by the day of the data. "
        if due:
            note += "An empty frame is a day on which it was due and did not come."
            note += f" {len(missing)} of {len(due)} days due are missing."
        yield paragraph(note, classes=["airflow-caption"])
        total = sum(each.size_bytes for each in entity.arrivals)
        captures = sum(each.captures for each in entity.arrivals)
        yield paragraph(f"{captures} captures, {human_size(total)} in the days shown.")

    def _schema(self, entity: Entity) -> Iterator[nodes.Node]:
        if entity.format:
            yield paragraph("The newest capture is ", code(entity.format), ".")
        if entity.columns:
            typed = any(each.type for each in entity.columns)
            header = ("Column", "Type")[: 2 if typed else 1]  # CSV has no types
            rows = [
                ([code(each.name)], [code(each.type)] if each.type else [])[: len(header)]
                for each in entity.columns
            ]
            yield table(header, rows, classes=["airflow-columns"])


class AssetDirective(_DataDirective):
    """``airflow:asset``: who writes an asset, and who waits for it."""

    def run(self) -> list[nodes.Node]:
        """Build the nodes from what DAGs read and write."""
        name = self.arguments[0]
        asset = self.site.lineage.assets.get(name)
        if asset is None:
            raise self.error(f"asset {name!r} is read or written by no DAG of the catalogue")
        anchor = nodes.make_id(f"asset-{name}") or "asset"
        self.domain.note_object("asset", name, anchor, name, aliases=[asset.uri or name])
        self.domain.note_use("lineage")
        here = Node("asset", name)
        about: list[tuple[str, list[nodes.Node]]] = [
            ("URI", [code(asset.uri or name)]),
            ("Written by", self.dags(self.site.lineage.producers(here))),
            ("Read by", self.dags(self.site.lineage.consumers(here))),
        ]
        if asset.kind == "alias":
            about[0] = ("Alias", [nodes.Text("stands for assets that are known at run time")])
        return [self.anchor(anchor), facts(about), *self.near(here)]


class DataIndexDirective(CatalogDirective):
    """``airflow:entity-index``, ``airflow:source-index`` and ``airflow:asset-index``."""

    def run(self) -> list[nodes.Node]:
        """A table, and the pages in the navigation."""
        kind = self.name.rpartition(":")[2].removesuffix("-index")
        self.domain.note_use(f"index:{kind}", "lineage")
        members = self.site.members(kind)
        if not members:
            return [paragraph("There are none.")]
        tree = self.toctree([self.site.docname(each) for each in members])
        return [self._table(kind), tree]

    def _table(self, kind: str) -> nodes.table:
        catalog, lineage = self.site.catalog, self.site.lineage
        if kind == "entity":
            return entity_table(catalog.entities)
        if kind == "source":
            rows = [
                ([xref("source", each.name)], each.description, each.owner)
                for each in catalog.sources
            ]
            return table(("Source", "What it is", "Owner"), rows)
        return table(
            ("Asset", "Written by", "Read by"),
            [
                (
                    [xref("asset", name)],
                    ", ".join(lineage.producers(Node("asset", name))),
                    ", ".join(lineage.consumers(Node("asset", name))),
                )
                for name in lineage.assets
            ],
        )


def entity_table(entities: Sequence[Entity]) -> nodes.table:
    """One row for each entity."""
    rows = [
        (
            [xref("entity", each.name), nodes.Text(" "), badge(each.sensitivity or "—", "plain")],
            each.description,
            each.owner,
        )
        for each in entities
    ]
    return table(("Entity", "What it holds", "Owner"), rows)


def _time(iso: str) -> str:
    return f"{iso[:10]} {iso[11:16]} UTC"
