"""Where a site's links lead: which of them are dead, and which pages nobody reaches.

Sphinx resolves its own references. What is written as an address, in Markdown, in raw HTML or in the
``doc_md`` of a DAG, it takes as it stands; so this looks at every page when it is complete.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

from docutils import nodes

__all__ = ["Link", "Links", "line_of"]

_BASE: Final = "http://site/"
_EXTERNAL: Final = frozenset({"http", "https", "ftp"})
_PAGE: Final = ".html"


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a page, as it is written there."""

    docname: str
    uri: str
    line: int | None


@dataclass(slots=True)
class Links:
    """The links and anchors of all pages.

    :param exists: Whether a path that is no page is among the files that a build writes.
    """

    exists: Callable[[str], bool]
    anchors: dict[str, set[str]] = field(default_factory=dict)
    inner: list[Link] = field(default_factory=list)
    outer: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, docname: str, document: nodes.document) -> None:
        """Take in a page with all its references resolved."""
        ids = self.anchors.setdefault(docname, set())
        for node in document.findall(nodes.Element):
            ids.update(node.get("ids", ()))
        for reference in document.findall(nodes.reference):
            if uri := reference.get("refuri"):  # without one, it was resolved within the page
                self._note(Link(docname, uri, line_of(reference)))
        for raw in document.findall(nodes.raw):
            if "html" in raw.get("format", "").split():
                page = _Html()
                page.feed(raw.astext())
                ids.update(page.ids)
                for uri in page.links:
                    self._note(Link(docname, uri, line_of(raw)))

    def _note(self, link: Link) -> None:
        scheme = urlsplit(link.uri).scheme
        if scheme in _EXTERNAL or link.uri.startswith("//"):
            self.outer[link.uri].add(link.docname)
        elif not scheme:
            self.inner.append(link)

    def dead(self) -> Iterator[tuple[Link, str]]:
        """Links within the site that lead nowhere, and why."""
        for link in self.inner:
            target, anchor = self._target(link)
            if target not in self.anchors:
                if not self.exists(target):
                    yield link, f"there is no page {target}"
            elif anchor and anchor not in self.anchors[target]:
                yield link, f"page {target} has no anchor {anchor!r}"

    def unreachable(self, first: str, toctrees: Mapping[str, Iterable[str]]) -> set[str]:
        """Pages that neither a toctree nor a link leads to, from the first page on."""
        ways: dict[str, set[str]] = defaultdict(set)
        for docname, below in toctrees.items():
            ways[docname].update(below)
        for link in self.inner:
            ways[link.docname].add(self._target(link)[0])
        reached, waiting = {first}, [first]
        while waiting:
            new = ways[waiting.pop()] & self.anchors.keys() - reached
            reached |= new
            waiting += new
        return self.anchors.keys() - reached

    def _target(self, link: Link) -> tuple[str, str]:
        whole = urlsplit(urljoin(f"{_BASE}{link.docname}{_PAGE}", link.uri))
        path = unquote(whole.path).lstrip("/")
        if path.endswith("/") or not path:
            path += f"index{_PAGE}"
        target = path.removesuffix(_PAGE) if PurePosixPath(path).suffix == _PAGE else path
        return target, unquote(whole.fragment)


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "xlink:href") and tag == "a" and value:
                self.links.append(value)
            elif (name == "id" or (name == "name" and tag == "a")) and value:
                self.ids.append(value)


def line_of(node: nodes.Node | None) -> int | None:
    """The line that a node stands on, or begins near."""
    while node is not None:
        if getattr(node, "line", None):
            return node.line
        node = node.parent
    return None
