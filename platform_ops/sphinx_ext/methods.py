"""Methods on the page of their class, from the catalogue: a build imports nothing to show them.

The nodes are those of Sphinx's own Python domain, so that themes draw them as they draw any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx import addnodes

from platform_ops.registry.docstrings import plain
from platform_ops.sphinx_ext.elements import paragraph

if TYPE_CHECKING:
    from platform_ops.registry.method_model import Described, Method
    from platform_ops.registry.model import ClassEntry
    from platform_ops.sphinx_ext.directives import CatalogDirective

__all__ = ["method_nodes"]


def method_nodes(
    directive: CatalogDirective, entry: ClassEntry, *, index: bool
) -> list[nodes.Node]:
    """Every method that the catalogue lists.

    :param index: Whether this is the place that links lead to.
    """
    return [_method(directive, entry, each, index=index) for each in entry.methods]


def _method(
    directive: CatalogDirective, entry: ClassEntry, method: Method, *, index: bool
) -> nodes.Node:
    name = f"{entry.name}.{method.name}"
    signature = addnodes.desc_signature("", "", *_signature(method))
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
