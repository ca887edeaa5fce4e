"""Pages of sources, entities, assets and broken files, built from a catalogue made by hand."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup, Tag

from platform_ops.registry.models.catalog import Catalog
from platform_ops.registry.models.dags import Asset, BrokenDagFile, Dag, Task, TaskGroup
from platform_ops.registry.models.entities import Arrival, Column, DataSource, Entity
from platform_ops.registry.models.location import Source
from tests.roots import Root

_LOANS = Asset("loans", "platform://library/loans")
_SHOUT = Asset("s3://late/é", "")


def _dag(name: str, *, reads: tuple[Asset, ...] = (), writes: tuple[Asset, ...] = ()) -> Dag:
    late = name == "reminders"
    return Dag(
        dag_id=name,
        display_name=name,
        summary=f"Does {name}.",
        doc_md="",
        schedule="@daily",
        schedule_words="every day at 00:00 (UTC)",
        owners=("librarian",),
        tags=("books",),
        tasks=(
            Task("night.lend", "x.Lend", "Lend", ("tell",), (("tell", "if any"),), group="night"),
            Task("tell", "x.Tell", "Tell", mapped=True, unarchived="Use ``Archived``." * late),
        ),
        folder="dags",
        source=Source(f"{name}.py", 1),
        groups=(TaskGroup("night", "By night"),),
        next_runs=("2026-11-22T00:00+00:00",),
        due_days=("2026-11-18", "2026-11-19", "2026-11-20"),
        reads=reads,
        writes=writes,
    )


_CATALOG = Catalog(
    moment="2026-11-21T00:00:00+00:00",
    dags=(_dag("lending", writes=(_LOANS,)), _dag("reminders", reads=(_LOANS,), writes=(_SHOUT,))),
    broken_dags=(BrokenDagFile("deep/torn.py", "dags", 4, "RuntimeError: torn", "Traceback …"),),
    sources=(DataSource("library", "The town's library.", "librarian", "https://example.com"),),
    entities=(
        Entity(
            "library.loans",
            "library",
            "What was lent.",
            asset=_LOANS.uri,
            url_pattern="s3://b/{date}",
            url_example="s3://b/2026-11-20",
            reachable=True,
            last_arrived="2026-11-20T06:00:00+00:00",
            columns=(Column("title", "string"),),
            arrivals=(Arrival("2026-11-18", 1, 1500, 3), Arrival("2026-11-20", 2, 3000, 4)),
        ),
    ),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Root:
    root = Root(tmp_path_factory.mktemp("data"))
    docs = root.path / "docs"
    docs.mkdir()
    (docs / "catalog.json").write_text(_CATALOG.to_json())
    (docs / "conf.py").write_text(
        'extensions = ["platform_ops.sphinx_ext"]\nairflow_catalog_file = "catalog.json"\n'
        'html_theme = "furo"\nairflow_catalog = {"audit": "somewhere:told"}\n'
    )
    (docs / "index.rst").write_text(
        "Site\n====\n\n:airflow:entity:`library.loans` :airflow:source:`library` "
        ":airflow:asset:`s3://late/é`\n\n.. toctree::\n\n   reference/index\n"
    )
    root.build("-W", "--keep-going", "-n")
    return root


def article(site: Root, page: str) -> Tag:
    found = BeautifulSoup(site.page(page), "html.parser").find("article")
    assert isinstance(found, Tag)
    return found


def test_an_entity_shows_its_agreement_its_place_and_what_is_missing(site: Root) -> None:
    page = article(site, "reference/entities/library.loans")
    said = page.get_text(" ")
    assert "Last arrived" in said
    assert "1 of 3 days due are missing" in said
    titles = [each.get_text() for each in page.select("svg.airflow-chart title")]
    assert titles == [
        "2026-11-18: 1.5 kB, 3 rows, 1 capture",
        "2026-11-19: due, nothing is there",
        "2026-11-20: 3.0 kB, 4 rows, 2 captures",
    ]
    assert "s3://b/2026-11-20" in said
    links = {str(each["href"]) for each in page.select("svg.airflow-graph a")}
    assert {"../dags/lending.html", "../dags/reminders.html", "../sources/library.html"} < links


def test_a_dags_page_frames_groups_and_labels_edges(site: Root) -> None:
    page = article(site, "reference/dags/lending")
    assert [each.get_text() for each in page.select("svg .frame text")] == ["By night"]
    assert "if any" in [each.get_text() for each in page.select("svg text.note")]
    assert "2026-11-22 00:00 UTC" in page.get_text()
    data = page.select_one("#data table")
    assert data is not None
    assert "library.loans" in data.get_text()


def test_what_nobody_archives_is_told_on_one_page_and_beside_the_task(site: Root) -> None:
    page = article(site, "reference/unarchived")
    assert "1 of 4 tasks, in 1 of 2 DAGs." in page.get_text()
    (row,) = page.select("tbody tr")
    assert [" ".join(cell.get_text(" ").split()) for cell in row.select("td")] == [
        "reminders", "tell Tell", "Use Archived.",
    ]  # fmt: skip
    assert row.select_one("a[href='dags/reminders.html#dag-reminders']")
    assert "archives nothing" in article(site, "reference/dags/reminders").get_text()
    assert "archives nothing" not in article(site, "reference/dags/lending").get_text()


def test_roles_and_lineage_lead_to_each_page(site: Root) -> None:
    links = [str(each["href"]) for each in article(site, "index").select("p a.internal")]
    assert links[0] == "reference/entities/library.loans.html#entity-library.loans"
    assert links[1] == "reference/sources/library.html#source-library"
    assert links[2].startswith("reference/assets/s3-late-")
    assert (site.html / links[2].partition("#")[0]).is_file()
    drawn = article(site, "reference/lineage").select("svg.airflow-graph a")
    assert {str(each["href"]) for each in drawn} == {
        "dags/lending.html",
        "dags/reminders.html",
        "entities/library.loans.html",
        "sources/library.html",
        links[2].removeprefix("reference/").partition("#")[0],
    }


def test_a_file_that_cannot_be_read_says_why_and_the_list_names_it(site: Root) -> None:
    listed = article(site, "reference/dags").get_text(" ")
    assert "deep/torn.py" in listed
    (page,) = (site.html / "reference" / "dags").glob("file-*.html")
    said = " ".join(article(site, f"reference/dags/{page.stem}").get_text(" ").split())
    assert "RuntimeError: torn" in said
