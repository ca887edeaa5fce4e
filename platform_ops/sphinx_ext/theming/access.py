"""What keeps people out of a page, mended where no theme or writer does it.

A block of code or a written table that is wider than its column scrolls, and who has no mouse scrolls
with the keys: it must be able to take the focus. Who jumps from landmark to landmark needs a name for
each of two that are alike, and a heading on every page; two templates say them where Furo does not.

Source: https://www.w3.org/TR/WCAG22/, 2.1.1 and 2.5.8
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.config import Config

__all__ = ["connect"]

_TEMPLATES: Final = Path(__file__).parents[1] / "templates"
_SCROLLED: Final = (  # the catalogue's own tables hold links, and do not scroll on a phone
    ("<pre>", '<pre tabindex="0">'),
    (
        '<div class="table-wrapper colwidths-auto ',
        '<div tabindex="0" class="table-wrapper colwidths-auto ',
    ),
)


def _mend(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],  # Any: Sphinx's own type for what templates are given
    doctree: nodes.document | None,
) -> None:
    if "body" in context:
        for plain, reachable in _SCROLLED:
            context["body"] = context["body"].replace(plain, reachable)


def _add_templates(app: Sphinx, config: Config) -> None:
    """Last, so that a site's own templates of these names go first."""
    config.templates_path = [*config.templates_path, str(_TEMPLATES)]


def connect(app: Sphinx) -> None:
    """Mend every page that is written."""
    app.connect("config-inited", _add_templates)
    app.connect("html-page-context", _mend)
