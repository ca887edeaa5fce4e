"""Published providers, against what Python and their own source say of them."""

from __future__ import annotations

import ast
import importlib
import inspect
from importlib.util import find_spec
from pathlib import Path

import pytest

from platform_ops.registry import Catalog, CatalogConfig, build
from platform_ops.registry.discover import folder_of, source_files

PACKAGES = [
    name
    for name in ("airflow.providers.http", "airflow.providers.standard", "airflow.providers.amazon")
    if find_spec("airflow.providers") and find_spec(name)
]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """All of them at once."""
    return build(CatalogConfig(packages=tuple(PACKAGES))).catalog


@pytest.mark.filterwarnings("ignore")  # of modules that warn when they are imported
def test_own_parameters_are_those_of_the_signature(catalog: Catalog) -> None:
    compared = 0
    for entry in catalog.classes:
        if entry.base:
            continue
        module, _, name = entry.name.rpartition(".")
        cls = getattr(importlib.import_module(module), name)
        if "__init__" not in vars(cls):
            continue
        signature = inspect.signature(vars(cls)["__init__"])
        expected = [
            (each.name, each.default is inspect.Parameter.empty)
            for each in list(signature.parameters.values())[1:]
            if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
        ]
        own = [
            (each.name, each.required)
            for each in entry.parameters
            if each.declared_by == entry.name
        ]
        assert own == expected, entry.name
        compared += len(own)
    assert compared > 100


@pytest.mark.parametrize("package", PACKAGES)
def test_every_class_that_its_source_calls_by_a_kind_is_there(
    package: str, catalog: Catalog
) -> None:
    """Names are no proof for the catalogue, but here they are an independent count."""
    missing = set(_named_like_a_kind(package)) - {each.name for each in catalog.classes}
    unread = {each.where for each in catalog.problems if each.kind == "module"}
    assert {name for name in missing if name.rpartition(".")[0] not in unread} == set()


def test_connection_forms_come_from_the_providers(catalog: Catalog) -> None:
    (http,) = [each for each in catalog.connections if each.conn_type == "http"]
    assert http.hook == "airflow.providers.http.hooks.http.HttpHook"
    assert [each.name for each in http.fields if each.standard] == [
        "host", "login", "password", "port", "schema", "extra",
    ]  # fmt: skip
    (fs,) = [each for each in catalog.connections if each.conn_type == "fs"]
    assert [(each.name, each.label) for each in fs.fields] == [("path", "Path")]


def test_the_http_operator_is_described_as_its_source_says(catalog: Catalog) -> None:
    (entry,) = [each for each in catalog.classes if each.short == "HttpOperator"]
    by_name = {each.name: each for each in entry.parameters}
    assert entry.deferrable
    assert (entry.hook, entry.conn_type) == ("airflow.providers.http.hooks.http.HttpHook", "http")
    assert by_name["headers"].renderer == "json"
    assert by_name["endpoint"].templated
    assert not by_name["method"].templated
    assert by_name["method"].default == "'POST'"
    assert by_name["log_response"].description == "Log the response (default: False)"


def _named_like_a_kind(package: str) -> list[str]:
    folder = folder_of(package)
    found = []
    for path in source_files(folder):
        module = ".".join((package, *path.relative_to(folder).with_suffix("").parts))
        if not any(part in module for part in (".operators.", ".sensors.", ".transfers.")):
            continue
        found += [
            f"{module}.{node.name}"
            for node in ast.parse(Path(path).read_bytes()).body
            if isinstance(node, ast.ClassDef)
            and node.name.endswith(("Operator", "Sensor"))
            and not node.name.startswith("_")
        ]
    return found
