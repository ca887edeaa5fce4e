"""What a build writes beside its pages for readers that are programs.

===================  ===============================================================================
``*.md``             each page as Markdown, beside it
``llms.txt``         all pages in the order of the navigation, each with a sentence
``llms-full.txt``    all of them in one, where that is not too much
``catalog.json``     the catalogue, and ``catalog.schema.json``, which describes it
``objects.json``     title, address and kind of each page and object, for search and the 404 page
``sitemap.xml``      where ``html_baseurl`` says what the site is called
===================  ===============================================================================

Everything is written in the build that writes the pages, and only where it changed.

Source: https://llmstxt.org and https://www.sitemaps.org/protocol.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit
from xml.sax.saxutils import escape

from docutils import nodes
from sphinx import addnodes
from sphinx.builders.html import StandaloneHTMLBuilder

from platform_ops.sphinx_ext.directives import CatalogDirective
from platform_ops.sphinx_ext.domain import domain_of
from platform_ops.sphinx_ext.outputs.markdown import to_markdown

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

__all__ = ["FILES", "FilesDirective", "connect", "markdown_path", "site_builder", "write_changed"]

FULL_AT_MOST: Final = 4_000_000
"""Bytes of ``llms-full.txt`` above which no reader could take it in; it is left out then."""

FILES: Final = {
    "catalog.json": "everything that the reference knows, as one JSON document",
    "catalog.schema.json": "the JSON Schema of that document",
    "objects.inv": "an inventory for intersphinx",
    "llms.txt": "all pages with a sentence each, for language models; each page is there as "
    "Markdown, too, under its own address with .md in place of .html",
}


def write_changed(path: Path, text: str) -> None:
    """Write a file, unless it says that already."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


# --- One page -------------------------------------------------------------------------------------


def markdown_path(builder: StandaloneHTMLBuilder, docname: str) -> Path:
    """Where a page's Markdown is."""
    return Path(builder.get_output_path(docname)).with_suffix(".md")


def _markdown_uri(uri: str) -> str:
    """Where a link within the site leads in Markdown: pages have no anchors there."""
    if uri.startswith("#"):
        return ""
    parts = urlsplit(uri)
    if parts.scheme or parts.netloc:
        return uri
    if parts.path.endswith("/"):
        return f"{parts.path}index.md"
    return re.sub(r"\.html$", ".md", parts.path)


def _write_page(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],  # Any: Sphinx's own type for what templates are given
    doctree: nodes.document | None,
) -> None:
    """Write a page's Markdown, in whichever process writes the page."""
    builder = site_builder(app)
    if doctree is None or builder is None:
        return
    path = markdown_path(builder, pagename)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_markdown(doctree, _markdown_uri), encoding="utf-8")
    context["metatags"] += f'\n<link rel="alternate" type="text/markdown" href="{path.name}">'


def site_builder(app: Sphinx) -> StandaloneHTMLBuilder | None:
    """The builder, if it writes a site for browsers: neither an EPUB nor a help file."""
    builder = app.builder
    if isinstance(builder, StandaloneHTMLBuilder) and not builder.embedded:
        return builder
    return None


# --- All of them ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Page:
    """One line of ``llms.txt``."""

    title: str
    uri: str
    text: str

    @property
    def sentence(self) -> str:
        """The first paragraph's first sentence."""
        blocks = self.text.split("\n\n")[1:]
        prose = next((each for each in blocks if re.match(r"[\w*`\[\\(]", each)), "")
        return re.split(r"(?<=[.!?])\s", " ".join(prose.split()), maxsplit=1)[0]


class _Pages:
    """The pages of a build, as their Markdown was written."""

    def __init__(self, builder: StandaloneHTMLBuilder) -> None:
        self._builder = builder
        self._env = builder.env

    def groups(self) -> Iterator[tuple[str, list[_Page]]]:
        """Pages under the captions of the navigation; what no list names comes last."""
        root = self._env.config.root_doc
        seen = {root}
        for tree in self._env.get_doctree(root).findall(addnodes.toctree):
            listed = [name for _, name in tree["entries"] if name in self._env.found_docs]
            pages = [self._page(each) for each in self._below(listed, seen)]
            if pages:
                yield tree.get("caption") or "Pages", pages
        rest = [self._page(each) for each in sorted(self._env.found_docs - seen)]
        if rest:
            yield "Optional", rest

    def _below(self, docnames: list[str], seen: set[str]) -> Iterator[str]:
        for each in docnames:
            if each not in seen:
                seen.add(each)
                yield each
                yield from self._below(self._env.toctree_includes.get(each, []), seen)

    def root(self) -> _Page:
        return self._page(self._env.config.root_doc)

    def _page(self, docname: str) -> _Page:
        path = markdown_path(self._builder, docname)
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        uri = path.relative_to(self._builder.outdir).as_posix()
        base = self._builder.config.html_baseurl
        return _Page(_title(self._env, docname), urljoin(base, uri) if base else uri, text)


def _title(env: BuildEnvironment, docname: str) -> str:
    return env.titles[docname].astext() if docname in env.titles else docname


def _write_all(app: Sphinx, exception: Exception | None) -> None:
    builder = site_builder(app)
    if exception is not None or builder is None:
        return
    out = Path(app.outdir)
    for name, text in _texts(app, builder).items():
        if text is None:
            (out / name).unlink(missing_ok=True)
        else:
            write_changed(out / name, text)


def _texts(app: Sphinx, builder: StandaloneHTMLBuilder) -> Mapping[str, str | None]:
    """Each file with its text; None where this site has none."""
    from platform_ops.registry import catalog_schema

    pages = _Pages(builder)
    groups = list(pages.groups())
    full = "\n".join(page.text for page in [pages.root(), *(p for _, g in groups for p in g)])
    texts: dict[str, str | None] = {
        "llms.txt": _llms(app, pages.root(), groups),
        "llms-full.txt": full if len(full) <= FULL_AT_MOST else None,
        "objects.json": json.dumps(list(_objects(builder)), separators=(",", ":")) + "\n",
        "sitemap.xml": _sitemap(builder) if app.config.html_baseurl else None,
    }
    if site := domain_of(app.env).site:
        texts["catalog.json"] = site.catalog.to_json()
        texts["catalog.schema.json"] = json.dumps(catalog_schema(), indent=1) + "\n"
    return texts


def _llms(app: Sphinx, root: _Page, groups: list[tuple[str, list[_Page]]]) -> str:
    parts = [f"# {app.config.project}", f"> {root.sentence}" if root.sentence else ""]
    for caption, pages in groups:
        lines = (
            f"- [{page.title}]({page.uri})" + (f": {page.sentence}" if page.sentence else "")
            for page in pages
        )
        parts += [f"## {caption}", "\n".join(lines)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _objects(builder: StandaloneHTMLBuilder) -> Iterator[tuple[str, str, str]]:
    """Objects under the name that a reader knows, then the pages that are about no one object."""
    env, shown = builder.env, set()
    for _name, title, kind, docname, anchor, _priority in sorted(domain_of(env).get_objects()):
        alone = env.titles.get(docname) is not None and _title(env, docname) == title
        shown |= {docname} if alone else set()
        yield title, builder.get_target_uri(docname) + ("" if alone else f"#{anchor}"), kind
    for docname in sorted(env.found_docs - shown):
        yield _title(env, docname), builder.get_target_uri(docname), ""


def _sitemap(builder: StandaloneHTMLBuilder) -> str:
    base = builder.config.html_baseurl
    places = (
        urljoin(base, builder.get_target_uri(each)) for each in sorted(builder.env.found_docs)
    )
    lines = "".join(f"<url><loc>{escape(each)}</loc></url>\n" for each in places)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{lines}</urlset>\n'
    )


class FilesDirective(CatalogDirective):
    """``airflow:files``: links to what a build writes for programs."""

    def run(self) -> list[nodes.Node]:
        """As HTML alone, since no other output has these files."""
        up = "../" * self.env.docname.count("/")
        items = "".join(
            f'<li><p><a class="reference external" href="{up}{name}"><code class="literal">'
            f"{name}</code></a>: {about}</p></li>"
            for name, about in FILES.items()
        )
        return [nodes.raw("", f'<ul class="simple">{items}</ul>', format="html")]


def connect(app: Sphinx) -> None:
    """Write these files in every HTML build."""
    app.add_directive_to_domain("airflow", "files", FilesDirective)
    app.connect("html-page-context", _write_page)
    app.connect("build-finished", _write_all)
