"""``sphinx-build -b airflow-check``: a site held against every rule, of its catalogue and its pages.

It reads every page anew and resolves every reference, writes no page, and reports through
:mod:`platform_ops.findings`. The output folder gets the report in each format, a badge, and the list
of links to other sites, which it cannot follow offline.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from docutils import nodes
from sphinx.builders import Builder
from sphinx.errors import ExtensionError
from sphinx.util import logging as sphinx_logging

from platform_ops.errors import ConfigError
from platform_ops.findings import Finding, Place, Policy, Report, Rule, rendered
from platform_ops.registry import CatalogConfig, check
from platform_ops.registry.classes.docstrings import plain
from platform_ops.registry.completeness.places import located, project_root, shown
from platform_ops.sphinx_ext.checks.check_rules import (
    LINK,
    MARKUP,
    NAMED,
    REFERENCE,
    RULES,
    SPELLING,
    UNREACHABLE,
    WARNED,
)
from platform_ops.sphinx_ext.checks.links import Links
from platform_ops.sphinx_ext.checks.spelling import Speller
from platform_ops.sphinx_ext.domain import domain_of
from platform_ops.sphinx_ext.outputs.machines import FILES

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    from platform_ops.registry.models.catalog import Catalog

__all__ = ["CheckBuilder", "connect"]

_NAMESPACE: Final = "sphinx"
_LOCATION: Final = re.compile(
    r"(?P<file>.+?)(?::docstring of (?P<thing>[^:]+))?(?::(?P<line>\d+|<unknown>))?:?"
)
# Sphinx's own handler puts the kind behind the text, where it came first.
_TYPE_MARK: Final = re.compile(r" \[[\w-]+(?:\.[\w-]+)?\]$")
_DOCSTRING: Final = re.compile(r"docstring of (?P<name>[\w.]+)(?:, [\w ]+)?: ")
# Told by rules of their own: what the catalogue could not read, and pages out of every toctree.
_TOLD_ELSEWHERE: Final = frozenset(
    {("airflow", "module"), ("airflow", "class"), ("airflow", "dag"), ("airflow", "table"),
     ("toc", "not_included")}
)  # fmt: skip
_RULES_OF: Final = {
    ("airflow", "markup"): MARKUP,
    ("airflow", "reference"): NAMED,
    ("myst", "xref_missing"): REFERENCE,
    ("intersphinx", "external"): REFERENCE,
}
_FILES: Final = {
    "report.json": "json",
    "report.sarif": "sarif",
    "report.xml": "junit",
    "report.txt": "text",
    "badge.svg": "badge",
}
# Pages that HTML builders write on their own.
_BUILT: Final = frozenset({"genindex", "search", "py-modindex", "404", "index"})


@dataclass(frozen=True, slots=True)
class _Warning:
    kind: tuple[str, str]
    location: str
    message: str


class CheckBuilder(Builder):
    """Gathers findings on every page, and fails where one of them is an error."""

    name = "airflow-check"
    epilog = "The report is in %(outdir)s."

    found: Report
    """All that was found."""
    report: Report
    """What of it counts."""

    def init(self) -> None:
        """Listen to warnings from now on, of the pages that are read too."""
        self.config.nitpicky = True
        self._home = Path(self.confdir)
        self._warnings = _Recorder(self._app)
        logging.getLogger(_NAMESPACE).addHandler(self._warnings)
        self._app.connect("build-finished", lambda *_: self._warnings.remove())
        self._links = Links(self._is_file)
        self._mistakes: list[Finding] = []
        self._root = project_root(self._home)

    def get_outdated_docs(self) -> set[str]:
        """Look at every page."""
        return self.env.found_docs

    def get_target_uri(self, docname: str, typ: str | None = None) -> str:
        """Address pages as HTML builders do, so that links written by hand meet them."""
        return f"{quote(docname)}.html"

    def prepare_writing(self, docnames: set[str] | frozenset[str]) -> None:  # type: ignore[override]  # Sphinx 9.0 and 9.1 differ
        """Load the word list once."""
        try:
            self._speller = Speller(self._home / self.config.airflow_spelling)
        except ConfigError as err:
            raise ExtensionError(str(err), modname=__name__) from err

    def write_doc(self, docname: str, doctree: nodes.document) -> None:
        """Take a page in; nothing is written."""
        self._links.add(docname, doctree)
        if not self._is_generated(docname):
            for word, right, line in self._speller.in_document(doctree):
                place = self._page(docname, line)
                self._mistakes.append(SPELLING.at(place, f"{word!r}; {right!r} may be meant"))

    def finish(self) -> None:
        """Report, and decide the exit code."""
        try:
            self.found = self._findings()
            policy = Policy.beside(self._home, self.config.airflow_check)
            self.report = policy.apply(self.found)
        except ConfigError as err:
            raise ExtensionError(str(err), modname=__name__) from err
        for name, form in _FILES.items():
            Path(self.outdir, name).write_text(rendered(self.report, form), encoding="utf-8")
        outer = "".join(f"{uri}\n" for uri in sorted(self._links.outer))
        Path(self.outdir, "links.txt").write_text(outer, encoding="utf-8")
        sphinx_logging.getLogger(__name__).info("%s", rendered(self.report, "text"), nonl=True)
        self._app.statuscode = self.report.exit_code

    def _findings(self) -> Report:
        site = domain_of(self.env).site
        catalog = site.catalog if site else None
        findings = [*self._mistakes, *self._warned(), *self._linked()]
        subjects = {
            f"page {each}": "pages" for each in self.env.found_docs if not self._is_generated(each)
        }
        if catalog is None:
            return Report.of(findings, checked=RULES, subjects=subjects)
        findings += self._docstrings(catalog)
        whole = check(catalog, self._catalog_config())
        pages = Report.of(findings, checked=RULES, subjects=subjects)
        return whole + pages.placed(located(self._home))

    def _catalog_config(self) -> CatalogConfig | None:
        if self.config.airflow_catalog_file:  # made elsewhere: its packages need not be here
            return None
        return CatalogConfig.from_mapping(self.config.airflow_catalog, self._home)

    def _warned(self) -> Iterator[Finding]:
        """What Sphinx and its extensions said while they read and resolved."""
        for each in self._warnings.kept:
            if each.kind not in _TOLD_ELSEWHERE:
                name, said = _docstring_of(each)
                place = self._class_place(name) or self._located(each.location)
                yield _rule_of(each.kind).at(place, said)

    def _linked(self) -> Iterator[Finding]:
        for link, why in self._links.dead():
            yield LINK.at(self._page(link.docname, link.line), f"{link.uri}: {why}")
        alone = self._links.unreachable(str(self.config.root_doc), self.env.toctree_includes)
        for docname in sorted(alone):
            yield UNREACHABLE.at(self._page(docname), "nothing leads here")

    def _docstrings(self, catalog: Catalog) -> Iterator[Finding]:
        """Spelling of docstrings, each once, wherever it is shown."""
        for entry in catalog.classes:
            if entry.base:
                continue
            own = [
                each.description for each in entry.parameters if each.documented_by == entry.name
            ]
            place = self._class_place(entry.name) or Place(entry.public)
            for text in (entry.summary, entry.description, *own):
                for word, right in self._speller.mistakes(plain(text)):
                    yield SPELLING.at(place, f"{word!r}; {right!r} may be meant")

    def _class_place(self, name: str) -> Place | None:
        site = domain_of(self.env).site
        entry = site.classes.get(name) if site else None
        return Place(entry.public, entry.source.file, entry.source.line) if entry else None

    def _page(self, docname: str, line: int | None = None) -> Place:
        name = f"page {docname}"
        if self._is_generated(docname):
            return Place(name)
        return Place(name, shown(Path(self.env.doc2path(docname)), self._root), line)

    def _located(self, location: str) -> Place:
        """The place of a warning, which is a file and a line, or a docstring."""
        hit = _LOCATION.fullmatch(location) if location else None
        if hit is None:
            return Place("site")
        line = int(hit["line"]) if (hit["line"] or "").isdigit() else None
        docname = self.env.path2doc(hit["file"])
        if hit["thing"]:
            file = shown(Path(hit["file"]), self._root)
            return Place(hit["thing"], file)  # its line counts from the docstring's first
        if docname in self.env.found_docs:
            return self._page(docname, line)
        return Place("site", shown(Path(hit["file"]), self._root), line)

    def _is_generated(self, docname: str) -> bool:
        return Path(self.env.doc2path(docname)).is_relative_to(self.doctreedir)

    def _is_file(self, path: str) -> bool:
        """Whether an HTML build has such a file: static ones, extra ones, and pages of its own."""
        if path in _BUILT or path in FILES or path in self.config.html_additional_pages:
            return True
        if path.startswith(("_images/", "_downloads/", "_sources/")):
            return True  # Sphinx made the link, and said so where it could not
        inside = path.removeprefix("_static/")
        folders = self.config.html_static_path if inside != path else self.config.html_extra_path
        return any(
            (self._home / each / inside).exists() or (self._home / each).name == path
            for each in folders
        )


class _Recorder(logging.Handler):
    """Keeps what Sphinx warns of, save what the site suppresses."""

    def __init__(self, app: Sphinx) -> None:
        super().__init__(logging.WARNING)
        self._app = app
        self.kept: list[_Warning] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        values: dict[str, Any] = vars(record)  # Any: what a caller gave with its message
        kind = str(values.get("type") or ""), str(values.get("subtype") or "")
        if sphinx_logging.is_suppressed_warning(*kind, self._app.config.suppress_warnings):
            return
        said = _TYPE_MARK.sub("", record.msg % record.args if record.args else str(record.msg))
        where = self._location(values.get("location"))
        self.kept.append(_Warning(kind, where, said.strip()))

    def _location(self, told: Any) -> str:  # Any: as a caller gave it, or Sphinx made of it
        if isinstance(told, nodes.Node):
            return sphinx_logging.get_node_location(told) or ""
        if isinstance(told, tuple):
            docname, line = told
            return f"{self._app.env.doc2path(docname)}:{line or ''}" if docname else ""
        if told and ":" not in told:
            return str(self._app.env.doc2path(told))
        return str(told or "")

    def remove(self) -> None:
        """Listen no more."""
        logging.getLogger(_NAMESPACE).removeHandler(self)


def _docstring_of(warning: _Warning) -> tuple[str, str]:
    """Whose docstring a warning is about, if any, and what is wrong with it."""
    if hit := _DOCSTRING.match(warning.message):
        return hit["name"], warning.message[hit.end() :]
    # A docstring is parsed as a source of its own, which is called as its class is.
    return re.split(r"[,:]", warning.location, maxsplit=1)[0], warning.message


def _rule_of(kind: tuple[str, str]) -> Rule:
    if kind[0] in ("ref", "toc"):
        return REFERENCE
    return _RULES_OF.get(kind, WARNED)


def _read_all(
    app: Sphinx, env: Any, added: Any, changed: Any, removed: Any
) -> set[str]:  # Any: Sphinx's event
    """A page that is not read again cannot warn again."""
    return set(env.found_docs) if isinstance(app.builder, CheckBuilder) else set()


def connect(app: Sphinx) -> None:
    """Add the builder and what can be set about it."""
    app.add_builder(CheckBuilder)
    app.add_config_value(
        "airflow_check", {}, "", (dict,), "What counts: select, ignore, waivers, baseline."
    )
    app.add_config_value("airflow_spelling", "spelling.txt", "", (str,), "A site's own words.")
    app.connect("env-get-outdated", _read_all)
