"""Methods on the page of their class, from the catalogue: a build imports nothing to show them.

The nodes are those of Sphinx's own Python domain, so that themes draw them as they draw any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes

from platform_ops.registry.classes.docstrings import first_sentence, plain
from platform_ops.sphinx_ext.directives import CatalogDirective
from platform_ops.sphinx_ext.elements import paragraph, plain_signature, snippet, to_page, xref
from platform_ops.sphinx_ext.parts import range_title

if TYPE_CHECKING:
    from platform_ops.registry.models.catalog import ClassEntry
    from platform_ops.registry.models.methods import Described, Method

__all__ = ["MethodsDirective", "method_list", "method_nodes"]

_MOST_LISTED = 80  # methods that a class's page lists by name; of more it tells their pages


class MethodsDirective(CatalogDirective):
    """``airflow:methods``: methods of a class that has no room for them on its own page."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"part": directives.positive_int}  # Any: docutils' type

    def run(self) -> list[nodes.Node]:
        """One part of them, in full."""
        entry = self.site.find_class(self.arguments[0])
        self.domain.note_use(f"class:{entry.name}")
        pages = self.site.parts.methods(entry)
        part = self.options.get("part", 1)
        lead = paragraph("Methods of ", xref(entry.kind, entry.public, entry.short), ".")
        shown: list[nodes.Node] = [lead]
        if len(pages) > 1:
            titles = [range_title([each.name for each in methods]) for methods in pages]
            shown.append(self.parts(self.site.parts.methods_docname(entry, 1), titles, part))
        return shown + method_nodes(self, entry, pages[part - 1], index=True)


def method_list(directive: CatalogDirective, entry: ClassEntry) -> list[nodes.Node]:
    """Links to methods that stand on pages of their own, and those pages in the navigation."""
    site, pages = directive.site, directive.site.parts.methods(entry)
    docnames = [site.parts.methods_docname(entry, number + 1) for number in range(len(pages))]
    items = []
    if len(entry.methods) > _MOST_LISTED:
        for docname, methods in zip(docnames, pages, strict=True):
            title = range_title([each.name for each in methods])
            items.append(nodes.list_item("", paragraph(to_page(docname, title))))
    else:
        for each in entry.methods:
            about = paragraph(plain(first_sentence(each.summary)))
            items.append(nodes.list_item("", paragraph(_method_link(entry, each)), about))
    return [
        nodes.bullet_list("", *items, classes=["airflow-methods"]),
        directive.toctree(docnames),
    ]


def _method_link(entry: ClassEntry, method: Method) -> addnodes.pending_xref:
    return addnodes.pending_xref(
        "",
        snippet("", method.name),
        refdomain="py",
        reftype="meth",
        reftarget=f"{entry.name}.{method.name}",
        refexplicit=True,
        refwarn=True,
    )


def method_nodes(
    directive: CatalogDirective, entry: ClassEntry, methods: Sequence[Method], *, index: bool
) -> list[nodes.Node]:
    """Methods in full.

    :param index: Whether this is the place that links lead to.
    """
    return [_method(directive, entry, each, index=index) for each in methods]


def _method(
    directive: CatalogDirective, entry: ClassEntry, method: Method, *, index: bool
) -> nodes.Node:
    name = f"{entry.name}.{method.name}"
    signature = plain_signature("", "", *_signature(method))
    signature["classes"] += ["sig", "sig-object", "py"]
    signature["fullname"] = f"{entry.short}.{method.name}"
    if index:
        signature["ids"].append(name)
        directive.note_python(name, "method", name)
        if entry.public != entry.name:
            public = f"{entry.public}.{method.name}"
            directive.note_python(public, "method", name, aliased=True)
    content = addnodes.desc_content("", *_content(directive, entry, method))
    shown = addnodes.desc("", signature, content, domain="py", objtype="method", desctype="method")
    shown["no-index"] = not index
    shown["classes"] += ["py", "method"]
    return shown


def _signature(method: Method) -> Iterator[nodes.Node]:
    if method.modifier:
        yield addnodes.desc_annotation("", f"{method.modifier} ")
    yield addnodes.desc_name(method.name, method.name)
    arguments = [addnodes.desc_parameter(each, each) for each in method.arguments]
    yield addnodes.desc_parameterlist("", "", *arguments)
    if method.result:
        yield addnodes.desc_returns("", method.result)


def _content(
    directive: CatalogDirective, entry: ClassEntry, method: Method
) -> Iterator[nodes.Node]:
    where = f"{entry.name}.{method.name}"
    prose = directive.prose
    if method.deprecated:
        yield nodes.warning("", paragraph(f"Deprecated: {plain(method.deprecated)}"))
    yield paragraph(*prose.line(method.summary, where, within=entry.name))
    yield from prose.blocks(method.description, where, within=entry.name)
    if method.since:
        yield paragraph(f"Since {plain(method.since)}.")
    fields = []
    if method.parameters:
        fields.append(("Parameters", _listed(directive, entry, where, method.parameters)))
    if method.returns:
        fields.append(("Returns", prose.blocks(method.returns, where, within=entry.name)))
    if method.raises:
        fields.append(("Raises", _listed(directive, entry, where, method.raises)))
    if fields:
        yield nodes.field_list("", *(_field(title, body) for title, body in fields))


def _field(title: str, body: list[nodes.Node]) -> nodes.field:
    return nodes.field("", nodes.field_name("", title), nodes.field_body("", *body))


def _listed(
    directive: CatalogDirective, entry: ClassEntry, where: str, rows: Iterable[Described]
) -> list[nodes.Node]:
    """Names with what is said of them, as Sphinx lists the fields of a docstring."""
    items = []
    for each in rows:
        place = f"{where}, {each.name}"
        blocks = directive.prose.blocks(each.description, place, within=entry.name)
        lead: list[nodes.Node] = [addnodes.literal_strong(each.name, each.name)]
        if blocks and isinstance(blocks[0], nodes.paragraph):
            first = blocks.pop(0)
            lead += [nodes.Text(" – "), *first.children]
        items.append(nodes.list_item("", nodes.paragraph("", "", *lead), *blocks))
    return [nodes.bullet_list("", *items)]
