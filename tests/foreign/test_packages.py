"""Five published packages come out whole, with no change to them."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from platform_ops.registry import Catalog
from tests.foreign.packages import PACKAGES, scan

pytestmark = pytest.mark.filterwarnings("ignore")  # of packages that are imported


@pytest.mark.parametrize("package", PACKAGES)
def test_every_class_of_a_kind_is_there(package: str, catalog: Catalog) -> None:
    scanned = {f"{each.module}.{each.name}" for each in scan(package)}
    assert scanned, f"the scan finds nothing in {package}"
    assert scanned - {each.name for each in catalog.classes} == set()


def test_what_the_scan_calls_by_a_kind_has_that_kind(catalog: Catalog) -> None:
    told = {each.name: each.kind for each in catalog.classes}
    wrong = {
        f"{each.module}.{each.name}": (each.kind, told[f"{each.module}.{each.name}"])
        for package in PACKAGES
        for each in scan(package)
        if (each.kind.lower(), told[f"{each.module}.{each.name}"])
        not in {(kind, kind) for kind in ("operator", "sensor", "hook", "trigger", "notifier")}
        | {("operator", "transfer")}
    }
    assert wrong == {}


def own_arguments(cls: type) -> set[str]:
    """What the constructor takes by name."""
    taken = list(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]  # read only
    return {each.name for each in taken if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)}


def test_parameters_are_those_of_the_signature(catalog: Catalog) -> None:
    known = {each.name: each for each in catalog.classes}
    compared = Counter[str]()
    for entry in catalog.classes:
        if entry.base or entry.static:
            continue
        module, _, name = entry.name.rpartition(".")
        cls = getattr(importlib.import_module(module), name)
        listed = {each.name: each for each in entry.parameters}
        for base in reversed(entry.inherits):
            listed = {**{each.name: each for each in known[base].parameters}, **listed}
        assert own_arguments(cls) <= listed.keys(), entry.name
        owners = {f"{each.__module__}.{each.__qualname__}": each for each in cls.__mro__}
        for found in listed.values():
            meant = inspect.signature(owners[found.declared_by].__init__).parameters[found.name]
            told = (found.required, found.keyword_only)
            assert told == (meant.default is meant.empty, meant.kind is meant.KEYWORD_ONLY), (
                entry.name,
                found.name,
            )
            compared[entry.package] += 1
    assert compared.keys() >= PACKAGES.keys() - {"great_expectations_provider"}
    assert compared.total() > 2000


def test_modules_that_cannot_be_imported_are_read_from_their_source(catalog: Catalog) -> None:
    unread = {each.where for each in catalog.problems if each.kind == "module"}
    static = {each.name.rpartition(".")[0] for each in catalog.classes if each.static}
    assert static <= unread
    assert "great_expectations_provider.operators.great_expectations" in static
    (found,) = [each for each in catalog.classes if each.short == "GreatExpectationsOperator"]
    assert len([each for each in found.parameters if each.description]) > 10


def test_the_site_builds_with_warnings_as_errors_and_has_each_class(
    catalog: Catalog, tmp_path: Path
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "catalog.json").write_text(catalog.to_json(), encoding="utf-8")
    (docs / "index.rst").write_text("Foreign\n=======\n\n.. toctree::\n\n   reference/index\n")
    (docs / "conf.py").write_text(
        'project = "foreign"\nextensions = ["platform_ops.sphinx_ext"]\nhtml_theme = "furo"\n'
        'airflow_catalog_file = "catalog.json"\n'
        'suppress_warnings = ["airflow"]  # faults of docstrings, which are their authors\'\n'
    )
    command = ["-m", "sphinx", "-q", "-W", "-n", "--keep-going", "-j", "2", "-b", "html"]
    ran = subprocess.run(
        [sys.executable, *command, "docs", "html"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    pages = {each.stem: each for each in (tmp_path / "html" / "reference").glob("*/*.html")}
    for entry in catalog.classes:
        assert entry.public in pages, entry.name
    pod = pages["airflow.providers.cncf.kubernetes.operators.pod.KubernetesPodOperator"]
    page = BeautifulSoup(pod.read_text(encoding="utf-8"), "html.parser")
    (listed,) = [each for each in catalog.classes if each.short == "KubernetesPodOperator"]
    for parameter in listed.parameters:
        assert page.find(id=f"param-{parameter.name}"), parameter.name
