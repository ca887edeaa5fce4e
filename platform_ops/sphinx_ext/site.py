"""The catalogue as the site uses it: looked up by name, with the address of each object's page."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from platform_ops.registry.classes.classify import TASKS
from platform_ops.registry.lineage import Lineage, Node
from platform_ops.registry.models.catalog import (
    BrokenDagFile,
    Catalog,
    ClassEntry,
    Connection,
    Dag,
    DataSource,
    Entity,
    ErrorEntry,
    Metric,
    Package,
    Parameter,
    RuleEntry,
    Source,
)
from platform_ops.registry.models.dags import Asset
from platform_ops.sphinx_ext.digests import Digests
from platform_ops.sphinx_ext.kinds import ADDITION_KINDS, CLASS_KINDS, KINDS
from platform_ops.sphinx_ext.parts import Parts

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Paged", "Site", "data_kind", "slug"]

Paged = ClassEntry | Dag | Package | DataSource | Entity | Asset | BrokenDagFile | RuleEntry
"""What has a page of its own."""

_EMITTERS = ("operator", "sensor", "hook")


class Site:
    """One catalogue, and where its objects are shown.

    :param prefix: Folder of the reference within the documentation, such as ``reference``.
    :param source_url: Template of a link to source, with ``{path}`` and ``{line}``; one for all
        packages, or one for each.
    :param dag_folders: DAG folders as configured, to their absolute paths.
    :param methods: Whether pages show methods.
    :param audited: Whether somebody looked at what DAGs take in and do not archive.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        prefix: str,
        source_url: str | Mapping[str, str],
        dag_folders: Mapping[str, Path],
        methods: bool = True,
        audited: bool = False,
    ) -> None:
        self.catalog = catalog
        self.audited = audited
        self.prefix = prefix.strip("/")
        self.dag_folders = dag_folders
        self._source_url = source_url
        self.parts = Parts(self, methods=methods)
        self._digests = Digests(self)

    @cached_property
    def classes(self) -> Mapping[str, ClassEntry]:
        """Every class by its dotted name."""
        return {each.name: each for each in self.catalog.classes}

    @cached_property
    def dags(self) -> Mapping[str, Dag]:
        """Every DAG by its id."""
        return {each.dag_id: each for each in self.catalog.dags}

    @cached_property
    def connections(self) -> Mapping[str, Connection]:
        """Every connection type by its name."""
        return {each.conn_type: each for each in self.catalog.connections}

    @cached_property
    def _by_any_name(self) -> Mapping[str, tuple[ClassEntry, ...]]:
        found: dict[str, list[ClassEntry]] = defaultdict(list)
        for each in self.catalog.classes:
            for name in {each.name, each.public, each.short}:
                found[name].append(each)
        return {name: tuple(entries) for name, entries in found.items()}

    def find_class(self, name: str) -> ClassEntry:
        """A class by its dotted, public or bare name.

        :raises LookupError: None has that name, or several share the bare one.
        """
        found = self._by_any_name.get(name, ())
        if len(found) != 1:
            clash = ", ".join(each.name for each in found)
            raise LookupError(
                f"{name!r} is ambiguous: {clash}" if found else f"{name!r} is not in the catalogue"
            )
        return found[0]

    @cached_property
    def packages(self) -> Mapping[str, Package]:
        """Every package by its import name."""
        return {each.name: each for each in self.catalog.packages}

    def docname(self, entry: Paged) -> str:
        """The page of an object."""
        if isinstance(entry, Dag):
            return f"{self.prefix}/{KINDS['dag'].plural}/{entry.dag_id}"
        if isinstance(entry, Package):
            return f"{self.prefix}/{KINDS['provider'].plural}/{entry.name}"
        if isinstance(entry, BrokenDagFile):
            return f"{self.prefix}/{KINDS['dag'].plural}/file-{slug(entry.file)}"
        if isinstance(entry, RuleEntry):
            return f"{self.prefix}/{KINDS['rule'].plural}/{slug(entry.id)}"
        if isinstance(entry, DataSource | Entity | Asset):
            return f"{self.prefix}/{KINDS[data_kind(entry)].plural}/{slug(entry.name)}"
        return f"{self.prefix}/{KINDS[entry.kind].plural}/{entry.public}"

    def index_docname(self, kind: str) -> str:
        """The page that lists a kind."""
        return f"{self.prefix}/{KINDS[kind].plural}"

    def members(self, kind: str) -> tuple[Paged, ...]:
        """The objects of a kind that have pages."""
        rows: Mapping[str, Callable[[], tuple[Paged, ...]]] = {
            "dag": lambda: self.catalog.dags,
            "provider": lambda: self.catalog.packages,
            "source": lambda: self.catalog.sources,
            "entity": lambda: self.catalog.entities,
            "asset": lambda: tuple(self.lineage.assets.values()),
            "rule": lambda: tuple(each for each in self.catalog.rules if each.has_page),
        }
        if kind in rows:
            return rows[kind]()
        return self.catalog.of_kind(kind) if kind in CLASS_KINDS else ()

    def has(self, kind: str) -> bool:
        """Whether the catalogue holds anything of a kind."""
        catalog = self.catalog
        rows = {
            "connection": catalog.connections,
            "metric": catalog.metrics,
            "setting": catalog.settings,
            "error": catalog.errors,
            "option": catalog.options,
            "rule": catalog.rules,
            **{
                name: [each for each in catalog.additions if each.kind == name]
                for name in ADDITION_KINDS
            },
        }
        return bool(rows[kind] if kind in rows else self.members(kind))

    def paged(self) -> Iterator[Paged]:
        """Everything with a page of its own; the bases of others too, so that they can link there."""
        yield from self.catalog.classes
        yield from self.catalog.dags
        yield from self.catalog.packages
        yield from self.catalog.sources
        yield from self.catalog.entities
        yield from self.lineage.assets.values()
        yield from self.catalog.broken_dags
        yield from self.members("rule")

    @cached_property
    def lineage(self) -> Lineage:
        """What flows from where to where."""
        return Lineage(self.catalog)

    @cached_property
    def entities(self) -> Mapping[str, Entity]:
        """Every entity by its full name."""
        return {each.name: each for each in self.catalog.entities}

    def docname_of(self, node: Node) -> str:
        """The page of a thing in the lineage; empty where it has none."""
        found: Mapping[str, Mapping[str, Paged]] = {
            "dag": self.dags,
            "entity": self.entities,
            "asset": self.lineage.assets,
            "source": {each.name: each for each in self.catalog.sources},
        }
        entry = found[node.kind].get(node.name)
        return self.docname(entry) if entry else ""

    def source_link(self, package: str, source: Source) -> str:
        """Where the source can be read; empty where the site names no place."""
        template = self._source_url
        if not isinstance(template, str):
            keys = [key for key in template if package == key or package.startswith(f"{key}.")]
            template = template[max(keys, key=len)] if keys else ""
        return template.format(path=source.file, line=source.line) if template else ""

    @cached_property
    def _users(self) -> Mapping[str, tuple[Dag, ...]]:
        found: dict[str, dict[str, Dag]] = defaultdict(dict)
        for dag in self.catalog.dags:
            for task in dag.tasks:
                found[task.operator][dag.dag_id] = dag
        return {name: tuple(dags.values()) for name, dags in found.items()}

    def dags_using(self, entry: ClassEntry) -> tuple[Dag, ...]:
        """DAGs with a task of this very class."""
        return self._users.get(entry.name, ())

    def archived_by(self, entry: ClassEntry) -> Iterator[tuple[Dag, Entity]]:
        """What tasks of this class write that the site has agreed to take in, by DAG."""
        for dag in self.dags_using(entry):
            outlets = {
                name for task in dag.tasks if task.operator == entry.name for name in task.writes
            }
            uris = {each.uri for each in dag.writes if each.name in outlets}
            yield from (
                (dag, each)
                for each in self.catalog.entities
                if each.asset in outlets | uris or each.name in outlets
            )

    @cached_property
    def _of_system(self) -> Mapping[tuple[str, str], list[ClassEntry]]:
        found: dict[tuple[str, str], list[ClassEntry]] = defaultdict(list)
        for each in self.catalog.classes:
            if each.system and not each.base:
                found[each.package, each.system].append(each)
        return found

    def related(self, entry: ClassEntry) -> Iterator[tuple[str, str, list[ClassEntry]]]:
        """Title, kind and members of each group of relatives, nearest first."""
        near = {"Hook": ("hook", [entry.hook]), "Defers to": ("trigger", entry.triggers)}
        named = {entry.name}
        for title, (kind, names) in near.items():
            found = [self.classes[name] for name in names if name in self.classes]
            named.update(each.name for each in found)
            yield title, kind, found
        around = self._of_system.get((entry.package, entry.system), [])
        for kind in (*TASKS, "hook", "trigger"):
            others = [each for each in around if each.kind == kind and each.name not in named]
            yield KINDS[kind].title, kind, others

    def metrics_of(self, entry: ClassEntry) -> tuple[Metric, ...]:
        """Metrics that the class's own package, or that of a base, emits."""
        if entry.kind not in _EMITTERS:
            return ()
        tops = {name.partition(".")[0] for name in (entry.name, *entry.mro)}
        return tuple(each for each in self.catalog.metrics if each.package in tops)

    def errors_of(self, entry: ClassEntry) -> tuple[tuple[str, str, ErrorEntry | None], ...]:
        """Errors that its docstrings promise: name, description, and the entry where there is one."""
        known = {each.name: each for each in self.catalog.errors}
        return tuple(
            (each.name, each.description, known.get(each.name.rpartition(".")[2]))
            for each in entry.raises
        )

    def errors_below(self, top: ErrorEntry | None) -> Iterator[tuple[ErrorEntry, int]]:
        """The errors under one, or all of them, each with its depth; parents before children."""
        yield from self._below(top.name if top else "", 1)

    def _below(self, parent: str, depth: int) -> Iterator[tuple[ErrorEntry, int]]:
        for each in self._error_children.get(parent, ()):
            yield each, depth
            yield from self._below(each.name, depth + 1)

    @cached_property
    def _error_children(self) -> Mapping[str, list[ErrorEntry]]:
        found: dict[str, list[ErrorEntry]] = defaultdict(list)
        for each in self.catalog.errors:
            found[each.parent].append(each)
        return found

    def inherited(self, entry: ClassEntry) -> Iterator[tuple[ClassEntry, tuple[Parameter, ...]]]:
        """Bases outside the walked packages, with what the entry takes from each."""
        own = {each.name for each in entry.parameters}
        for name in entry.inherits:
            base = self.classes.get(name)
            if base is not None:
                declared = tuple(
                    each
                    for each in base.parameters
                    if each.declared_by == name and each.name not in own
                )
                own.update(each.name for each in declared)
                if declared:
                    yield base, declared

    def digest(self, *keys: str) -> str:
        """A digest that changes when what a page shows of these parts changes; see :class:`Digests`."""
        return self._digests.of(*keys)


def data_kind(entry: DataSource | Entity | Asset) -> str:
    """The role of an object that data comes in."""
    if isinstance(entry, DataSource):
        return "source"
    return "entity" if isinstance(entry, Entity) else "asset"


def slug(name: str) -> str:
    """A name as a page's file name: two names never share one, whatever letters they have."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "unnamed"
    if plain == name:
        return plain
    return f"{plain[:80]}-{hashlib.blake2b(name.encode(), digest_size=3).hexdigest()}"
