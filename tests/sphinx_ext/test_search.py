"""What a build tells its search: what to read of a page, and what the page can be filtered by."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag

from tests.roots import Root, copied

_OPERATOR = "reference/operators/shelf.LendOperator"


@pytest.fixture
def site(shelf_site: Root) -> Root:
    return shelf_site


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
    assert {"ledger", "shortened", "librarian"} <= set(words["words"])
    assert "airflow-search.js" in site.page("index")


def test_after_an_edit_changed_pages_are_indexed_beside_the_others_and_after_many_all(
    tmp_path: Path,
) -> None:
    site = copied("shelf", tmp_path)
    site.build()
    index = site.html / "pagefind"
    words = index / "words.json"
    first, whole = words.stat().st_mtime_ns, _addresses(index)
    assert not (index / "later").exists()

    site.build()
    assert words.stat().st_mtime_ns == first

    guide = site.path / "docs" / "guide.md"
    before = guide.read_text("utf-8")
    guide.write_text(before + "\nA zeppelin passes.\n", "utf-8")
    site.build()
    # Sphinx writes the page that lists a changed one again as well.
    assert set(_addresses(index / "later").values()) == {"/guide.html", "/"}
    assert _addresses(index) == whole
    known = json.loads(words.read_text("utf-8"))
    assert "zeppelin" in known["words"]
    assert [whole[each] for each in known["replaced"]] == ["/guide.html"]  # the other is as before
    assert known["later"]

    guide.write_text(before, "utf-8")
    site.build()
    assert json.loads(words.read_text("utf-8"))["replaced"] == []  # both say the same of it

    guide.unlink()
    site.replace("docs/index.rst", "   guide\n", "")
    site.build()
    assert "/guide.html" not in {*_addresses(index / "later").values(), *_counted(index)}

    site.build("-D", "project=Other")  # in the title of every page
    assert not (index / "later").exists()


def _addresses(index: Path) -> dict[str, str]:
    """Fragment to the page that it tells of."""
    return {
        path.stem: json.loads(gzip.decompress(path.read_bytes()).removeprefix(b"pagefind_dcd"))[
            "url"
        ]
        for path in index.glob("fragment/*")
    }


def _counted(index: Path) -> set[str]:
    replaced = json.loads((index / "words.json").read_text("utf-8"))["replaced"]
    return {url for name, url in _addresses(index).items() if name not in replaced}
