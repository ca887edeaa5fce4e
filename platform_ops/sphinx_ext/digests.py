"""What tells that a page is stale: a digest of all that it shows of the catalogue.

A page says which parts it shows, by keys; where one of them has another digest than when the page was
read, the page is read again, and no other is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from platform_ops.registry.lineage import Node
from platform_ops.registry.models.catalog import ClassEntry, Dag, Package

if TYPE_CHECKING:
    from platform_ops.registry.lineage import Flow
    from platform_ops.sphinx_ext.site import Paged, Site

__all__ = ["Digests"]


class Digests:
    """The digests of one site's parts, each worked out once."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: dict[str, str] = {}

    def of(self, *keys: str) -> str:
        """A digest that changes when what a page shows of these parts changes.

        :param keys: ``class:name``, ``dag:id``, ``index:kind``, ``listed:kind:part``, or a field of
            the catalogue.
        """
        for each in keys:
            if each not in self._known:
                self._known[each] = _digest(self._fingerprint(each))
        digests = [self._known[each] for each in keys]
        return digests[0] if len(digests) == 1 else _digest("\n".join(digests))

    def _fingerprint(self, key: str) -> str:  # noqa: PLR0911  one return for each kind of part
        part, _, name = key.partition(":")
        if part == "class":
            entry = self._site.classes.get(name)
            return repr((entry, self._around(entry))) if entry else ""
        if part == "dag":
            near = self._site.lineage.around(Node("dag", name))
            return repr((self._site.dags.get(name), near, self._landing(near)))
        if part == "unarchived":
            tasks = [(dag.dag_id, task) for dag in self._site.catalog.dags for task in dag.tasks]
            told = [(name, each) for name, each in tasks if each.unarchived]
            return repr((self._site.audited, len(self._site.dags), len(tasks), told))
        if part == "lineage":
            return repr((self._site.lineage.flows, self._site.lineage.assets))
        if part in ("source", "entity", "asset"):
            near = self._site.lineage.around(Node(part, name))
            dags = [each.name for flow in near for each in flow[:2] if each.kind == "dag"]
            shown = [
                (dag, self._site.dags[dag].due_days, self._site.dags[dag].schedule) for dag in dags
            ]
            return repr((self._data_of(part, name), near, shown, self._site.catalog.moment))
        if part == "index":
            members = self._site.members(name)
            return repr([(self._site.docname(each), self._listed(each)) for each in members])
        if part == "listed":
            return repr(self._part_listed(*name.split(":")))
        if part == "provider":
            mine = [each for each in self._site.catalog.classes if each.package == name]
            return repr(
                (
                    self._site.packages.get(name),
                    [each.public for each in mine],
                    self._site.catalog.additions,
                    self._site.catalog.connections,
                    self._site.catalog.options,
                )
            )
        if part == "table":
            return repr([each for each in self._site.catalog.tables if each.name == name])
        return repr(getattr(self._site.catalog, part))

    def _part_listed(self, kind: str, number: str) -> object:
        """What one page of a list says: its own lines, and where the other pages begin and end."""
        pages = self._site.parts.index(kind)
        ends = [(rows[0], rows[-1]) for rows in pages if rows]
        shown = [(heading, each.public, each.short) for end in ends for heading, each in end]
        rows = pages[int(number) - 1]
        return shown, [
            (heading, self._site.docname(each), self._listed(each)) for heading, each in rows
        ]

    def _landing(self, flows: Iterable[Flow]) -> list[str]:
        """Where the entities of some flows land, which pages of DAGs show."""
        ends = {each.name for flow in flows for each in flow[:2] if each.kind == "entity"}
        return [self._site.entities[name].url_example for name in sorted(ends)]

    def _data_of(self, kind: str, name: str) -> object:
        if kind == "entity":
            return self._site.entities.get(name)
        if kind == "asset":
            return self._site.lineage.assets.get(name)
        mine = [each for each in self._site.catalog.entities if each.source == name]
        return [each for each in self._site.catalog.sources if each.name == name], mine

    def _listed(self, entry: Paged) -> object:
        """What an index says of an object."""
        if isinstance(entry, Package):
            return entry.title, entry.description, entry.version
        if isinstance(entry, Dag):
            facets = (entry.owners, entry.tags, entry.reads, entry.writes)
            return entry.summary, entry.schedule_words, facets
        if not isinstance(entry, ClassEntry):
            return entry
        marks = (entry.deferrable, entry.archiving, entry.deprecated, entry.static)
        return entry.summary, entry.system, entry.package, marks

    def _around(self, entry: ClassEntry) -> Iterable[object]:
        """What a class's page shows besides the class."""
        return (
            [(dag.dag_id, dag.summary) for dag in self._site.dags_using(entry)],
            self._site.metrics_of(entry),
            self._site.errors_of(entry),
            self._site.catalog.errors if entry.raises else (),
            self._site.connections.get(entry.conn_type),
            [
                (dag.dag_id, each.url_example, each.asset)
                for dag, each in self._site.archived_by(entry)
            ],
            [
                (title, [each.public for each in found])
                for title, _, found in self._site.related(entry)
            ],
            [
                (base.public, [each.name for each in own])
                for base, own in self._site.inherited(entry)
            ],
        )


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
