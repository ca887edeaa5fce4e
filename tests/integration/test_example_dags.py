"""Airflow's own example DAGs: a page for every one of them, counted against a scan of the sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.roots import Root

_CONF = """
project = "examples"
extensions = ["platform_ops.sphinx_ext"]
html_theme = "furo"
airflow_catalog = {{
    "dags": [{folder!r}],
    "environment": {{"AIRFLOW__CORE__LOAD_EXAMPLES": "True"}},  # registers the examples' plugins
}}
"""
_NEEDS = {
    "example_kubernetes_executor": "kubernetes",
    "example_local_kubernetes_executor": "kubernetes",
}
"""DAGs that their own file leaves out where a package is missing, without an error."""


def examples() -> Path:
    spec = find_spec("airflow")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "example_dags"


def declared(file: Path) -> Iterator[str]:
    """Ids that a file writes down: ``DAG("id")``, ``DAG(dag_id="id")`` and ``@dag`` functions."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "DAG":
            named = [each.value for each in node.keywords if each.arg == "dag_id"]
            for value in [*named, *node.args][:1]:
                if isinstance(value, ast.Constant):
                    yield str(value.value)
        if isinstance(node, ast.FunctionDef):
            for mark in node.decorator_list:
                call = mark if isinstance(mark, ast.Call) else None
                if getattr(call.func if call else mark, "id", "") == "dag":
                    keywords = call.keywords if call else []
                    named = [each.value for each in keywords if each.arg == "dag_id"]
                    ids = [each.value for each in named if isinstance(each, ast.Constant)]
                    yield str(ids[0]) if ids else node.name


def wanted() -> set[str]:
    files = sorted(examples().rglob("*.py"))
    found = {dag for file in files for dag in declared(file)}
    return {dag for dag in found if dag not in _NEEDS or find_spec(_NEEDS[dag])}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """The site of the examples alone; a warning of ours would end it."""
    root = Root(tmp_path_factory.mktemp("examples"))
    (root.path / "docs").mkdir()
    (root.path / "docs" / "conf.py").write_text(_CONF.format(folder=str(examples())))
    index = "Examples\n========\n\n.. toctree::\n\n   reference/index\n"
    (root.path / "docs" / "index.rst").write_text(index)
    root.build("-W", "--keep-going", "-n", "-j", "2")
    return root


def test_every_example_has_its_page(site: Root) -> None:
    pages = {each.stem for each in (site.html / "reference" / "dags").glob("*.html")}
    assert len(wanted()) > 60
    assert wanted() - pages == set()


def test_groups_mapped_tasks_labels_and_teardowns_are_drawn(site: Root) -> None:
    grouped = site.page("reference/dags/example_task_group")
    assert grouped.count('<g class="frame">') == 3
    assert ">inner_section_2</text>" in grouped
    assert '<g class="teardown">' in site.page("reference/dags/example_setup_teardown")
    assert "(mapped)</text>" in site.page("reference/dags/example_task_group_mapping")
    assert ">No errors</text>" in site.page("reference/dags/example_branch_labels")


def test_lineage_links_every_asset_with_the_dags_around_it(site: Root) -> None:
    lineage = site.page("reference/lineage")
    assert 'href="dags/asset_produces_1.html"' in lineage
    assert 'class="asset"' in lineage
    assert "page:" not in lineage
