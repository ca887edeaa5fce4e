"""A score as a picture of one line, which needs no server and no font of its own."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

__all__ = ["badge"]

# White text on each of these has a contrast of 4.5 to 1 or more.
_COLOURS: Final = (
    (100, "#1a7f37"),
    (90, "#4d6b13"),
    (75, "#8a5a00"),
    (50, "#a8470c"),
    (0, "#b42318"),
)
_LETTER_PX: Final = 6.6
_PADDING_PX: Final = 7


def badge(label: str, percent: int) -> str:
    """An SVG with a label and a percentage, coloured by how good it is."""
    colour = next(colour for least, colour in _COLOURS if percent >= least)
    value = f"{percent} %"
    left, right = _width(label), _width(value)
    title = escape(f"{label}: {value}", {'"': "&quot;"})
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{title}">
<title>{title}</title>
<clipPath id="r"><rect width="{left + right}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#40464d"/>\
<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
{_text(label, left / 2, left)}
{_text(value, left + right / 2, right)}
</g>
</svg>
"""


def _width(text: str) -> int:
    return round(len(text) * _LETTER_PX) + 2 * _PADDING_PX


def _text(text: str, middle: float, width: int) -> str:
    # Any font gets the same room, so that the picture looks alike everywhere.
    room = f'textLength="{width - 2 * _PADDING_PX}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{middle:g}" y="14" {room}>{escape(text)}</text>'
