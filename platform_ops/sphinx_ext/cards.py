"""What a page looks like where its link is shared: OpenGraph tags, and a picture of its title.

Every page says its title, kind, site and first sentence. Its address and its picture must be absolute,
so that they are there only where ``html_baseurl`` says what the site is called. The picture is drawn in
the process that writes the page, in one ink on one colour: some milliseconds and kilobytes each. Its
address is the page's own, so that an old version's page shows the card of the page that it points to.

A site that loads ``sphinxext.opengraph`` has its tags from there, and none from here.

Source: https://ogp.me
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urljoin

from docutils import nodes
from sphinx.util import logging

from platform_ops.sphinx_ext.domain import domain_of
from platform_ops.sphinx_ext.kinds import KINDS
from platform_ops.sphinx_ext.machines import site_builder

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont
    from sphinx.application import Sphinx
    from sphinx.builders.html import StandaloneHTMLBuilder

    Font = FreeTypeFont | ImageFont

__all__ = ["FOLDER", "SIZE", "Card", "connect", "drawn"]

logger = logging.getLogger(__name__)

FOLDER: Final = "_cards"
SIZE: Final = (1200, 630)
"""What the sites that show such pictures ask for."""

_COLOR: Final = "#0b5d66"
_EDGE = 84
_LEVELS = 16  # of grey between ground and ink: 4 bits a pixel
_INK, _SOFT, _FAINT = 255, 205, 60
_LONGEST = 200
_ASIDE: Final = (nodes.table, nodes.Admonition, nodes.sidebar, nodes.topic, nodes.footnote)
_NO_PROSE: Final = frozenset({"airflow-badges", "airflow-caption", "airflow-module"})
_SIMPLE: Final = str.maketrans(  # quotes and dashes of typographers
    {"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-"}
)


@dataclass(frozen=True, slots=True)
class Card:
    """What a picture says.

    :param kind: What the page is about, such as ``operator``; empty where that is no object.
    """

    site: str
    title: str
    text: str
    kind: str = ""


# --- The page's tags ------------------------------------------------------------------------------


def _add_tags(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],  # Any: Sphinx's own type for what templates are given
    doctree: nodes.document | None,
) -> None:
    builder = site_builder(app)
    if doctree is None or builder is None or "sphinxext.opengraph" in app.extensions:
        return
    title = app.env.titles[pagename].astext() if pagename in app.env.titles else app.config.project
    card = Card(app.config.project, title, _first_words(doctree), _kind_of(app, pagename))
    named = "" if 'name="description"' in context["metatags"] else card.text
    lines = [f'<meta name="description" content="{escape(named)}">'] if named else []
    lines += [
        f'<meta property="og:{name}" content="{escape(value)}">'
        for name, value in _tags(builder, pagename, card)
    ]
    context["metatags"] += "\n" + "\n".join(lines)


def _tags(builder: StandaloneHTMLBuilder, pagename: str, card: Card) -> Iterator[tuple[str, str]]:
    config = builder.config
    yield "title", card.title
    yield "type", "website" if pagename == config.root_doc else "article"
    yield "site_name", card.site
    if card.text:
        yield "description", card.text
    if not config.html_baseurl:
        return
    yield "url", urljoin(config.html_baseurl, builder.get_target_uri(pagename))
    picture = _write_picture(builder, pagename, card)
    if picture:
        yield "image", urljoin(config.html_baseurl, quote(picture))
        yield "image:alt", f"{card.title} · {card.site}"
        yield "image:width", str(SIZE[0])
        yield "image:height", str(SIZE[1])


def _first_words(doctree: nodes.document) -> str:
    """The first paragraph that is prose, cut after a word."""
    for each in doctree.findall(nodes.paragraph):
        if _NO_PROSE.isdisjoint(each["classes"]) and not _is_aside(each):
            text = " ".join(each.astext().split())
            if len(text) > _LONGEST:
                text = text[:_LONGEST].rpartition(" ")[0].rstrip(",;:.") + "…"
            if text:
                return text
    return ""


def _is_aside(node: nodes.Node) -> bool:
    parent = node.parent
    while parent is not None:
        if isinstance(parent, _ASIDE):
            return True
        parent = parent.parent
    return False


def _kind_of(app: Sphinx, pagename: str) -> str:
    """The kind whose folder the page lies in."""
    site = domain_of(app.env).site
    folder = pagename.rpartition("/")[0]
    if site is None:
        return ""
    found = (each for each in KINDS.values() if each.paged and each.plural == Path(folder).name)
    names = (each.name for each in found if site.index_docname(each.name) == folder)
    return next(names, "").replace("dag", "DAG").replace("-", " ")


# --- The picture ----------------------------------------------------------------------------------


def _write_picture(builder: StandaloneHTMLBuilder, pagename: str, card: Card) -> str:
    """Where it is, from the site's root; empty where nothing can draw one."""
    if not _can_draw():
        return ""
    config = builder.config
    font = str(Path(builder.confdir, config.airflow_card_font)) if config.airflow_card_font else ""
    where = f"{FOLDER}/{pagename}.png"
    path = Path(builder.outdir, where)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(drawn(card, color=_color(config.html_theme_options), font=font))
    return where


@cache
def _can_draw() -> bool:
    try:
        import PIL.Image
    except ImportError:
        logger.info("no cards for shared links: Pillow is not installed")
        return False
    return bool(PIL.Image)


def _color(options: dict[str, Any]) -> str:  # Any: whatever a theme takes
    """The brand's, where a theme of Furo's kind is told one."""
    told = str((options.get("light_css_variables") or {}).get("color-brand-primary", ""))
    return told if re.fullmatch(r"#[0-9a-fA-F]{6}", told) else _COLOR


def drawn(card: Card, *, color: str = _COLOR, font: str = "") -> bytes:
    """A card as PNG.

    :param color: Of the ground, such as ``#0b5d66``; the ink is white or black, by what is readable.
    :param font: A file with letters that Pillow's own font has not; it has those of English.
    """
    import io

    from PIL import Image, ImageDraw

    # Coverage of ink first, colours by the palette: a sixth of the time that colours would take.
    canvas = Image.new("L", SIZE, 0)
    pen = ImageDraw.Draw(canvas)
    pen.rectangle((0, 0, 18, SIZE[1]), fill=_FAINT)
    said = _said(card) if not font else card
    pen.text((_EDGE, 72), said.site, font=_font(font, 36), fill=_INK)
    pen.text((SIZE[0] - _EDGE, 72), said.kind, font=_font(font, 36), fill=_SOFT, anchor="ra")
    y = 190.0
    size, lines = _largest(said.title, font)
    for line in lines[:3]:
        pen.text((_EDGE, y), line, font=_font(font, size), fill=_INK)
        y += size * 1.2
    y += 28
    for line in _wrapped(said.text, _font(font, 34))[: int((SIZE[1] - 40 - y) // 46)]:
        pen.text((_EDGE, y), line, font=_font(font, 34), fill=_SOFT)
        y += 46
    flat = canvas.point([value * _LEVELS // 256 for value in range(256)])
    picture = Image.frombytes("P", SIZE, flat.tobytes())
    picture.putpalette(_palette(color))
    out = io.BytesIO()
    picture.save(out, "PNG", bits=4, compress_level=3)
    return out.getvalue()


def _largest(title: str, font: str) -> tuple[int, list[str]]:
    """The size at which a title takes two lines, or the smallest one."""
    tries = ((size, _wrapped(title, _font(font, size))) for size in (84, 68, 54))
    found = [each for each in tries if len(each[1]) <= 2]
    return found[0] if found else (54, _wrapped(title, _font(font, 54)))


def _said(card: Card) -> Card:
    return Card(*map(_plain, (card.site, card.title, card.text, card.kind)))


def _plain(text: str) -> str:
    """As Pillow's own font can write it: without accents, and nothing where the rest has no letters."""
    parts = unicodedata.normalize("NFKD", text.translate(_SIMPLE))
    text = "".join(each for each in parts if not unicodedata.combining(each))
    known = re.sub(r"[^\x20-\x7e•→]", "", text)
    return known if re.search(r"\w", known) else ""


def _palette(color: str) -> list[int]:
    ground = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
    bright = 0.299 * ground[0] + 0.587 * ground[1] + 0.114 * ground[2] > 150
    ink = 20 if bright else 255
    steps = (step / (_LEVELS - 1) for step in range(_LEVELS))
    return [round(part + (ink - part) * step) for step in steps for part in ground]


@cache
def _font(path: str, size: int) -> Font:
    from PIL import ImageFont

    return ImageFont.truetype(path, size) if path else ImageFont.load_default(size)


def _wrapped(text: str, font: Font) -> list[str]:
    """Lines that fit; a name without blanks breaks before a capital, a dot or an underscore."""
    room = SIZE[0] - 2 * _EDGE
    lines: list[str] = []
    line = ""
    for part in re.findall(r"\s+|[A-Z]?[^\sA-Z._]+|[A-Z._]", text):
        if line and font.getlength(line + part) > room:
            lines.append(line.rstrip())
            line = part.lstrip()
        else:
            line += part
    return [*lines, line] if line else lines


def connect(app: Sphinx) -> None:
    """Add the tags to every page that a browser is shown."""
    app.add_config_value(
        "airflow_card_font", "", "html", (str,), "A font file for the pictures of shared links."
    )
    app.connect("html-page-context", _add_tags)
