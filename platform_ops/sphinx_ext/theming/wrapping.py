"""Where a long name may break: between its words, and not in the middle of one.

A class is called ``ArchivingObjectStoreOperator``, and a column of the sidebar or a phone is narrower.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

__all__ = ["breakable", "connect"]

_LONG: Final = re.compile(r"[A-Za-z0-9_.]{16,}")
_BETWEEN: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[._])(?=[A-Za-z0-9])")
_TITLE: Final = re.compile(r"<h1>([^<]*)<")


def breakable(text: str) -> str:
    """Text, escaped for HTML and without elements, whose long names may break between words."""
    return _LONG.sub(lambda name: _BETWEEN.sub("<wbr>", name[0]), text)


def _mark(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],  # Any: Sphinx's own type for what templates are given
    doctree: nodes.document | None,
) -> None:
    if "furo" not in app.extensions:
        return
    if "body" in context:
        context["body"] = _TITLE.sub(
            lambda title: f"<h1>{breakable(title[1])}<", context["body"], count=1
        )
    for where in ("prev", "next"):
        neighbour = context.get(where)
        if neighbour and "<" not in neighbour["title"]:
            context[where] = {**neighbour, "title": breakable(neighbour["title"])}


def connect(app: Sphinx) -> None:
    """Once the page is as light as it gets, and before the navigation takes what room it leaves."""
    app.connect("html-page-context", _mark, priority=445)
