"""Graphs as inline SVG: no script, no file, and colours that follow the page's theme."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape, unescape
from typing import TYPE_CHECKING

from docutils import nodes

from platform_ops.sphinx_ext.graphics.layout import Box, Layout, Line
from platform_ops.sphinx_ext.graphics.nesting import nested

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

__all__ = ["Card", "Frame", "draw", "drawing", "register"]

_MARGIN = 10
_TITLE_PX = 7.4  # mean width of a character, measured for the font stack below at 13 px
_NOTE_PX = 6.2
_LONGEST = 34
_COLUMN, _TALL = 740, 1300  # of a page, in pixels
_SMALLEST = 0.75  # of its own size, before a drawing that is too wide scrolls
_LABEL = "label"
_TO_PAGE = re.compile(r'href="page:([^"]*)"')


@dataclass(frozen=True, slots=True)
class Card:
    """What one box shows.

    :param note: A second, smaller line.
    :param stacked: Drawn as a pile, for something that exists many times.
    :param href: Where a click leads.
    :param group: The frame that it lies in.
    :param kind: A class of the box, for its shape and colour: ``asset``, ``setup`` …
    """

    title: str
    note: str = ""
    stacked: bool = False
    href: str = ""
    group: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """A box around boxes; ``group`` is the frame that it lies in."""

    title: str
    stacked: bool = False
    group: str = ""


def draw(
    cards: Mapping[str, Card],
    edges: Iterable[tuple[str, str]],
    *,
    label: str,
    downwards: bool | None = False,
    frames: Mapping[str, Frame] | None = None,
    edge_labels: Mapping[tuple[str, str], str] | None = None,
) -> str:
    """One SVG element for a page.

    :param cards: What each box shows, by the name that edges use.
    :param label: What a screen reader says instead.
    :param downwards: Layers below each other rather than beside each other; None for what is
        easier to read in a column of text.
    :param frames: What groups are called, outer ones first.
    :param edge_labels: Text that stands on an edge.
    """
    frames, texts = frames or {}, edge_labels or {}
    cards, edges = _with_labels(cards, list(edges), texts)
    layout, turned = _laid_out(cards, edges, frames, downwards)
    # Two graphs on one page must not share a marker, and equal builds must be equal.
    digest = hashlib.blake2b(repr((label, layout)).encode(), digest_size=4).hexdigest()
    marker = f"airflow-arrow-{digest}"
    width, height = math.ceil(layout.width) + 2 * _MARGIN, math.ceil(layout.height) + 2 * _MARGIN
    drawn = [_frame(box, frames[box.name]) for box in layout.frames]
    drawn += [_line(line, marker, downwards=turned) for line in layout.lines]
    drawn += _boxes(layout, cards)
    # What is said to be an image may hold no links.
    role = "group" if any(card.href for card in cards.values()) else "img"
    return (
        f'<svg class="airflow-graph" role="{role}" aria-label="{escape(label)}" '
        f'viewBox="{-_MARGIN} {-_MARGIN} {width} {height}" width="{width}" height="{height}" '
        f'style="min-width:{math.ceil(width * _SMALLEST)}px" '
        'xmlns="http://www.w3.org/2000/svg">'
        f'<defs><marker id="{marker}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0,0.5 L7.5,4 L0,7.5 z"/></marker></defs>'
        f"{''.join(drawn)}</svg>"
    )


class drawing_node(nodes.General, nodes.Element):  # noqa: N801  docutils names nodes in lower case
    """A drawing; ``svg`` may hold links to pages, written ``page:docname``. ``label`` is its text."""


def drawing(drawn: str, label: str) -> drawing_node:
    """A drawing in the box that scrolls, and that a script may make zoomable."""
    return drawing_node("", svg=drawn, label=label)


def visit_drawing(self: HTML5Translator, node: drawing_node) -> None:
    """Write it, with the addresses that pages have in this builder."""
    builder = self.builder
    here = builder.current_docname

    def address(hit: re.Match[str]) -> str:
        return f'href="{escape(builder.get_relative_uri(here, unescape(hit[1])))}"'

    svg = _TO_PAGE.sub(address, node["svg"])
    frame = f'<div class="airflow-graph-frame" role="region" aria-label="{escape(node["label"])}" '
    self.body.append(f'{frame}tabindex="0">{svg}</div>\n')
    raise nodes.SkipNode


def register(app: Sphinx) -> None:
    """Tell Sphinx's writers of the node defined here; other formats show no drawing."""
    nothing = (_skip, None)
    app.add_node(
        drawing_node,
        html=(visit_drawing, None),
        latex=nothing,
        text=nothing,
        man=nothing,
        texinfo=nothing,
    )


def _skip(_self: object, _node: drawing_node) -> None:
    raise nodes.SkipNode


def _with_labels(
    cards: Mapping[str, Card],
    edges: list[tuple[str, str]],
    texts: Mapping[tuple[str, str], str],
) -> tuple[Mapping[str, Card], list[tuple[str, str]]]:
    """A label takes the room of a box on its edge, so that it covers nothing."""
    shown = {
        (one, other): Card(text, kind=_LABEL, group=_common(cards[one], cards[other]))
        for (one, other), text in texts.items()
        if (one, other) in edges
    }
    named = {"\0".join(edge): card for edge, card in shown.items()}
    halved = [
        part
        for edge in edges
        for name in ["\0".join(edge)]
        for part in ([(edge[0], name), (name, edge[1])] if edge in shown else [edge])
    ]
    return {**cards, **named}, halved


def _common(one: Card, other: Card) -> str:
    return one.group if one.group == other.group else ""


def _laid_out(
    cards: Mapping[str, Card],
    edges: list[tuple[str, str]],
    frames: Mapping[str, Frame],
    downwards: bool | None,
) -> tuple[Layout, bool]:
    sizes = {name: _size(card) for name, card in cards.items()}
    groups = {name: frame.group for name, frame in frames.items()}
    around = {name: card.group for name, card in cards.items() if card.group}

    def placed(turned: bool) -> Layout:
        return nested(sizes, edges, groups, around, downwards=turned)

    if downwards is not None:
        return placed(downwards), downwards
    across = placed(turned=False)
    if _fit(across) == 1:
        return across, False
    down = placed(turned=True)
    return (down, True) if _fit(down) > _fit(across) else (across, False)


def _fit(layout: Layout) -> float:
    """How much of its size a drawing keeps in a column of text, as tall as a screen and a half."""
    return min(1.0, _COLUMN / max(layout.width, 1), _TALL / max(layout.height, 1))


def _frame(box: Box, frame: Frame) -> str:
    size = f'width="{_n(box.width)}" height="{_n(box.height)}" rx="9"'
    pile = f'<rect x="{_n(box.x + 4)}" y="{_n(box.y + 4)}" {size}/>' if frame.stacked else ""
    title = escape(_cut(frame.title))
    return (
        f'<g class="frame">{pile}<rect x="{_n(box.x)}" y="{_n(box.y)}" {size}/>'
        f'<text x="{_n(box.x + 12)}" y="{_n(box.y + 20)}">{title}</text></g>'
    )


def _size(card: Card) -> tuple[float, float]:
    if card.kind == _LABEL:
        return len(_cut(card.title)) * _NOTE_PX + 8, 16
    text = max(
        len(_cut(card.title)) * _TITLE_PX,
        len(_cut(card.note)) * _NOTE_PX,
    )
    return max(text + 28, 72), 48 if card.note else 34


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _boxes(layout: Layout, cards: Mapping[str, Card]) -> Iterable[str]:
    for box in layout.boxes:
        drawn = _box(box, cards[box.name])
        href = cards[box.name].href
        yield f'<a href="{escape(href)}">{drawn}</a>' if href else drawn


def _box(box: Box, card: Card) -> str:
    if card.kind == _LABEL:
        middle = f'x="{_n(box.x + box.width / 2)}" y="{_n(box.y + 12)}"'
        return f'<text class="note" {middle}>{escape(_cut(card.title))}</text>'
    x, y, centre = _n(box.x), _n(box.y), _n(box.x + box.width / 2)
    size = f'width="{_n(box.width)}" height="{_n(box.height)}" rx="7"'
    pile = f'<rect x="{_n(box.x + 4)}" y="{_n(box.y + 4)}" {size}/>' if card.stacked else ""
    title_y = _n(box.y + (20 if card.note else 22))
    note = (
        f'<text class="note" x="{centre}" y="{_n(box.y + 37)}">{escape(_cut(card.note))}</text>'
        if card.note
        else ""
    )
    kind = f' class="{escape(card.kind)}"' if card.kind else ""
    return (
        f"<g{kind}><title>{escape(card.title)}</title>{pile}"
        f'<rect x="{x}" y="{y}" {size}/>'
        f'<text x="{centre}" y="{title_y}">{escape(_cut(card.title))}</text>{note}</g>'
    )


def _line(line: Line, marker: str, *, downwards: bool) -> str:
    (x, y), *rest = line.points
    path = [f"M{_n(x)},{_n(y)}"]
    for to_x, to_y in rest:
        if downwards:
            middle = (y + to_y) / 2
            path.append(f"C{_n(x)},{_n(middle)} {_n(to_x)},{_n(middle)} {_n(to_x)},{_n(to_y)}")
        else:
            middle = (x + to_x) / 2
            path.append(f"C{_n(middle)},{_n(y)} {_n(middle)},{_n(to_y)} {_n(to_x)},{_n(to_y)}")
        x, y = to_x, to_y
    head = f' marker-end="url(#{marker})"' if line.arrow and "\0" not in line.target else ""
    return f'<path class="edge" d="{"".join(path)}"{head}/>'


def _n(value: float) -> str:
    """A coordinate with one digit at most: pages stay small, and equal builds equal."""
    return f"{value:.1f}".removesuffix(".0")
