"""The navigation beside each page: the tree is read once, and each page draws its own part of it.

Furo asks Sphinx for the whole tree on every page and takes it apart again to add its switches, so
that time and bytes grow with the square of the pages. Here that question is answered with nothing,
and what it would have led to is drawn from one tree that all pages share: the way to the page, its
neighbours, and as many of the other sections as there is room for. It needs no script.

Other themes are left alone. What this relies on of Sphinx and Furo is told in ADR 0012.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Final

from docutils import nodes
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.environment.adapters.toctree import global_toctree_for_doc

from platform_ops.sphinx_ext.theming.wrapping import breakable

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.builders import Builder

__all__ = ["Navigation", "connect"]

ROOM: Final = 11_000
"""Bytes of HTML that the entries of a page may take, about: all of a small site has room in them."""

PAGE: Final = 59_000
"""Bytes of HTML that a whole page should take: the entries give way to what the page says."""

_FRAME: Final = 15_000  # what the theme puts around contents and entries

NEIGHBOURS: Final = 40
"""Entries of one section that a page shows at most; the section's own page lists them all."""

_FEWEST: Final = 5  # neighbours that a page shows however little room there is

_ENTRY: Final = 75  # bytes of an entry, besides its address and title

_GENERATED = ("genindex", "modindex", "py-modindex", "search")
_ARROW = '<span class="icon"><svg><use href="#svg-arrow-right"></use></svg></span>'


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One link of the tree.

    :param docname: The page it leads to; empty for one on another site.
    :param title: HTML.
    """

    docname: str
    uri: str
    title: str
    label: str
    parent: Entry | None
    children: list[Entry] = field(default_factory=list)

    @property
    def weight(self) -> int:
        """About how many bytes it takes on a page."""
        switch = 300 if self.children else 0
        return _ENTRY + len(self.uri) + len(self.title) + switch


@dataclass(frozen=True, slots=True)
class Group:
    """One list of the root document, with its caption."""

    caption: str
    entries: list[Entry]


class Navigation:
    """The tree of a site, as its root document and those below it declare it."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups = groups
        self._places: dict[str, Entry] = {}
        for each in _walk([entry for group in groups for entry in group.entries]):
            self._places.setdefault(each.docname, each)

    @classmethod
    def of(cls, builder: StandaloneHTMLBuilder) -> Navigation:
        """Read the tree of a build, whose documents have all been read."""
        env, root = builder.env, builder.config.root_doc
        found = global_toctree_for_doc(
            env, root, builder, tags=builder.tags, titles_only=True, maxdepth=-1
        )
        known = {builder.get_relative_uri(root, each): each for each in env.found_docs}
        known |= {builder.get_relative_uri(root, each): each for each in _GENERATED}
        return cls(list(_groups(found, builder, known)) if found is not None else [])

    def html(self, docname: str, pathto: Callable[[str], str], *, beside: int = 0) -> str:
        """The part that one page shows.

        :param pathto: As Sphinx gives it to templates: the address of a page, seen from this one.
        :param beside: Bytes of what the page says.
        """
        way: list[Entry] = []
        place = self._places.get(docname)
        while place is not None:
            way.insert(0, place)
            place = place.parent
        room = min(ROOM, PAGE - _FRAME - beside)
        return _Drawing(way, pathto, room).groups(self._groups)


class _Drawing:
    """One page's part of the tree, being drawn."""

    def __init__(self, way: Sequence[Entry], pathto: Callable[[str], str], room: int) -> None:
        self._way = way
        self._room = room
        self._pathto = pathto
        self._open: dict[Entry, Sequence[Entry]] = {}
        self._switches = 0

    def groups(self, groups: Sequence[Group]) -> str:
        self._choose([entry for group in groups for entry in group.entries])
        return "".join(
            part for group in groups for part in (group.caption, self._list(group.entries, 1))
        )

    def _choose(self, top: Sequence[Entry]) -> None:
        """What is shown open: the way to the page, then what is nearest the root and has room."""
        room = self._room - _weight(top)
        for number, each in enumerate(self._way):
            below = self._way[number + 1] if number + 1 < len(self._way) else None
            self._open[each] = _around(each.children, below, room)
            room -= _weight(self._open[each])
        others = deque(top)
        while others:
            each = others.popleft()
            if each not in self._open:
                if len(each.children) > NEIGHBOURS or _weight(each.children) > room:
                    continue
                self._open[each] = each.children
                room -= _weight(each.children)
            others.extend(self._open[each])

    def _list(self, entries: Sequence[Entry], level: int) -> str:
        current = ' class="current"' if any(each in self._way for each in entries) else ""
        return f"<ul{current}>\n{''.join(self._item(each, level) for each in entries)}</ul>\n"

    def _item(self, entry: Entry, level: int) -> str:
        below = self._open.get(entry, ())
        current = entry in self._way
        here = current and entry is self._way[-1]
        classes = [f"toctree-l{level}"]
        classes += ["has-children"] if below else []
        classes += ["current"] if current else []
        classes += ["current-page"] if here else []
        inner = self._link(entry, here=here)
        if below:
            inner += self._switch(entry, checked=current) + self._list(below, level + 1)
            if len(below) < len(entry.children):
                inner = inner.removesuffix("</ul>\n") + self._rest(entry, level + 1)
        return f'<li class="{" ".join(classes)}">{inner}</li>\n'

    def _link(self, entry: Entry, *, here: bool) -> str:
        kind = "internal" if entry.docname else "external"
        classes = f"current reference {kind}" if here else f"reference {kind}"
        href = escape(self._pathto(entry.docname) if entry.docname else entry.uri)
        spoken = ' aria-current="page"' if here else ""
        return f'<a class="{classes}" href="{href}"{spoken}>{entry.title}</a>'

    def _switch(self, entry: Entry, *, checked: bool) -> str:
        self._switches += 1
        name = f"toctree-checkbox-{self._switches}"
        state = ' checked=""' if checked else ""
        return (
            f'<input aria-label="Toggle navigation of {escape(entry.label)}"{state} '
            f'class="toctree-checkbox" id="{name}" name="{name}" role="switch" type="checkbox"/>'
            f'<label for="{name}">{_ARROW}</label>'
        )

    def _rest(self, entry: Entry, level: int) -> str:
        href = escape(self._pathto(entry.docname))
        text = f"All {len(entry.children)}"
        link = f'<a class="reference internal" href="{href}">{text}</a>'
        return f'<li class="toctree-l{level}">{link}</li>\n</ul>\n'


def _around(entries: Sequence[Entry], current: Entry | None, room: int) -> Sequence[Entry]:
    """The neighbours of one entry in a long list, as many as there is room for, and a few at least."""
    middle = entries.index(current) if current is not None else 0
    near = _middle(entries, middle, NEIGHBOURS)
    weight = _weight(near)
    if len(near) <= _FEWEST or weight <= room:
        return near
    return _middle(entries, middle, max(_FEWEST, len(near) * max(room, 0) // weight))


def _middle(entries: Sequence[Entry], middle: int, count: int) -> Sequence[Entry]:
    start = max(0, min(middle - count // 2, len(entries) - count))
    return entries[start : start + count]


def _weight(entries: Sequence[Entry]) -> int:
    return sum(each.weight for each in entries)


def _walk(entries: Sequence[Entry]) -> Iterator[Entry]:
    for each in entries:
        yield each
        yield from _walk(each.children)


def _groups(
    tree: nodes.Element, builder: StandaloneHTMLBuilder, known: dict[str, str]
) -> Iterator[Group]:
    caption = ""
    for node in tree.children:
        if isinstance(node, nodes.title):
            text = escape(node.astext())
            caption = (
                '<p class="caption" role="heading" aria-level="2">'
                f'<span class="caption-text">{text}</span></p>\n'
            )
        elif isinstance(node, nodes.bullet_list):
            yield Group(caption, _entries(node, None, builder, known))
            caption = ""


def _entries(
    items: nodes.Element,
    parent: Entry | None,
    builder: StandaloneHTMLBuilder,
    known: dict[str, str],
) -> list[Entry]:
    found = []
    for item in items.children:
        link = next(iter(item.findall(nodes.reference)), None)
        if link is None:
            continue
        label = link.astext()
        plain = all(isinstance(each, nodes.Text) for each in link.children)
        title = (
            breakable(escape(label))
            if plain
            else "".join(builder.render_partial(each)["fragment"] for each in link.children)
        )
        uri = link["refuri"]
        entry = Entry(known.get(uri, ""), uri, title, label, parent)
        for node in item.children:
            if isinstance(node, nodes.bullet_list):
                entry.children.extend(_entries(node, entry, builder, known))
        found.append(entry)
    return found


class _Sidebar:
    """Stands around Furo's own handler, which has the priority that all have who name none."""

    def __init__(self) -> None:
        self._tree: Navigation | None = None

    def forget(self, app: Sphinx, builder: Builder) -> None:
        """Documents were read again."""
        self._tree = None

    def answer_with_nothing(
        self,
        app: Sphinx,
        pagename: str,
        templatename: str,
        context: dict[str, Any],  # Any: Sphinx's own type for what templates are given
        doctree: nodes.document | None,
    ) -> None:
        """Before Furo: what it asks of each page is asked once, below."""
        if "furo" in app.extensions and "toctree" in context:
            context["airflow_toctree"] = context["toctree"]
            context["toctree"] = lambda **_options: ""

    def draw(
        self,
        app: Sphinx,
        pagename: str,
        templatename: str,
        context: dict[str, Any],  # Any: as above
        doctree: nodes.document | None,
    ) -> None:
        """After Furo: give templates back what was theirs, and the page its part of the tree."""
        if "airflow_toctree" not in context or not isinstance(app.builder, StandaloneHTMLBuilder):
            return
        context["toctree"] = context.pop("airflow_toctree")
        self._tree = self._tree or Navigation.of(app.builder)
        said = sum(len(context.get(part) or "") for part in ("body", "toc"))
        tree = self._tree.html(pagename, context["pathto"], beside=said)
        context["furo_navigation_tree"] = tree


def connect(app: Sphinx) -> None:
    """Draw the navigation of each page where Furo is the theme."""
    sidebar = _Sidebar()
    app.connect("write-started", sidebar.forget)
    app.connect("html-page-context", sidebar.answer_with_nothing, priority=450)
    app.connect("html-page-context", sidebar.draw, priority=550)
