"""Metrics, settings and errors: every row of their tables must say something."""

from __future__ import annotations

from collections.abc import Iterator

from platform_ops.findings import Finding, Place
from platform_ops.registry.completeness.rules import ERROR, METRIC, SETTING
from platform_ops.registry.models.catalog import Catalog

__all__ = ["check"]


def check(catalog: Catalog) -> Iterator[Finding]:
    """What the rows lack."""
    for metric in catalog.metrics:
        missing = [name for name in ("help", "unit") if not getattr(metric, name)]
        if missing:
            yield METRIC.at(f"metric {metric.name}", f"no {' and no '.join(missing)}")
    for setting in catalog.settings:
        if not setting.description:
            yield SETTING.at(f"setting {setting.name}", "no description")
    for error in catalog.errors:
        if not error.summary:
            place = Place(f"{error.module}.{error.name}", error.source.file, error.source.line)
            yield ERROR.at(place, "no docstring")
