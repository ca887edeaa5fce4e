"""The page for an address that leads nowhere, where ``notfound.extension`` writes one.

It says where to go on, and what the address may have meant: a script compares it with the titles of
all pages and objects, and whoever runs no script has the list of places.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from platform_ops.sphinx_ext.domain import domain_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docutils import nodes
    from sphinx.application import Sphinx

__all__ = ["connect"]

_BODY: Final = """<h1>This page is not here</h1>
<p>It may have moved, or this version of the documentation never had it.</p>
<div hidden><p>Did you mean one of these?</p>
<ul class="simple" data-airflow-suggestions></ul></div>
<p>From here you can go to:</p>
<ul class="simple">{places}</ul>
<script defer src="{prefix}_static/airflow-missing.js"></script>
"""


def _fill(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],  # Any: Sphinx's own type for what templates are given
    doctree: nodes.document | None,
) -> None:
    """Give the page its text; a site that wrote its own page keeps it."""
    if doctree is not None or pagename != getattr(app.config, "notfound_pagename", None):
        return
    prefix = escape(app.config.notfound_urls_prefix or "/")
    places = "".join(
        f'<li><p><a class="reference internal" href="{prefix}{address}">{title}</a></p></li>'
        for address, title in _places(app)
    )
    context["title"] = "Page not found"
    context["body"] = _BODY.format(places=places, prefix=prefix)


def _places(app: Sphinx) -> Iterator[tuple[str, str]]:
    target = app.builder.get_target_uri
    yield target(app.config.root_doc), "the first page"
    site = domain_of(app.env).site
    reference = f"{site.prefix}/index" if site else ""
    if reference in app.env.found_docs:
        yield target(reference), "the reference"
    yield target("search"), "the search"
    yield target("genindex"), "the index of all names"


def connect(app: Sphinx) -> None:
    """Fill the page that another extension writes."""
    app.connect("html-page-context", _fill)
