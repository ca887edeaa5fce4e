"""What a build writes for programs: Markdown, lists of pages, the catalogue, a site map, cards."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from html import escape
from pathlib import Path
from urllib.parse import urldefrag

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from docutils.core import publish_doctree
from PIL import Image

from platform_ops.registry import Catalog
from platform_ops.sphinx_ext.outputs.markdown import to_markdown
from tests.roots import Root, copied
from tests.sphinx_ext.conftest import SHELF_URL

_BASE = SHELF_URL
_OPERATOR = "reference/operators/shelf.LendOperator"


@pytest.fixture
def site(shelf_site: Root) -> Root:
    """A site that knows its address, written by two processes."""
    return shelf_site


def read(site: Root, name: str) -> str:
    return (site.html / name).read_text("utf-8")


def test_a_page_as_markdown_says_what_the_page_says(site: Root) -> None:
    text = read(site, f"{_OPERATOR}.md")

    assert text.startswith("# LendOperator\n\nLend a book, and write down to whom.")
    assert "```python\nfrom shelf import LendOperator\n```" in text
    assert "\n## Parameters\n\n| Parameter | Meaning |\n| --- | --- |\n| `title` (required)" in text
    assert "`'new' \\| 'worn' \\| None` = `None`<br>How it left. |" in text
    assert "The ledger is *never* shortened" in text
    assert "[The shelf’s rules](https://example.com/rules)" in text


def test_every_page_leads_to_its_markdown_and_every_link_in_it_to_a_file(site: Root) -> None:
    pages = [path for path in site.html.rglob("*.html") if "_static" not in path.parts]
    written = {path for path in pages if "LendOperator" in path.name or path.stem == "guide"}
    assert written
    for page in written:
        alternate = BeautifulSoup(page.read_text("utf-8"), "html.parser").find(
            "link", type="text/markdown"
        )
        assert alternate is not None
        text = (page.parent / str(alternate["href"])).read_text("utf-8")
        for target in _local_links(text):
            assert (page.parent / target).is_file(), f"{page}: {target}"


def _local_links(markdown: str) -> list[str]:
    found = [part.split(")")[0] for part in markdown.split("](")[1:]]
    return [each for each in found if "://" not in each]


def test_llms_txt_lists_every_page_once_with_a_sentence(site: Root) -> None:
    text = read(site, "llms.txt")
    lines = [line for line in text.splitlines() if line.startswith("- [")]

    assert text.startswith("# shelf\n")
    assert f"- [LendOperator]({_BASE}{_OPERATOR}.md): Lend a book, and write down to whom." in lines
    documents = {path.relative_to(site.html).as_posix() for path in site.html.rglob("*.md")}
    listed = [line.split("](")[1].split(")")[0].removeprefix(_BASE) for line in lines]
    assert sorted([*listed, "index.md"]) == sorted(documents)
    assert "Lend a book, and write down to whom." in read(site, "llms-full.txt")


def test_the_catalogue_is_published_with_its_schema(site: Root) -> None:
    document = json.loads(read(site, "catalog.json"))

    jsonschema.validate(document, json.loads(read(site, "catalog.schema.json")))
    assert 'href="../catalog.json"' in read(site, "reference/index.html")
    names = {each.name for each in Catalog.from_json(json.dumps(document)).classes}
    assert "shelf.operators.LendOperator" in names


def test_each_object_and_page_has_its_address(site: Root) -> None:
    rows = {
        (title, kind): address for title, address, kind in json.loads(read(site, "objects.json"))
    }

    assert rows["LendOperator", "operator"] == f"{_OPERATOR}.html"
    assert rows["shelf.loans", "metric"] == "reference/metrics.html#metric-shelf.loans"
    assert rows["Guide", ""] == "guide.html"
    for address in rows.values():
        page, anchor = urldefrag(address)
        assert (site.html / page).is_file()
        assert not anchor or f'id="{escape(anchor)}"' in read(site, page)


def test_the_site_map_has_the_canonical_address_of_each_page(site: Root) -> None:
    places = [
        each.text or "" for each in ET.fromstring(read(site, "sitemap.xml")).iter() if each.text
    ]
    places = [each for each in places if each.strip()]

    assert f"{_BASE}{_OPERATOR}.html" in places
    for each in places:
        canonical = BeautifulSoup(read(site, each.removeprefix(_BASE)), "html.parser").find(
            "link", rel="canonical"
        )
        assert canonical is not None
        assert canonical["href"] == each


def tags(site: Root, page: str) -> dict[str, str]:
    """What a page says to those who show a link to it."""
    found = BeautifulSoup(site.page(page), "html.parser").select("meta[property^='og:']")
    return {str(each["property"]).removeprefix("og:"): str(each["content"]) for each in found}


def test_a_shared_link_shows_what_the_page_is_and_a_card_that_is_there(site: Root) -> None:
    told = tags(site, _OPERATOR)
    assert (told["title"], told["site_name"]) == ("LendOperator", "shelf")
    assert told["url"] == f"{_BASE}{_OPERATOR}.html"
    assert "Lend a book, and write down to whom." in told["description"]
    described = BeautifulSoup(site.page("index"), "html.parser").select("meta[name=description]")
    assert len(described) == 1
    for path in site.html.rglob("*.md"):
        page = path.relative_to(site.html).with_suffix("").as_posix()
        with Image.open(site.html / tags(site, page)["image"].removeprefix(_BASE)) as card:
            assert card.format == "PNG"
            assert card.width > 1000


def test_a_site_can_do_without_address_and_search_and_nothing_is_written_twice(
    tmp_path: Path,
) -> None:
    site = copied("shelf", tmp_path)
    site.build("-W", "-D", "airflow_search=0")
    files = [*site.html.rglob("*.md"), *site.html.rglob("*.json"), *site.html.glob("*.txt")]
    before = {path: path.stat().st_mtime_ns for path in files}

    site.build("-W", "-D", "airflow_search=0")

    assert {path: path.stat().st_mtime_ns for path in files} == before
    assert f"]({_OPERATOR}.md)" in read(site, "llms.txt")
    assert not (site.html / "sitemap.xml").exists()
    assert tags(site, _OPERATOR) == {}
    assert not (site.html / "pagefind").exists()
    assert "airflow-search.js" not in site.page("index")
    assert "data-pagefind" not in site.page(_OPERATOR)


def markdown(source: str) -> str:
    document = publish_doctree(source, settings_overrides={"doctitle_xform": False})
    return to_markdown(document, lambda uri: uri)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("A *b* **c** ``d`e``", "A *b* **c** ``d`e``\n"),
        ("1 < 2 \\* 3 \\_x_ a_b", "1 \\< 2 \\* 3 \\_x\\_ a_b\n"),
        ("* one\n* two\n\n  * three", "- one\n- two\n  - three\n"),
        ("3. c\n4. d", "3. c\n4. d\n"),
        ("- a\n\n  ::\n\n    x\n\n- b", "- a\n\n  ```\n  x\n  ```\n\n- b\n"),
        ("::\n\n  ```", "````\n```\n````\n"),
        ("   said\n\n.. note:: Mind.", "> said\n\n> **Note**\n>\n> Mind.\n"),
        ("term\n  what", "**term**\n\nwhat\n"),
        ("`here <https://example.com>`__", "[here](https://example.com)\n"),
        ("= =\na b\n= =\n1 ``x|y``\n= =", "| a | b |\n| --- | --- |\n| 1 | `x\\|y` |\n"),
        ("= =\na b\n= =", "|  |  |\n| --- | --- |\n| a | b |\n"),
        ("\\# no title", "\\# no title\n"),
        ("a\n\n----\n\nb", "a\n\n---\n\nb\n"),
        (":when: now", "- **when**: now\n"),
        ("| one\n| two", "one\\\ntwo\n"),
        (".. a comment\n\n.. image:: p.png\n   :alt: A picture", "![A picture](p.png)\n"),
    ],
)
def test_markdown_keeps_structure_and_escapes_what_would_be_markup(
    source: str, expected: str
) -> None:
    assert markdown(source) == expected


def test_a_drawing_is_told_by_its_label() -> None:
    document = nodes.document("", "")  # type: ignore[arg-type]  # needs no settings to be drawn
    document += nodes.raw("", '<svg aria-label="One after the other"></svg>', format="html")
    assert to_markdown(document, str) == "*One after the other*\n"
