"""Examples: run, and run since they last changed."""

from __future__ import annotations

from collections.abc import Iterator

from platform_ops.findings import Finding, Place
from platform_ops.registry.completeness.rules import LEFT_OVER, NEVER_RUN, OUTDATED
from platform_ops.registry.config import CatalogConfig
from platform_ops.registry.examples import examples, leftovers, output_path, recorded
from platform_ops.registry.models.catalog import Catalog

__all__ = ["check", "subjects"]


def check(catalog: Catalog, config: CatalogConfig) -> Iterator[Finding]:
    """Examples whose output is missing or stale, and outputs whose example is."""
    known = tuple(examples(catalog, config))
    for each in known:
        last = recorded(each.path)
        place = Place(f"example {each.name}", each.name)
        if last is None:
            yield NEVER_RUN.at(place, "no output is kept for it")
        elif last.digest != each.digest:
            yield OUTDATED.at(place, f"{output_path(each.path).name} was made by other code")
    for name, _ in leftovers(config, known):
        yield LEFT_OVER.at(Place(f"example {name}", name), "no example has that name")


def subjects(catalog: Catalog, config: CatalogConfig) -> Iterator[tuple[str, str]]:
    """Every example, by the name that findings give it."""
    for each in examples(catalog, config):
        yield f"example {each.name}", "examples"
