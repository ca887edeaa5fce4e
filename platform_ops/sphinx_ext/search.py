"""Search over the whole site: an index made by Pagefind, and a dialog that asks it.

After the pages are written, Pagefind reads those that changed the site and writes its index beside
them; where nothing changed it does not run. The dialog loads the index when it is first opened, from
the site itself. Where Pagefind is not installed, and where a page is opened as a file, Sphinx's own
search stays what it was.

Each page says in its head what it can be filtered by: kind, package, owner, and whether it can defer.

Source: https://pagefind.app/docs/
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final

from sphinx.util import logging

from platform_ops.registry.model import ClassEntry, Package
from platform_ops.sphinx_ext.domain import domain_of
from platform_ops.sphinx_ext.kinds import KINDS
from platform_ops.sphinx_ext.machines import markdown_path, site_builder

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.builders.html import StandaloneHTMLBuilder

    from platform_ops.sphinx_ext.site import Site

__all__ = ["connect"]

logger = logging.getLogger(__name__)

INDEX: Final = "pagefind"
_STAMP: Final = "pagefind.stamp"
_BODY: Final = "data-pagefind-body"
_VOCABULARY: Final = 20_000
_WORD: Final = re.compile(r"[^\W\d_]{4,40}")
# Said once for all pages by a base's own page; and what a reader cannot see anyway.
_LEFT_OUT: Final = ".headerlink, .airflow-badges, .airflow-folded, svg"
# Of Pagefind's bundle, what no page of ours loads: its own dialogs.
_UNUSED: Final = ("*-ui.css", "*-ui.js", "pagefind-highlight.js")


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


class _Indexing:
    """Pagefind at work beside Sphinx: it starts when the last page is written, and Sphinx goes on."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._folder: Path | None = None

    def start(self, app: Sphinx, exception: Exception | None = None) -> tuple[()]:
        """Make the index anew, if any page is another than the last one was made of."""
        builder = _searched(app)
        if exception is not None or builder is None or self._process is not None:
            return ()
        stamp = Path(app.doctreedir, _STAMP)
        now = _digest(builder)
        if Path(app.outdir, INDEX).is_dir() and stamp.is_file() and stamp.read_text("ascii") == now:
            return ()
        stamp.unlink(missing_ok=True)
        self._folder = Path(mkdtemp(prefix=f"{INDEX}-", dir=app.doctreedir))
        command = [sys.executable, "-m", "pagefind", "--silent", "--site", str(app.outdir)]
        options = ["--output-path", str(self._folder), "--exclude-selectors", _LEFT_OUT]
        self._process = subprocess.Popen(
            [*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        return ()  # no further pages, which is what this event asks for

    def finish(self, app: Sphinx, exception: Exception | None) -> None:
        """Put the new index in the place of the old one."""
        self.start(app, exception)  # where Sphinx had nothing to write
        process, folder = self._process, self._folder
        if process is None or folder is None:
            return
        self._process = self._folder = None
        try:
            if exception is not None:
                process.kill()
            said = process.communicate()[1]
            builder = _searched(app)
            if exception is None and builder is not None and _succeeded(process, said):
                words = json.dumps(_words(builder), separators=(",", ":"))
                (folder / "words.json").write_text(words + "\n", encoding="utf-8")
                _put(folder, Path(app.outdir, INDEX))
                stamp = Path(app.doctreedir, _STAMP)
                stamp.write_text(_digest(builder), encoding="ascii")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _succeeded(process: subprocess.Popen[str], said: str) -> bool:
    if process.returncode != 0:
        logger.warning(
            "Pagefind ended with %d: %s; Sphinx's own search remains",
            process.returncode, " ".join(said.split()),
            type="airflow", subtype="search",
        )  # fmt: skip
    return process.returncode == 0


def _put(folder: Path, place: Path) -> None:
    for pattern in _UNUSED:
        for path in folder.glob(pattern):
            path.unlink()
    folder.chmod(0o755)  # a scratch folder is its owner's alone; a site is anyone's
    shutil.rmtree(place, ignore_errors=True)
    shutil.move(folder, place)


def _words(builder: StandaloneHTMLBuilder) -> list[str]:
    """Words of the site, the most common first: what a misspelt one may have meant."""
    count: Counter[str] = Counter()
    for docname in builder.env.found_docs:
        path = markdown_path(builder, docname)
        if path.is_file():
            count.update(set(_WORD.findall(path.read_text(encoding="utf-8").lower())))
    ranked = sorted(count, key=lambda each: (-count[each], each))
    return ranked[:_VOCABULARY]


def _digest(builder: StandaloneHTMLBuilder) -> str:
    """Changes whenever a page of the site was written or is gone."""
    return hashlib.blake2b("\n".join(_stamps(builder)).encode()).hexdigest()


def _stamps(builder: StandaloneHTMLBuilder) -> Iterator[str]:
    for docname in sorted(builder.env.found_docs):
        path = Path(builder.get_output_path(docname))
        if path.is_file():
            status = path.stat()
            yield f"{docname} {status.st_mtime_ns} {status.st_size}"


def connect(app: Sphinx) -> None:
    """Index every HTML build, and give its pages the dialog."""
    search = _Search()
    app.add_config_value(
        "airflow_search", True, "html", (bool,), "Whether Pagefind indexes the site."
    )
    app.connect("builder-inited", _add_script)
    app.connect("html-page-context", search.mark, priority=450)
    indexing = _Indexing()
    app.connect("html-collect-pages", indexing.start)
    app.connect("build-finished", indexing.finish)


def _add_script(app: Sphinx) -> None:
    if _searched(app) is not None:
        app.add_js_file("airflow-search.js", loading_method="defer")
