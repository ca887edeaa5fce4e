"""The page of an operator, from a catalogue that a file holds: no package, no Airflow."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup, Tag

from platform_ops.registry import Catalog
from platform_ops.registry.models.dags import Asset, Dag, Task
from platform_ops.registry.models.entities import DataSource, Entity
from platform_ops.registry.models.location import Source
from tests.roots import Root, copied

_MAIN = "from platform_ops.cli import main; main()"
_STORE = "attic.operators.StoreOperator"


def dag(dag_id: str, outlet: str) -> Dag:
    """A DAG whose one task stores."""
    task = Task("store", _STORE, "StoreOperator", writes=(outlet,))
    return Dag(
        dag_id, dag_id, "Stores.", "", "@daily", "daily", ("me",), (), (task,), "dags",
        Source("a.py", 1), writes=(Asset(outlet, f"attic://{outlet}"),),
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """The attic's site, with two DAGs and one entity that only one of them writes."""
    root = copied("attic", tmp_path_factory.mktemp("page"))
    printed = root.run("-c", _MAIN, "docs", "catalog", "docs").stdout
    catalog = Catalog.from_json(printed)
    classes = tuple(
        replace(each, used_by=("keep", "other")) if each.name == _STORE else each
        for each in catalog.classes
    )
    url = "s3://b/data/v1/attic/things/dt=2026-11-20"
    things = Entity("attic.things", "attic", asset="attic://attic.things", url_example=url)
    catalog = replace(
        catalog,
        classes=classes,
        dags=(dag("keep", "attic.things"), dag("other", "elsewhere")),
        sources=(DataSource("attic"),),
        entities=(things,),
    )
    (root.path / "docs" / "catalog.json").write_text(catalog.to_json(), encoding="utf-8")
    conf = root.path / "docs" / "conf.py"
    conf.write_text(
        'project = "attic"\nextensions = ["platform_ops.sphinx_ext"]\nhtml_theme = "furo"\n'
        'airflow_catalog_file = "catalog.json"\n'
    )
    root.build("-W", "--keep-going", "-n")
    return root


def page(site: Root, name: str) -> Tag:
    """The article of a page."""
    found = BeautifulSoup(site.page(name), "html.parser").find("article")
    assert isinstance(found, Tag)
    return found


def text(tag: Tag | None) -> str:
    """What a reader reads."""
    assert tag is not None
    return " ".join(tag.get_text(" ").split())


def test_it_says_what_is_archived_where_and_which_asset_tells_of_it(site: Root) -> None:
    rows = page(site, f"reference/operators/{_STORE}").select("#what-it-archives tbody tr")
    assert [[text(cell) for cell in row.find_all("td")] for row in rows] == [
        [
            "attic.things by keep",
            "s3://b/data/v1/attic/things/dt=2026-11-20 asset attic://attic.things",
        ]
    ]


def test_badges_colours_buttons_and_relatives(site: Root) -> None:
    article = page(site, f"reference/operators/{_STORE}")
    badges = [text(each) for each in article.select(".airflow-badges .airflow-badge")]
    assert badges == ["operator", "archiving", "deferrable", "Attic"]
    looks = article.select_one("#in-airflow-s-ui")
    assert text(looks).endswith("Colour : StoreOperator #ffe0b2 Buttons : Box")
    swatch = article.select_one(".airflow-swatch")
    assert swatch is not None
    assert swatch["style"] == "background:#ffe0b2;color:#333333"
    relatives = {text(each) for each in article.select("#related dd a")}
    assert relatives == {"KeepOperator", "KeepLongOperator"}


def test_it_says_what_can_be_mapped(site: Root) -> None:
    note = page(site, f"reference/operators/{_STORE}").select_one(".airflow-mapping")
    assert text(note).startswith("Each may be mapped by .expand() ; those of every operator")


def test_a_page_from_source_alone_says_so_and_why(site: Root) -> None:
    article = page(site, "reference/operators/attic.torn.TornOperator")
    note = article.select_one(".admonition.note")
    assert "attic.torn cannot be imported here" in text(note)
    assert "No module named 'a_library_that_nobody_has'" in text(note)
    assert "parts" in text(article.select_one("#parameters"))


@pytest.mark.filterwarnings("ignore")  # of Airflow
def test_the_pasted_connection_is_the_one_that_airflow_reads(
    site: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = [each.get_text() for each in page(site, "reference/connections").select("pre")]
    lines = [each.removeprefix("export ").strip() for each in blocks]
    pairs = [line.split("=", 1) for line in lines]
    assert {name for name, _ in pairs} == {"AIRFLOW_CONN_ATTIC_DEFAULT"}
    from airflow.sdk import Connection

    found = []
    for _, value in pairs:
        text = ast.literal_eval(f"''{value}''" if "\n" in value else value)
        read = (
            Connection.from_json(text, conn_id="a")
            if text.startswith("{")
            else Connection.from_uri(text, conn_id="a")
        )
        found.append((read.conn_type, read.host, read.login, read.password, read.port))
    assert found == [("attic", "house.example.com", "LOGIN", "PASSWORD", 7)] * 2
