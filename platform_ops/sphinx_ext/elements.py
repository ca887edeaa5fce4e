"""The building blocks of pages: tables, badges, cross-references, and a folded part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes
from sphinx.locale import _

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

__all__ = [
    "badge",
    "code",
    "facts",
    "folded",
    "link",
    "paragraph",
    "plain_signature",
    "register",
    "snippet",
    "table",
    "term",
    "to_page",
    "xref",
]

Cell = Sequence[nodes.Node] | str


class snippet(nodes.literal):  # noqa: N801  docutils names nodes in lower case
    """Inline code without Sphinx's span around each word, which makes tables of types twice as heavy."""


class row_link(nodes.reference):  # noqa: N801  as above
    """A name in a table, which leads to its own row."""


class plain_signature(addnodes.desc_signature):  # noqa: N801  as above
    """A signature without such spans; a class may have a hundred of them."""


class folded(nodes.General, nodes.Element):  # noqa: N801  as above
    """A part that a reader opens; open everywhere but in HTML. ``summary`` is its title."""


def xref(
    kind: str, target: str, text: str = "", *, literal: bool = True, bare: bool = False
) -> addnodes.pending_xref:
    """A reference into the domain, resolved when all pages are read.

    :param kind: The role, or ``any`` for a class of whatever kind.
    :param bare: Without the frame of other code.
    """
    shown = text or target
    return addnodes.pending_xref(
        "",
        code(shown, bare=bare) if literal else nodes.inline("", shown),
        refdomain="airflow",
        reftype=kind,
        reftarget=target,
        refexplicit=bool(text),
        refwarn=True,
    )


def table(
    header: Sequence[Cell],
    rows: Iterable[Sequence[Cell] | tuple[str, Sequence[Cell]]],
    *,
    classes: Sequence[str] = (),
    ids: Sequence[str] = (),
) -> nodes.table:
    """A table whose cells are nodes or bare text.

    :param ids: An anchor for each row, empty for none.
    """
    width = max(1, 100 // max(len(header), 1))
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=width) for _ in header]
    group += nodes.thead("", _row(header))
    body = nodes.tbody()
    for number, cells in enumerate(rows):
        row = _row(cells)
        if number < len(ids) and ids[number]:
            row["ids"] = [ids[number]]
        body += row
    group += body
    return nodes.table("", group, classes=["airflow-table", *classes])


def _row(cells: Sequence[Any]) -> nodes.row:  # Any: cells, which mypy sees as a union here
    return nodes.row("", *(_entry(cell) for cell in cells))


def _entry(cell: Cell) -> nodes.entry:
    if isinstance(cell, str):
        return nodes.entry("", nodes.paragraph("", cell))
    blocks: list[nodes.Node] = []
    line: list[nodes.Node] = []
    for node in cell:
        if isinstance(node, (nodes.Inline, nodes.Text)):
            line.append(node)
            continue
        if line:
            blocks.append(nodes.paragraph("", "", *line))
            line = []
        blocks.append(node)
    if line or not blocks:
        blocks.append(nodes.paragraph("", "", *line))
    return nodes.entry("", *blocks)


def paragraph(*parts: nodes.Node | str, classes: Sequence[str] = ()) -> nodes.paragraph:
    """A paragraph of nodes and bare text."""
    children = [nodes.Text(part) if isinstance(part, str) else part for part in parts]
    return nodes.paragraph("", "", *children, classes=list(classes))


def facts(rows: Iterable[tuple[str, Sequence[nodes.Node | str]]]) -> nodes.field_list:
    """A few short facts, each with its name beside it."""
    fields = [
        nodes.field("", nodes.field_name("", name), nodes.field_body("", paragraph(*parts)))
        for name, parts in rows
    ]
    return nodes.field_list("", *fields, classes=["airflow-facts"])


def to_page(docname: str, text: str) -> addnodes.pending_xref:
    """A link to a page as a whole, in as few bytes as there can be: lists hold hundreds of them."""
    return addnodes.pending_xref(
        "",
        nodes.inline("", text),
        refdomain="std",
        reftype="doc",
        reftarget=f"/{docname}",
        refexplicit=True,
        refwarn=True,
    )


def code(text: str, *, bare: bool = False) -> nodes.literal:
    """Inline code.

    :param bare: Without the frame of other code: for places whose own style says what it is.
    """
    return snippet("", text, bare=bare)


def badge(text: str, kind: str) -> nodes.inline:
    """A small mark beside a name."""
    return nodes.inline("", text, classes=["airflow-badge", f"airflow-badge-{kind}"])


def term(text: str, anchor: str) -> nodes.reference:
    """A name in a table that links to its own row."""
    return row_link("", "", code(text), refid=anchor)


def link(text: str, uri: str) -> nodes.reference:
    """A link out of the site."""
    return nodes.reference("", text, refuri=uri, internal=False)


def _visit_snippet(self: HTML5Translator, node: snippet) -> None:
    classes = "" if node.get("bare") else ' class="literal"'
    self.body.append(f"<code{classes}>{self.encode(node.astext())}</code>")
    raise nodes.SkipNode


def _visit_row_link(self: HTML5Translator, node: row_link) -> None:
    text = self.encode(node.astext())
    href = self.attval(node["refid"])
    self.body.append(f'<a class="airflow-term" href="#{href}"><code>{text}</code></a>')
    raise nodes.SkipNode


def _visit_signature(self: HTML5Translator, node: plain_signature) -> None:
    self.body.append(self.starttag(node, "dt"))


def _depart_signature(self: HTML5Translator, node: plain_signature) -> None:
    if node["ids"]:
        self.add_permalink_ref(node, _("Link to this definition"))
    self.body.append("</dt>\n")


def _visit_folded(self: HTML5Translator, node: folded) -> None:
    self.body.append(self.starttag(node, "details", CLASS="airflow-folded"))
    self.body.append(f"<summary>{self.encode(node['summary'])}</summary>\n")


def _depart_folded(self: HTML5Translator, _node: folded) -> None:
    self.body.append("</details>\n")


def _pass(_self: object, _node: folded) -> None:
    """Other formats have nothing to fold."""


def register(app: Sphinx) -> None:
    """Tell Sphinx's writers of the node defined here."""
    nothing = (_pass, _pass)
    app.add_node(snippet, html=(_visit_snippet, None))
    app.add_node(row_link, html=(_visit_row_link, None))
    app.add_node(plain_signature, html=(_visit_signature, _depart_signature))
    app.add_node(
        folded,
        html=(_visit_folded, _depart_folded),
        latex=nothing,
        text=nothing,
        man=nothing,
        texinfo=nothing,
    )
