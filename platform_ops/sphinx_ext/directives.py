"""What every directive of the domain shares: the catalogue, the domain, and prose."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

from platform_ops.sphinx_ext.domain import AirflowDomain, domain_of
from platform_ops.sphinx_ext.elements import paragraph, to_page
from platform_ops.sphinx_ext.markup import Prose
from platform_ops.sphinx_ext.parts import part_docname

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from platform_ops.sphinx_ext.site import Site

__all__ = ["CatalogDirective"]


class CatalogDirective(SphinxDirective):
    """A directive that shows a part of the catalogue."""

    has_content = False

    @property
    def domain(self) -> AirflowDomain:
        """The domain of this build."""
        return domain_of(self.env)

    @property
    def site(self) -> Site:
        """The catalogue of this build."""
        site = self.domain.site
        if site is None:
            raise self.error(
                "there is no catalogue; set airflow_catalog or airflow_catalog_file in conf.py"
            )
        return site

    @cached_property
    def prose(self) -> Prose:
        """The parser of docstrings for this document."""
        return Prose(self.env, self.state.document.settings)

    def note_python(self, name: str, kind: str, anchor: str, *, aliased: bool = False) -> None:
        """Make it a target of the Python domain too, so that other sites' intersphinx finds it."""
        python = self.env.domains.python_domain
        python.note_object(name, kind, anchor, aliased=aliased, location=self.get_location())

    def section(self, title: str, *content: nodes.Node) -> nodes.section:
        """A section with a stable anchor, in the page's own table of contents."""
        section = nodes.section("", nodes.title("", title), *content)
        section["names"] = [nodes.fully_normalize_name(title)]
        self.state.document.note_implicit_target(section, section)
        return section

    def anchor(self, anchor: str) -> nodes.target:
        """A place that links can point to, under exactly this name."""
        target = nodes.target("", "", ids=[anchor])
        self.state.document.note_explicit_target(target)
        return target

    def highlighted(self, text: str, language: str, *classes: str) -> nodes.literal_block:
        """Code in a language that Pygments knows."""
        block = nodes.literal_block(text, text, language=language, classes=list(classes))
        self.set_source_info(block)
        return block

    def toctree(self, docnames: Sequence[str]) -> nodes.Node:
        """Pages below this one, in the navigation but not on the page."""
        tree = addnodes.toctree(
            parent=self.env.docname,
            entries=[(None, docname) for docname in docnames],
            includefiles=list(docnames),
            maxdepth=-1,
            caption=None,
            rawcaption="",
            glob=False,
            hidden=True,
            includehidden=False,
            numbered=0,
            titlesonly=True,
        )
        self.set_source_info(tree)
        return nodes.compound("", tree, classes=["toctree-wrapper"])

    def parts(self, docname: str, titles: Sequence[str], current: int) -> nodes.Node:
        """Links to every part of a list that has several pages, with the one shown marked."""
        items = []
        for number, title in enumerate(titles, start=1):
            here = number == current
            shown: nodes.Node = nodes.strong("", title)
            line = shown if here else to_page(part_docname(docname, number), title)
            items.append(nodes.list_item("", paragraph(line)))
        return nodes.bullet_list("", *items, classes=["airflow-parts"])

    def part_links(self, kind: str, titles: Sequence[str], current: int) -> list[nodes.Node]:
        """The links above, and the navigation to all parts in the first; nothing for a short list."""
        if len(titles) < 2:
            return []
        docname = self.site.index_docname(kind)
        links = self.parts(docname, titles, current)
        more = [part_docname(docname, number) for number in range(2, len(titles) + 1)]
        return [links, self.toctree(more)] if current == 1 else [links]

    def parsed(self, lines: Iterable[str]) -> list[nodes.Node]:
        """The page's own directives: generated reStructuredText, run where this one stands."""
        box = nodes.container()
        self.state.nested_parse(StringList(list(lines), self.env.docname), 0, box)
        return box.children

    def depends_on(self, path: Path) -> None:
        """Read this document again when that file changes."""
        self.env.note_dependency(str(path))
