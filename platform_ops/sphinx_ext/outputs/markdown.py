"""Each page once more as Markdown, for readers that are programs.

It is drawn from the tree that the HTML of a page is made of, while that page is written: by the same
process, into a file of the page's own, so that it costs no second build and serves parallel and
incremental ones. What has no form in Markdown gives its text.

Source: https://spec.commonmark.org/0.31.2/ and https://github.github.com/gfm/#tables-extension-
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from docutils import nodes
from sphinx import addnodes
from sphinx.util.nodes import clean_astext

from platform_ops.sphinx_ext.elements import folded

if TYPE_CHECKING:
    from docutils.nodes import Node

__all__ = ["to_markdown"]

_MARKUP: Final = re.compile(r"([\\`*<\[\]])|(?<!\w)_|_(?!\w)")
_LINE_START: Final = re.compile(r"(?m)^(#{1,6} |[-+>] |\d+(?=[.)] ))")
_LABEL: Final = re.compile(r'aria-label="([^"]*)"')
_BREAK: Final = "<br>"


def to_markdown(document: nodes.document, link: Callable[[str], str]) -> str:
    """A page in Markdown.

    :param document: With every reference resolved, as a writer gets it.
    :param link: From the address that the tree has to the one that Markdown shall have.
    """
    return "\n\n".join(_Writer(link).blocks(document)) + "\n"


class _Writer:
    """Blocks are texts that an empty line divides; what is inside of a line is one text."""

    def __init__(self, link: Callable[[str], str]) -> None:
        self._link = link
        self._depth = 0

    def blocks(self, node: nodes.Element) -> Iterator[str]:
        """Everything in a node; runs of inline nodes become one block."""
        line: list[Node] = []
        for child in node.children:
            if _is_inline(child):
                line.append(child)
                continue
            yield from self._line(line)
            line = []
            yield from self._block(child)
        yield from self._line(line)

    def _line(self, parts: list[Node]) -> Iterator[str]:
        if text := "".join(map(self._inline, parts)).strip():
            yield _LINE_START.sub(r"\\\1", text)

    def _block(self, node: Node) -> Iterator[str]:
        if isinstance(node, _SILENT) or not isinstance(node, nodes.Element):
            return
        write = next((_BLOCKS[each] for each in type(node).__mro__ if each in _BLOCKS), None)
        yield from write(self, node) if write is not None else self.blocks(node)

    def _inline(self, node: Node) -> str:
        if isinstance(node, nodes.Text):
            return _MARKUP.sub(r"\\\g<0>", node.astext())
        if isinstance(node, _SILENT) or not isinstance(node, nodes.Element):
            return ""
        write = next((_INLINES[each] for each in type(node).__mro__ if each in _INLINES), None)
        return write(self, node) if write is not None else self.inside(node)

    def inside(self, node: nodes.Element) -> str:
        """What a node holds, in one line."""
        return "".join(map(self._inline, node.children))

    # --- Blocks ---

    def section(self, node: nodes.Element) -> Iterator[str]:
        self._depth += 1
        yield from self.blocks(node)
        self._depth -= 1

    def title(self, node: nodes.Element) -> Iterator[str]:
        if isinstance(node.parent, (nodes.section, nodes.document)):
            yield f"{'#' * min(max(self._depth, 1), 6)} {_one_line(self.inside(node))}"
        else:
            yield f"**{_one_line(self.inside(node))}**"

    def code_block(self, node: nodes.Element) -> Iterator[str]:
        text = node.astext().rstrip("\n")
        runs = [len(each) for each in re.findall(r"`{3,}", text)]
        fence = "`" * (max(runs, default=2) + 1)
        language = node.get("language", "")
        yield f"{fence}{'' if language in ('default', 'none') else language}\n{text}\n{fence}"

    def bullets(self, node: nodes.Element) -> Iterator[str]:
        yield self._items(node, lambda _number: "- ")

    def numbered(self, node: nodes.Element) -> Iterator[str]:
        start = node.get("start", 1)
        yield self._items(node, lambda number: f"{start + number}. ")

    def _items(self, node: nodes.Element, mark: Callable[[int], str]) -> str:
        items = [each for each in node.children if isinstance(each, nodes.Element)]
        bodies = [list(self.blocks(each)) for each in items]
        apart = "\n\n" if any(_is_loose(body) for body in bodies) else "\n"
        return apart.join(
            mark(number) + _indented("\n\n".join(body), len(mark(number))) if apart == "\n\n"
            else mark(number) + _indented("\n".join(body), len(mark(number)))
            for number, body in enumerate(bodies)
        )  # fmt: skip

    def folded(self, node: nodes.Element) -> Iterator[str]:
        """What a reader would open, with its title."""
        yield f"**{node['summary']}**"
        yield from self.blocks(node)

    def definition(self, node: nodes.Element) -> Iterator[str]:
        """A term in bold, then what it means."""
        for child in node.children:
            if isinstance(child, nodes.term):
                yield f"**{_one_line(self.inside(child))}**"
            elif isinstance(child, nodes.Element):
                yield from self.blocks(child)

    def field(self, node: nodes.Element) -> Iterator[str]:
        name, body = (each for each in node.children if isinstance(each, nodes.Element))
        text = "\n\n".join(self.blocks(body))
        yield f"- **{_one_line(self.inside(name))}**: {_indented(text, 2)}"

    def quote(self, node: nodes.Element) -> Iterator[str]:
        yield _quoted("\n\n".join(self.blocks(node)))

    def admonition(self, node: nodes.Element) -> Iterator[str]:
        titled = isinstance(node.children[0], nodes.title) if node.children else False
        lead = [] if titled else [f"**{type(node).__name__.capitalize()}**"]
        yield _quoted("\n\n".join([*lead, *self.blocks(node)]))

    def signature(self, node: nodes.Element) -> Iterator[str]:
        yield _code(_one_line(clean_astext(node)))

    def lines(self, node: nodes.Element) -> Iterator[str]:
        yield "\\\n".join(
            self.inside(each) for each in node.children if isinstance(each, nodes.Element)
        )

    def rule(self, _node: nodes.Element) -> Iterator[str]:
        yield "---"

    def drawing(self, node: nodes.Element) -> Iterator[str]:
        """HTML is left out, save what it says to those who cannot see it."""
        if found := _LABEL.search(node.astext()):
            yield f"*{found[1]}*"

    def table(self, node: nodes.Element) -> Iterator[str]:
        rows = [
            [self._cell(entry) for entry in row.children if isinstance(entry, nodes.entry)]
            for row in node.findall(nodes.row)
        ]
        if not rows:
            return
        columns = max(map(len, rows))
        head, *rest = [cells + [""] * (columns - len(cells)) for cells in rows]
        if not any(True for _ in node.findall(nodes.thead)):
            head, rest = [""] * columns, [head, *rest]
        yield from (f"**{_one_line(self.inside(each))}**" for each in node.findall(nodes.caption))
        yield "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * columns, *rest))

    def _cell(self, entry: nodes.Element) -> str:
        parts = [_one_line(each) for each in self.blocks(entry)]
        return _BREAK.join(parts).replace("|", "\\|")

    def picture(self, node: nodes.Element) -> Iterator[str]:
        yield self.image(node)

    # --- Within a line ---

    def image(self, node: nodes.Element) -> str:
        return f"![{node.get('alt', '')}]({node.get('uri', '')})"

    def emphasis(self, node: nodes.Element) -> str:
        return _around("*", self.inside(node))

    def strong(self, node: nodes.Element) -> str:
        return _around("**", self.inside(node))

    def code(self, node: nodes.Element) -> str:
        return _code(node.astext())

    def badge(self, node: nodes.Element) -> str:
        """Badges stand side by side without a space between them; words may not."""
        text = self.inside(node)
        return f"({text}) " if "airflow-badge" in node["classes"] else text

    def reference(self, node: nodes.Element) -> str:
        text, target = self.inside(node), node.get("refuri", "")
        return f"[{_one_line(text)}]({self._link(target)})" if target and text else text


def _is_inline(node: Node) -> bool:
    if isinstance(node, (nodes.image, nodes.raw)):  # docutils calls them so wherever they stand
        return False
    return isinstance(node, (nodes.Text, nodes.Inline))


def _is_loose(body: list[str]) -> bool:
    """Whether a list's item needs empty lines: more than a line, and the list below it."""
    return len(body) > 2 or (len(body) == 2 and not body[1].startswith(("- ", "1. ")))


def _indented(text: str, width: int) -> str:
    return re.sub(r"\n(?=[^\n])", "\n" + " " * width, text)


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _code(text: str) -> str:
    runs = [len(each) for each in re.findall("`+", text)]
    fence = "`" * (max(runs) + 1) if runs else "`"
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}" if text else ""


def _around(mark: str, text: str) -> str:
    bare = text.strip()
    return text.replace(bare, f"{mark}{bare}{mark}", 1) if bare else text


_SILENT: Final = (
    nodes.Invisible,
    nodes.system_message,
    nodes.meta,
    addnodes.index,
    addnodes.toctree,
    addnodes.highlightlang,
    addnodes.tabular_col_spec,
)

_Block = Callable[[_Writer, nodes.Element], Iterator[str]]
_BLOCKS: Final[Mapping[type, _Block]] = {
    nodes.section: _Writer.section,
    nodes.title: _Writer.title,
    nodes.rubric: _Writer.title,
    nodes.literal_block: _Writer.code_block,
    nodes.doctest_block: _Writer.code_block,
    nodes.math_block: _Writer.code_block,
    nodes.bullet_list: _Writer.bullets,
    nodes.enumerated_list: _Writer.numbered,
    nodes.definition_list_item: _Writer.definition,
    nodes.field: _Writer.field,
    nodes.block_quote: _Writer.quote,
    nodes.Admonition: _Writer.admonition,
    addnodes.desc_signature: _Writer.signature,
    nodes.line_block: _Writer.lines,
    nodes.transition: _Writer.rule,
    nodes.raw: _Writer.drawing,
    nodes.table: _Writer.table,
    nodes.image: _Writer.picture,
    folded: _Writer.folded,
}

_Inline = Callable[[_Writer, nodes.Element], str]
_INLINES: Final[Mapping[type, _Inline]] = {
    nodes.image: _Writer.image,
    nodes.raw: lambda _writer, _node: "",
    nodes.emphasis: _Writer.emphasis,
    nodes.strong: _Writer.strong,
    nodes.literal: _Writer.code,
    nodes.math: _Writer.code,
    nodes.reference: _Writer.reference,
    nodes.inline: _Writer.badge,
}
