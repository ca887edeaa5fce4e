"""This project's own catalogue: complete, and the same that Airflow is told."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from platform_ops import provider_info
from platform_ops.registry import Catalog, CatalogConfig, build, check

_DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """What this site's ``conf.py`` asks for."""
    return build(CatalogConfig.from_conf(_DOCS)).catalog


def test_nothing_is_undocumented(catalog: Catalog) -> None:
    assert [(each.rule.id, str(each.place), each.message) for each in check(catalog)] == []


def test_every_class_lies_in_a_module_that_the_provider_names(catalog: Catalog) -> None:
    info = provider_info.get_provider_info()
    named = {
        module
        for kind in ("operators", "sensors", "hooks", "triggers")
        for group in info.get(kind, ())
        for module in group["python-modules"]
    }
    named |= {each.rpartition(".")[0] for each in info["extra-links"]}
    named |= {each.rpartition(".")[0] for each in info["notifications"]}
    plugins = entry_points(group="airflow.plugins")
    named |= {each.module for each in plugins if each.module.startswith("platform_ops.")}
    own = {each.name.rpartition(".")[0] for each in catalog.classes if not each.base}
    to_derive_from = {"platform_ops.ingest.operator", "platform_ops.sources.web.deferring"}
    assert own - to_derive_from == named


def test_every_connection_type_has_a_form_and_a_hook(catalog: Catalog) -> None:
    hooks = {each.name for each in catalog.classes if each.kind == "hook"}
    assert catalog.connections
    for connection in catalog.connections:
        assert connection.hook in hooks
        assert connection.fields


def test_every_example_is_parsed(catalog: Catalog) -> None:
    files = {path.name for path in (_DOCS / "examples").glob("*.py")}
    assert {each.source.file for each in catalog.dags} == files
