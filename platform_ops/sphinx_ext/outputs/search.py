"""Search over the whole site: an index made by Pagefind, and a dialog that asks it.

After the pages are written, Pagefind reads them and writes its index beside them. The dialog loads
the index when it is first opened, from the site itself. Where Pagefind is not installed, and where a
page is opened as a file, Sphinx's own search stays what it was.

Each page says in its head what it can be filtered by: kind, package, owner, and whether it can defer.

Source: https://pagefind.app/docs/
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from platform_ops.registry.models.catalog import ClassEntry, Package
from platform_ops.sphinx_ext.domain import domain_of
from platform_ops.sphinx_ext.kinds import KINDS
from platform_ops.sphinx_ext.outputs.indexing import Indexing
from platform_ops.sphinx_ext.outputs.machines import site_builder

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.builders.html import StandaloneHTMLBuilder

    from platform_ops.sphinx_ext.site import Site

__all__ = ["connect"]

_BODY: Final = "data-pagefind-body"


def _facets(site: Site) -> Mapping[str, dict[str, str]]:
    """What each page of an object can be filtered by."""
    found = {}
    for entry in site.paged():
        kind = entry.kind if isinstance(entry, ClassEntry) else _kind_of(entry)
        facets = {
            "kind": kind,
            "package": entry.name if isinstance(entry, Package) else getattr(entry, "package", ""),
            "owner": ", ".join(getattr(entry, "owners", ())) or getattr(entry, "owner", ""),
            "deferrable": "yes" if getattr(entry, "deferrable", False) else "",
        }
        found[site.docname(entry)] = {name: value for name, value in facets.items() if value}
    return found


def _kind_of(entry: object) -> str:
    """The kind of an object that is no class of a package: what its type is called."""
    name = type(entry).__name__.lower().removeprefix("data").removesuffix("entry")
    return "provider" if isinstance(entry, Package) else name if name in KINDS else ""


class _Search:
    """The facets of one build's pages, worked out once."""

    def __init__(self) -> None:
        self._facets = cache(_facets)

    def mark(
        self,
        app: Sphinx,
        pagename: str,
        templatename: str,
        context: dict[str, Any],  # Any: Sphinx's own type for what templates are given
        doctree: nodes.document | None,
    ) -> None:
        """Tell Pagefind what of a page to read, and what the page can be filtered by."""
        if doctree is None or "body" not in context or _searched(app) is None:
            return
        context["body"] = context["body"].replace("<section ", f"<section {_BODY} ", 1)
        site = domain_of(app.env).site
        facets = self._facets(site).get(pagename) if site else None
        for name, value in (facets or {"kind": _part_of(pagename)}).items():
            context["metatags"] += (
                f'\n<meta data-pagefind-filter="{name}[content]" content="{escape(value)}">'
            )


def _part_of(docname: str) -> str:
    folder, slash, _ = docname.partition("/")
    return folder if slash else "page"


def _searched(app: Sphinx) -> StandaloneHTMLBuilder | None:
    wanted = app.config.airflow_search and find_spec("pagefind") is not None
    return site_builder(app) if wanted else None


class _Index:
    """The index of one build, begun once, whether or not Sphinx has pages to write."""

    def __init__(self) -> None:
        self._indexing: Indexing | None = None

    def start(self, app: Sphinx, exception: Exception | None = None) -> tuple[()]:
        """Let Pagefind begin, beside what Sphinx still has to do."""
        builder = _searched(app)
        if exception is None and builder is not None and self._indexing is None:
            self._indexing = Indexing(builder, Path(app.doctreedir))
            self._indexing.start()
        return ()  # no further pages, which is what this event asks for

    def finish(self, app: Sphinx, exception: Exception | None) -> None:
        """Wait for it, and put its index among the pages."""
        self.start(app, exception)  # where Sphinx had nothing to write
        if self._indexing is not None:
            self._indexing.finish(failed=exception is not None)
            self._indexing = None


def connect(app: Sphinx) -> None:
    """Index every HTML build, and give its pages the dialog."""
    search = _Search()
    app.add_config_value(
        "airflow_search", True, "html", (bool,), "Whether Pagefind indexes the site."
    )
    app.connect("builder-inited", _add_script)
    app.connect("html-page-context", search.mark, priority=450)
    index = _Index()
    app.connect("html-collect-pages", index.start)
    app.connect("build-finished", index.finish)


def _add_script(app: Sphinx) -> None:
    if _searched(app) is not None:
        app.add_js_file("airflow-search.js", loading_method="defer")
