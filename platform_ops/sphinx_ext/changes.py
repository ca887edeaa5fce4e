"""What changed since earlier versions: told on a page, and old addresses led to new ones.

``airflow_previous`` names catalogues that were published with those versions, as ``catalog.json``.
Objects whose page has another address now are found again by any name that they had.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from html import escape
from pathlib import Path, PurePosixPath
from posixpath import relpath
from typing import TYPE_CHECKING, Final

from docutils import nodes
from sphinx.errors import ExtensionError

from platform_ops.registry.changes import Action, Change, compare
from platform_ops.registry.classes.docstrings import plain
from platform_ops.registry.models.catalog import Catalog
from platform_ops.sphinx_ext.directives import CatalogDirective
from platform_ops.sphinx_ext.domain import domain_of
from platform_ops.sphinx_ext.elements import Cell, badge, code, paragraph, table, xref
from platform_ops.sphinx_ext.kinds import CLASS_KINDS, KINDS
from platform_ops.sphinx_ext.outputs.machines import site_builder, write_changed

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.builders.html import StandaloneHTMLBuilder
    from sphinx.config import Config

__all__ = ["ChangesDirective", "changes_page", "connect"]

_COMPARED: Final = ("packages", "classes", "connections", "metrics", "settings", "errors", "dags")
_TITLES: Final = {Action.ADDED: "New", Action.REMOVED: "Removed", Action.CHANGED: "Changed"}
_REDIRECT: Final = (
    '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title} has moved</title>\n'
    '<meta http-equiv="refresh" content="0; url={address}">\n'
    '<link rel="canonical" href="{address}">\n'
    '<p>{title} has moved to <a href="{address}">{address}</a>.</p>\n</html>\n'
)


def _previous(config: Config) -> tuple[tuple[Path, Catalog], ...]:
    """The earlier catalogues, the newest first as the site names them."""
    paths = [Path(each) for each in config.airflow_previous if each]
    return tuple((path, _read(path, path.stat().st_mtime_ns)) for path in paths)


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int) -> Catalog:
    try:
        return Catalog.from_json(path.read_bytes())
    except ValueError as err:
        raise ExtensionError(f"airflow_previous: {path} is no catalogue: {err}") from err


def _resolve(app: Sphinx, config: Config) -> None:
    """Paths are relative to ``conf.py``; one that leads nowhere is told at once."""
    found = [Path(app.confdir, each) for each in config.airflow_previous if each]
    if missing := [str(path) for path in found if not path.is_file()]:
        raise ExtensionError(
            f"airflow_previous: no file {missing[0]}; name the catalog.json of a version that was "
            "published, or leave the setting empty"
        )
    config.airflow_previous = [str(path) for path in found]


def changes_page() -> str:
    """The source of the generated page."""
    return "What changed\n============\n\n.. airflow:changes::\n"


class ChangesDirective(CatalogDirective):
    """``airflow:changes``: what is new, removed and changed since each earlier catalogue."""

    def run(self) -> list[nodes.Node]:
        """One section for each, breaking changes marked."""
        self.domain.note_use(*_COMPARED)
        shown: list[nodes.Node] = []
        for path, catalog in _previous(self.config):
            self.depends_on(path)
            shown.append(self._since(catalog))
        return shown or [paragraph("There is no earlier version to compare with.")]

    def _since(self, old: Catalog) -> nodes.section:
        changes = compare(old, self.site.catalog)
        summary = changes.summary()
        parts: list[nodes.Node] = [paragraph(f"{summary[:1].upper()}{summary[1:]}.")]
        for action, title in _TITLES.items():
            if found := changes.of(action):
                parts += [nodes.rubric("", title), _table(action, found)]
        return self.section(f"Since {_versions(old)}", *parts)


def _versions(catalog: Catalog) -> str:
    named = [f"{each.name} {each.version}".strip() for each in catalog.packages]
    return ", ".join(named[:3]) + (" and others" if len(named) > 3 else "") or "the one before"


def _table(action: Action, changes: Sequence[Change]) -> nodes.table:
    if action is not Action.CHANGED:
        rows = [(_name(each), f"{plain(each.summary)}") for each in changes]
        return table(("Object", "What it is"), rows, classes=["airflow-changes"])
    befell: dict[tuple[str, str], list[Change]] = {}
    for each in changes:
        befell.setdefault((each.kind, each.name), []).append(each)
    rows_of = (([*_link(found[0])], list(map(_sentence, found))) for found in befell.values())
    return table(("Object", "What changed"), rows_of, classes=["airflow-changes"])


def _name(change: Change) -> Cell:
    return [*_link(change), *_mark(change)]


def _link(change: Change) -> Iterator[nodes.Node]:
    short = change.name.rpartition(".")[2] if change.kind in CLASS_KINDS else change.name
    gone = change.action is Action.REMOVED and not change.part
    if change.kind in KINDS and not gone:
        found = xref(change.kind, change.name, short)
        found["refwarn"] = False  # a site need not show every kind
        yield found
    else:
        yield code(short)
    yield nodes.Text(" ")
    yield badge(change.kind, "plain")


def _sentence(change: Change) -> nodes.paragraph:
    """The difference in words; values as code, whose quotes are no prose."""
    what = " ".join(filter(None, (change.part, change.aspect))) or change.kind
    what = what[:1].upper() + what[1:]
    if change.action is not Action.CHANGED:
        return paragraph(f"{what} {change.action}", *_mark(change))
    before, after = code(change.before or "empty"), code(change.after or "empty")
    return paragraph(f"{what} was ", before, ", is ", after, *_mark(change))


def _mark(change: Change) -> Iterator[nodes.Node]:
    if change.breaking:
        yield nodes.Text(" ")
        yield badge("breaking", "required")


# --- Pages that have another address now ----------------------------------------------------------


def _moved(app: Sphinx) -> Mapping[str, str]:
    """Pages of earlier versions to those that show the same object now."""
    site = domain_of(app.env).site
    moved: dict[str, str] = {}
    if site is None:
        return moved
    known = {name: each for each in site.catalog.classes for name in (each.name, each.public)}
    for _, catalog in _previous(app.config):
        for old in catalog.classes:
            new = known.get(old.name) or known.get(old.public)
            before = site.docname(old)
            if new is not None and before not in app.env.found_docs:
                moved.setdefault(before, site.docname(new))
    return moved


def _write_redirects(app: Sphinx, exception: Exception | None) -> None:
    builder = site_builder(app)
    if exception is not None or builder is None or not app.config.airflow_previous:
        return
    for before, now in _moved(app).items():
        path = Path(builder.get_output_path(before))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_changed(path, _redirect(builder, before, now))


def _redirect(builder: StandaloneHTMLBuilder, before: str, now: str) -> str:
    folder = PurePosixPath(builder.get_target_uri(before)).parent
    address = relpath(builder.get_target_uri(now), str(folder))
    title = builder.env.titles[now].astext() if now in builder.env.titles else now
    return _REDIRECT.format(title=escape(title), address=escape(address))


def connect(app: Sphinx) -> None:
    """Compare with earlier catalogues where the site names any."""
    app.add_config_value(
        "airflow_previous",
        [],
        "env",
        (list, tuple),
        "Catalogues of earlier versions, newest first.",
    )
    app.add_directive_to_domain("airflow", "changes", ChangesDirective)
    app.connect("config-inited", _resolve)
    app.connect("build-finished", _write_redirects)
