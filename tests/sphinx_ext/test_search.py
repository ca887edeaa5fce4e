"""What a build tells its search: what to read of a page, and what the page can be filtered by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag

from tests.roots import Root, copied

_OPERATOR = "reference/operators/shelf.LendOperator"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Root:
    root = copied("shelf", tmp_path_factory.mktemp("site"))
    root.build("-W", "-j", "2")
    return root


def facets(site: Root, page: str) -> dict[str, str]:
    soup = BeautifulSoup(site.page(page), "html.parser")
    found = {}
    for meta in soup.find_all("meta", attrs={"data-pagefind-filter": True}):
        assert isinstance(meta, Tag)
        found[str(meta["data-pagefind-filter"]).removesuffix("[content]")] = str(meta["content"])
    return found


def test_a_page_says_what_it_can_be_filtered_by(site: Root) -> None:
    assert facets(site, _OPERATOR) == {"kind": "operator", "package": "shelf"}
    assert facets(site, "reference/sensors/shelf.operators.Patience") == {
        "kind": "sensor", "package": "shelf", "deferrable": "yes",
    }  # fmt: skip
    assert facets(site, "reference/dags/lending") == {"kind": "dag", "owner": "librarian"}
    assert facets(site, "guide") == {"kind": "page"}


def test_only_what_people_wrote_or_the_catalogue_says_is_read(site: Root) -> None:
    assert site.page(_OPERATOR).count("data-pagefind-body") == 1
    assert "data-pagefind-body" not in site.page("genindex")


def test_the_index_lies_within_the_site_with_the_words_that_it_knows(site: Root) -> None:
    entry = json.loads((site.html / "pagefind" / "pagefind-entry.json").read_text("utf-8"))
    documents = list(site.html.rglob("*.md"))

    assert entry["languages"]["en"]["page_count"] == len(documents)
    words = json.loads((site.html / "pagefind" / "words.json").read_text("utf-8"))
    assert {"ledger", "shortened", "librarian"} <= set(words)
    assert "airflow-search.js" in site.page("index")


def test_the_index_is_made_again_where_a_page_changed_and_only_there(tmp_path: Path) -> None:
    site = copied("shelf", tmp_path)
    site.build()
    words = site.html / "pagefind" / "words.json"
    first = words.stat().st_mtime_ns

    site.build()
    assert words.stat().st_mtime_ns == first

    guide = site.path / "docs" / "guide.md"
    guide.write_text(guide.read_text("utf-8") + "\nA zeppelin passes.\n", "utf-8")
    site.build()
    assert "zeppelin" in json.loads(words.read_text("utf-8"))


def test_a_site_can_do_without(tmp_path: Path) -> None:
    site = copied("shelf", tmp_path)
    site.build("-W", "-D", "airflow_search=0")

    assert not (site.html / "pagefind").exists()
    assert "airflow-search.js" not in site.page("index")
    assert "data-pagefind" not in site.page(_OPERATOR)
