"""Bytes of a page that say nothing: marks that Furo's styles show as if they were not there.

Pygments wraps each name, bracket and blank of code into an element of its own, and each line of a long
string; docutils says of each row whether it is an odd one, and Furo repeats a table's classes around it.
They are a third of an example's bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

__all__ = ["connect", "leaner"]

_PLAIN: Final = re.compile(r'<span class="[npw]">([^<]*)</span>')
_ALIKE: Final = re.compile(r'(<span class="(\w+)">[^<]*)</span>(\s*)<span class="\2">')
_ROW: Final = re.compile(r'<tr class="row-(?:odd|even)"')
_AROUND: Final = re.compile(r'<div class="table-wrapper (?:airflow-\S+ )+docutils container">')
_HINT: Final = re.compile(r'(<a class="headerlink" href="[^"]*") title="[^"]*"')


def leaner(html: str) -> str:
    """The same page in fewer bytes."""
    html = _ROW.sub("<tr", _PLAIN.sub(r"\1", html))
    html = _HINT.sub(r"\1", html)
    html = _AROUND.sub('<div class="table-wrapper docutils container">', html)
    count = 1
    while count:  # each turn joins the first two of a row
        html, count = _ALIKE.subn(r"\1\3", html)
    return html


def _unwrap(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],  # Any: Sphinx's own type for what templates are given
    doctree: nodes.document | None,
) -> None:
    if "body" in context and "furo" in app.extensions:
        context["body"] = leaner(context["body"])


def connect(app: Sphinx) -> None:
    """Before the navigation, which takes what room a page leaves."""
    app.connect("html-page-context", _unwrap, priority=440)
