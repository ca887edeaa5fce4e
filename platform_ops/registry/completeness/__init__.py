"""What the catalogue lacks, as findings: the promise that nothing goes undocumented, checked."""

from __future__ import annotations

from collections.abc import Iterator

from platform_ops.findings import Report
from platform_ops.registry.completeness import classes, dags, emitted, shown, tables
from platform_ops.registry.completeness.places import located
from platform_ops.registry.completeness.rules import FROM_FILES, RULES, UNREADABLE
from platform_ops.registry.config import CatalogConfig
from platform_ops.registry.models.catalog import Catalog

__all__ = ["RULES", "check"]


def check(catalog: Catalog, config: CatalogConfig | None = None) -> Report:
    """Hold a catalogue against every rule.

    :param config: What it was made of, where that is at hand: source files are then read for metrics,
        and examples for the output of their last run.
    :return: Findings on the walked packages and DAGs alone; bases elsewhere are their authors'.
    """
    found = [UNREADABLE.at(f"{each.kind} {each.where}", each.message) for each in catalog.problems]
    exemplified = bool(catalog.dags or (config and config.dags))
    found += classes.check(catalog, exemplified=exemplified)
    found += tables.check(catalog)
    found += dags.check(catalog)
    subjects = dict(_subjects(catalog))
    if config is None:
        checked = [rule for rule in RULES if rule not in FROM_FILES]
        return Report.of(found, checked=checked, subjects=subjects)
    found += emitted.check(catalog, config)
    found += shown.check(catalog, config)
    subjects.update(shown.subjects(catalog, config))
    return Report.of(found, checked=RULES, subjects=subjects).placed(located(config.root))


def _subjects(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Every object by the name that findings give it, with the package that it counts for."""
    for entry in catalog.classes:
        if not entry.base:
            yield entry.public, entry.package
    for connection in catalog.connections:
        yield f"connection {connection.conn_type}", connection.package
    for metric in catalog.metrics:
        yield f"metric {metric.name}", metric.package
    for setting in catalog.settings:
        yield f"setting {setting.name}", "settings"
    for error in catalog.errors:
        yield f"{error.module}.{error.name}", error.module.partition(".")[0]
    for dag in catalog.dags:
        yield f"DAG {dag.dag_id}", f"DAGs in {dag.folder}"
    for problem in catalog.problems:
        names = [each.name for each in catalog.packages if problem.where.startswith(each.name)]
        yield f"{problem.kind} {problem.where}", names[0] if names else f"{problem.kind}s"
