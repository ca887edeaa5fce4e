"""Tables of metrics, settings and errors, and of rows that a package hands out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives

from platform_ops.registry.models.catalog import ErrorEntry, Metric, Setting
from platform_ops.sphinx_ext.directives import CatalogDirective
from platform_ops.sphinx_ext.elements import badge, code, paragraph, table, term, xref
from platform_ops.sphinx_ext.parts import range_title

__all__ = [
    "ErrorsDirective",
    "MetricsDirective",
    "SettingsDirective",
    "TableDirective",
    "metric_names",
    "metrics_table",
    "retried_badge",
]


_HEADED = re.compile(r"^``\[.*?\]``:\s*")  # a docstring that begins with what the heading says


class MetricsDirective(CatalogDirective):
    """``airflow:metrics``: every metric of the catalogue."""

    def run(self) -> list[nodes.Node]:
        """One row for each metric, each with its anchor."""
        self.domain.note_use("metrics")
        metrics = self.site.catalog.metrics
        for each in metrics:
            self.domain.note_object("metric", each.name, f"metric-{each.name}", each.name)
        ids = [f"metric-{each.name}" for each in metrics]
        return [metrics_table(self, metrics, ids=ids)]


def metrics_table(
    directive: CatalogDirective, metrics: Sequence[Metric], *, ids: Sequence[str] = ()
) -> nodes.table:
    """Metrics as rows.

    :param ids: Anchors, where this is the place that links lead to.
    """
    rows = []
    for each in metrics:
        name = term(each.name, f"metric-{each.name}") if ids else xref("metric", each.name)
        tags: list[nodes.Node] = []
        for tag in each.tags:
            tags += [code(tag), nodes.Text(" ")]
        about = directive.prose.blocks(each.help, f"metric {each.name}")
        kind = paragraph(f"{each.kind}, {each.unit}", classes=["airflow-signature"])
        rows.append(([name], [kind, *about], tags))
    header = ("Metric", "What it says", "Tags")
    return table(header, rows, classes=["airflow-metrics"], ids=ids)


def metric_names(metrics: Sequence[Metric]) -> nodes.paragraph:
    """Links to metrics, in as few bytes as there can be: their own page says the rest."""
    parts: list[nodes.Node | str] = []
    for each in metrics:
        parts += [", "] if parts else []
        parts.append(xref("metric", each.name, bare=True))
    return paragraph(*parts)


class SettingsDirective(CatalogDirective):
    """``airflow:settings``: every setting, by section.

    A long list has several pages; ``:part:`` says which one this is.
    """

    option_spec: ClassVar[dict[str, Any]] = {"part": directives.positive_int}  # Any: docutils' type

    def run(self) -> list[nodes.Node]:
        """One section for each table of the settings file."""
        self.domain.note_use("settings")
        pages = self.site.parts.settings
        part = self.options.get("part", 1)
        if part > len(pages) or not pages[part - 1]:
            return [paragraph("There are none.")]
        titles = [range_title([_heading(name) for name, _ in sections]) for sections in pages]
        shown = self.part_links("setting", titles, part)
        return shown + [self._section(name, rows) for name, rows in pages[part - 1]]

    def _section(self, name: str, settings: Sequence[Setting]) -> nodes.Node:
        ids = [f"setting-{each.name}" for each in settings]
        rows = []
        for each, anchor in zip(settings, ids, strict=True):
            self.domain.note_object("setting", each.name, anchor, each.name)
            key: list[nodes.Node] = [term(each.name.rpartition(".")[2], anchor)]
            if each.required:
                key += [nodes.Text(" "), badge("required", "required")]
            about = self.prose.blocks(each.description, f"setting {each.name}")
            rows.append((key, [_value(each), *about]))
        shown = table(("Key", "Meaning"), rows, classes=["airflow-settings"], ids=ids)
        summary = _HEADED.sub("", settings[0].section_description)
        lead = self.prose.blocks(summary[:1].upper() + summary[1:], f"section {name}")
        return self.section(_heading(name), *lead, shown)


def _heading(section: str) -> str:
    return f"[{section}]" if section else "Top level"


def _value(setting: Setting) -> nodes.paragraph:
    parts: list[nodes.Node | str] = [code(setting.type, bare=True)]
    if setting.unit:
        parts.append(f" {setting.unit}")
    if not setting.required:
        parts += [" = ", code(setting.default, bare=True)]
    return paragraph(*parts, classes=["airflow-signature"])


class ErrorsDirective(CatalogDirective):
    """``airflow:errors``: the exception tree, as a table that is indented like it."""

    def run(self) -> list[nodes.Node]:
        """One row for each error, parents before children."""
        self.domain.note_use("errors")
        rows, ids = [], []
        for entry, depth in self.site.errors_below(None):
            anchor = f"error-{entry.name}"
            ids.append(anchor)
            self.domain.note_object(
                "error", entry.name, anchor, entry.name, aliases=[f"{entry.module}.{entry.name}"]
            )
            self.note_python(f"{entry.module}.{entry.name}", "exception", anchor)
            name = nodes.inline(
                "", "", term(entry.name, anchor), classes=[f"airflow-depth-{depth - 1}"]
            )
            where = f"{entry.module}.{entry.name}"
            about = self.prose.line(entry.summary, where, within=where)
            more = self.prose.blocks(entry.description, where, within=where)
            rows.append(([name], [paragraph(*about), *more], [retried_badge(entry)]))
        return [
            table(("Error", "What happened", "Retried"), rows, classes=["airflow-errors"], ids=ids)
        ]


def retried_badge(error: ErrorEntry) -> nodes.inline:
    """Whether Airflow's retry can help."""
    retried = "yes" if error.retryable else "no"
    return badge(retried, f"retry-{retried}")


class TableDirective(CatalogDirective):
    """``airflow:table``: rows that a callable returned, named in ``airflow_catalog["tables"]``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The rows; each cell is markup."""
        name = self.arguments[0]
        self.domain.note_use(f"table:{name}")
        found = next((each for each in self.site.catalog.tables if each.name == name), None)
        if found is None:
            known = ", ".join(each.name for each in self.site.catalog.tables) or "none"
            raise self.error(f"table {name!r} is not in the catalogue (known: {known})")
        rows = [[self.prose.blocks(cell, f"table {name}") for cell in row] for row in found.rows]
        return [table(found.header, rows)]
