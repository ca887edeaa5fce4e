"""What changed since a version that was published, and where its pages are now."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tests.roots import Root, copied


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """A site whose package has changed since it was built and published."""
    root = copied("shelf", tmp_path_factory.mktemp("site"))
    root.build("-D", "airflow_search=0")
    (root.html / "catalog.json").rename(root.path / "docs" / "previous.json")
    root.replace("package/shelf/operators.py", "class Patience(", "class Waiting(")
    root.replace("package/shelf/operators.py", 'reader: str = "anyone"', "reader: str")
    root.replace("package/shelf/__init__.py", '"LendOperator"', "")
    root.replace(
        "docs/conf.py", "airflow_methods", 'airflow_previous = ["previous.json"]\nairflow_methods'
    )
    (root.path / "docs" / "guide.md").write_text("# Guide\n\nNothing is left.\n", "utf-8")
    root.build("-D", "airflow_search=0")
    return root


def rows(site: Root) -> list[str]:
    page = BeautifulSoup(site.page("reference/changes"), "html.parser").find("article")
    assert page is not None
    return [" ".join(row.get_text(" ").split()) for row in page.find_all("tr")]


def test_the_page_tells_what_is_new_removed_and_changed_and_what_breaks(site: Root) -> None:
    found = rows(site)

    assert "Waiting sensor Wait until a book is back." in found
    assert "Patience sensor breaking Wait until a book is back." in found
    (lend,) = [row for row in found if row.startswith("LendOperator operator")]
    assert "Parameter reader default was 'anyone' , is required breaking" in lend


def test_the_page_is_in_the_navigation_and_links_to_what_is_there(site: Root) -> None:
    assert 'href="changes.html"' in site.page("reference/index")
    assert "operators/shelf.operators.LendOperator.html" in site.page("reference/changes")


def test_an_address_that_moved_leads_to_the_new_one(site: Root) -> None:
    old = site.page("reference/operators/shelf.LendOperator")

    assert 'content="0; url=shelf.operators.LendOperator.html"' in old
    assert (site.html / "reference/operators/shelf.operators.LendOperator.html").is_file()


def test_a_catalogue_that_is_not_there_ends_the_build(tmp_path: Path) -> None:
    site = copied("shelf", tmp_path)
    said = site.build("-D", "airflow_previous=nowhere.json", code=2)
    assert "airflow_previous: no file" in said
    assert "nowhere.json" in said
