"""The page of a package: what it is, how to install it, and all that it brings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

from docutils import nodes
from docutils.parsers.rst import directives

from platform_ops.registry.models.catalog import ClassEntry, Option, Package
from platform_ops.sphinx_ext.directives import CatalogDirective
from platform_ops.sphinx_ext.elements import code, facts, link, paragraph, table, to_page, xref
from platform_ops.sphinx_ext.kinds import ADDITION_KINDS, CLASS_KINDS, KINDS
from platform_ops.sphinx_ext.parts import part_docname

__all__ = ["ProviderDirective", "ProviderIndexDirective"]

_MOST_NAMED: Final = 24  # objects of one kind that the page of a package names


class ProviderDirective(CatalogDirective):
    """``airflow:provider``: one package."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"page": directives.flag}  # Any: docutils' own type

    def run(self) -> list[nodes.Node]:
        """Build the nodes from the catalogue's row."""
        name = self.arguments[0]
        package = self.site.packages.get(name)
        if package is None:
            known = ", ".join(self.site.packages) or "none"
            raise self.error(f"package {name!r} is not in the catalogue (known: {known})")
        self.domain.note_use(f"provider:{name}")
        anchor = f"provider-{name}"
        title = package.title or name
        self.domain.note_object(
            "provider", name, anchor, title, aliases=filter(None, (package.distribution,))
        )
        head: list[nodes.Node] = [self.anchor(anchor)]
        about = self.prose.line(package.description, f"provider {name}", quiet=True)
        head.append(paragraph(*about, classes=["airflow-summary"]))
        if package.distribution:
            install = f"pip install {package.distribution}"
            head.append(self.highlighted(install, "bash", "airflow-import"))
        head.append(facts(_facts(package)))
        return [*head, *self._contents(package), *self._schemes(package), *self._needs(package)]

    def _contents(self, package: Package) -> Iterator[nodes.Node]:
        catalog, name = self.site.catalog, package.name
        for kind in CLASS_KINDS:
            found = [each for each in catalog.of_kind(kind) if each.package == name]
            if found:
                yield self.section(KINDS[kind].title, self._classes(kind, found))
        for kind in ADDITION_KINDS:
            rows = [each for each in catalog.additions if (each.kind, each.package) == (kind, name)]
            links = [xref(kind, row.key, row.name) for row in rows]
            if links:
                yield self.section(KINDS[kind].title, _listed(links))
        types = [each for each in catalog.connections if each.package == name]
        if types:
            links = [xref("connection", each.conn_type) for each in types]
            yield self.section("Connection types", _listed(links))
        options = [each for each in catalog.options if each.package == name]
        if options:
            yield self.section("Airflow options", self._options(options))

    def _classes(self, kind: str, found: Sequence[ClassEntry]) -> nodes.Node:
        """Each by name, or how many there are of each system where the names would fill the page."""
        if len(found) <= _MOST_NAMED:
            return _listed([to_page(self.site.docname(each), each.short) for each in found])
        places = {
            each.name: part_docname(self.site.index_docname(kind), number)
            for number, rows in enumerate(self.site.parts.index(kind), start=1)
            for _, each in rows
        }
        counts: Counter[tuple[str, str]] = Counter(
            (places[each.name], each.system or "Others") for each in found
        )
        rows: dict[str, list[nodes.Node | str]] = {}
        for (docname, system), count in sorted(counts.items(), key=lambda row: row[0][1].lower()):
            link_to = to_page(docname, str(count))
            parts = rows.setdefault(system, [])
            parts += [" and ", link_to] if parts else [link_to]
        items = [
            nodes.list_item("", paragraph(system, ": ", *parts)) for system, parts in rows.items()
        ]
        return nodes.bullet_list("", *items, classes=["airflow-counts"])

    def _options(self, options: Sequence[Option]) -> nodes.Node:
        if len(options) <= _MOST_NAMED:
            return _listed([xref("option", f"{each.section}.{each.name}") for each in options])
        counts = Counter(each.section for each in options)
        first = {each.section: each for each in reversed(options)}
        links: list[nodes.Node] = [
            xref("option", f"{name}.{first[name].name}", f"[{name}]: {count}")
            for name, count in counts.items()
        ]
        return _listed(links)

    def _schemes(self, package: Package) -> Iterator[nodes.Node]:
        if not package.uri_schemes:
            return
        rows = []
        for each in package.uri_schemes:
            served = {
                "ObjectStoragePath": each.filesystem,
                "assets": each.asset_handler or each.asset_factory,
                "lineage": each.lineage_converter,
                "logs": each.remote_logging,
            }
            uses = ", ".join(use for use, target in served.items() if target)
            rows.append(([code(f"{each.scheme}://")], uses or "its name is known"))
        yield self.section("URIs", table(("Scheme", "Serves"), rows))

    def _needs(self, package: Package) -> Iterator[nodes.Node]:
        if not package.dependencies and not package.extras:
            return
        rows = [("always", [code(", ".join(package.dependencies))])] if package.dependencies else []
        rows += [(f"with [{extra}]", [code(", ".join(wanted))]) for extra, wanted in package.extras]
        yield self.section("Requirements", table(("When", "Requirement"), rows))


def _facts(package: Package) -> Iterator[tuple[str, list[nodes.Node | str]]]:
    yield "Import name", [code(package.name)]
    if package.version:
        yield "Version", [package.version]
    if package.python:
        yield "Python", [code(package.python)]
    if package.integrations:
        shown: list[nodes.Node | str] = []
        for each in package.integrations:
            shown += [", "] if shown else []
            shown.append(link(each.name, each.url) if each.url else each.name)
        yield "Systems", shown


def _listed(links: Sequence[nodes.Node]) -> nodes.bullet_list:
    items = [nodes.list_item("", paragraph(each)) for each in links]
    return nodes.bullet_list("", *items, classes=["airflow-names"])


class ProviderIndexDirective(CatalogDirective):
    """``airflow:provider-index``: every package, with how much it brings."""

    def run(self) -> list[nodes.Node]:
        """One row for each package, and the pages in the navigation."""
        self.domain.note_use("packages")
        rows = []
        for package in self.site.catalog.packages:
            count = len(
                [each for each in self.site.catalog.classes if each.package == package.name]
            )
            name = [xref("provider", package.name, package.title or package.name, literal=False)]
            rows.append((name, package.description, package.version, str(count)))
        shown = table(("Package", "What it is", "Version", "Classes"), rows)
        return [
            shown,
            self.toctree([self.site.docname(each) for each in self.site.catalog.packages]),
        ]
