"""Graphs as inline SVG: no script, no file, and colours that follow the page's theme."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

from platform_ops.sphinx_ext.layout import Box, Layout, Line, arrange

__all__ = ["Card", "draw"]

_MARGIN = 10
_TITLE_PX = 7.4  # mean width of a character, measured for the font stack below at 13 px
_NOTE_PX = 6.2
_LONGEST = 34


@dataclass(frozen=True, slots=True)
class Card:
    """What one box shows.

    :param note: A second, smaller line.
    :param stacked: Drawn as a pile, for something that exists many times.
    :param href: Where a click leads.
    """

    title: str
    note: str = ""
    stacked: bool = False
    href: str = ""


def draw(
    cards: Mapping[str, Card],
    edges: Iterable[tuple[str, str]],
    *,
    label: str,
    downwards: bool = False,
) -> str:
    """One SVG element for a page.

    :param cards: What each box shows, by the name that edges use.
    :param label: What a screen reader says instead.
    :param downwards: Layers below each other rather than beside each other.
    """
    sizes = {name: _size(card) for name, card in cards.items()}
    layout = arrange(sizes, edges, downwards=downwards)
    # Two graphs on one page must not share a marker, and equal builds must be equal.
    digest = hashlib.blake2b(repr((label, layout)).encode(), digest_size=4).hexdigest()
    marker = f"airflow-arrow-{digest}"
    width, height = math.ceil(layout.width) + 2 * _MARGIN, math.ceil(layout.height) + 2 * _MARGIN
    lines = (_line(line, marker, downwards=downwards) for line in layout.lines)
    return (
        f'<svg class="airflow-graph" role="img" aria-label="{escape(label)}" '
        f'viewBox="{-_MARGIN} {-_MARGIN} {width} {height}" width="{width}" height="{height}" '
        'xmlns="http://www.w3.org/2000/svg">'
        f'<defs><marker id="{marker}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0,0.5 L7.5,4 L0,7.5 z"/></marker></defs>'
        f"{''.join(lines)}{''.join(_boxes(layout, cards))}</svg>"
    )


def _size(card: Card) -> tuple[float, float]:
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
    x, y, centre = _n(box.x), _n(box.y), _n(box.x + box.width / 2)
    size = f'width="{_n(box.width)}" height="{_n(box.height)}" rx="7"'
    pile = f'<rect x="{_n(box.x + 4)}" y="{_n(box.y + 4)}" {size}/>' if card.stacked else ""
    title_y = _n(box.y + (20 if card.note else 22))
    note = (
        f'<text class="note" x="{centre}" y="{_n(box.y + 37)}">{escape(_cut(card.note))}</text>'
        if card.note
        else ""
    )
    return (
        f"<g><title>{escape(card.title)}</title>{pile}"
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
    return f'<path class="edge" d="{"".join(path)}" marker-end="url(#{marker})"/>'


def _n(value: float) -> str:
    """A coordinate with one digit at most: pages stay small, and equal builds equal."""
    return f"{value:.1f}".removesuffix(".0")
