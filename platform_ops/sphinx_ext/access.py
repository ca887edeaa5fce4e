"""What keeps people out of a page, mended where no theme or writer does it.

A block of code that is wider than its column scrolls, and who has no mouse scrolls with the keys:
it must be able to take the focus.

Source: https://www.w3.org/TR/WCAG22/, 2.1.1 and 2.5.8
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

__all__ = ["connect"]

_CODE: Final = "<pre>"
_REACHABLE: Final = '<pre tabindex="0">'


def _mend(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],  # Any: Sphinx's own type for what templates are given
    doctree: nodes.document | None,
) -> None:
    if "body" in context:
        context["body"] = context["body"].replace(_CODE, _REACHABLE)


def connect(app: Sphinx) -> None:
    """Mend every page that is written."""
    app.connect("html-page-context", _mend)
