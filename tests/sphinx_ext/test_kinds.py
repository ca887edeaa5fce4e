"""The site of a package that brings one of everything: each has its place, its role and its entry."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag

from tests.roots import Root, copied

_GUIDE = """
Guide
=====

:airflow:`nothing` is missing: :airflow:decorator:`task.tidy`, :airflow:macro:`macros.attic.age`,
:airflow:listener:`on_starting`, :airflow:policy:`task_policy`, :airflow:option:`attic.dust`,
:airflow:option:`AIRFLOW__ATTIC__KEY`, :airflow:rule:`ATT1`, :airflow:provider:`attic`,
:airflow:operator:`CarryUp`, :airflow:transfer:`CarryUp`, :airflow:secrets-backend:`Chest`,
:airflow:extra-link:`BoxLink`, :airflow:timetable:`RainyDays`, :airflow:log-handler:`AtticLog`,
:airflow:plugin:`AtticPlugin`, :airflow:connection:`attic`.
""".replace(":airflow:`nothing`", "Nothing")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """The site, built once, warnings being errors."""
    root = copied("attic", tmp_path_factory.mktemp("site"))
    (root.path / "docs" / "guide.rst").write_text(_GUIDE)
    root.replace("docs/index.rst", "   reference/index", "   reference/index\n   guide")
    root.build("-W", "--keep-going", "-n")
    return root


def article(site: Root, page: str) -> Tag:
    """The article of a page."""
    found = BeautifulSoup(site.page(page), "html.parser").find("article")
    assert isinstance(found, Tag)
    return found


def text(tag: Tag | None) -> str:
    """What a reader reads."""
    assert tag is not None
    return " ".join(tag.get_text(" ").split())


def test_every_kind_that_is_there_has_a_page_and_no_other(site: Root) -> None:
    pages = {each.stem for each in (site.html / "reference").glob("*.html")}
    assert pages == {
        "index", "operators", "sensors", "transfers", "hooks", "secrets-backends", "extra-links",
        "timetables", "log-handlers", "plugins", "decorators", "macros", "listeners", "policies",
        "connections", "options", "rules", "providers",
    }  # fmt: skip


def test_every_role_leads_to_a_place_that_is_there(site: Root) -> None:
    links = [str(each["href"]) for each in article(site, "guide").select("p a.internal")]
    assert len(links) == 16
    for link in links:
        page, _, anchor = link.partition("#")
        shown = article(site, page.removesuffix(".html"))
        assert shown.find(id=anchor or Path(page).stem), link  # the top of a page of its own
    assert links[8] == links[9]  # whoever says operator finds a transfer too


def test_the_inventory_names_them(site: Root) -> None:
    body = (site.html / "objects.inv").read_bytes().split(b"zlib.\n", 1)[1]
    entries = {tuple(line.split(" ")[:2]) for line in zlib.decompress(body).decode().splitlines()}
    assert {
        ("task.tidy", "airflow:decorator"),
        ("attic.decorators.tidy_task", "py:function"),
        ("macros.attic.age", "airflow:macro"),
        ("attic.plugin.on_starting", "airflow:listener"),
        ("attic.policies.task_policy", "airflow:policy"),
        ("attic.dust", "airflow:option"),
        ("ATT1", "airflow:rule"),
        ("attic", "airflow:provider"),
        ("attic", "airflow:connection"),
        ("attic.others.Chest", "airflow:secrets-backend"),
        ("attic.others.Chest", "py:class"),
    } <= entries


def test_the_page_of_a_package_names_all_that_it_brings(site: Root) -> None:
    page = article(site, "reference/providers/attic")
    assert text(page.select_one(".airflow-facts")) == (
        "Import name : attic Version : 2.1 Python : >=3.11 Systems : Attic"
    )
    assert text(page.select_one(".airflow-import")) == "pip install attic"
    names = {text(each) for each in page.select(".airflow-names li")}
    assert {
        "StoreOperator",
        "CarryUp",
        "AtticHook",
        "task.tidy",
        "on_starting",
        "attic.dust",
    } <= names
    assert "attic:// assets" in text(page.select_one("#uris"))
    assert "with [ladder] ladders>=1" in text(page.select_one("#requirements"))


def test_lists_are_grouped_and_marked_without_javascript(site: Root) -> None:
    page = article(site, "reference/operators")
    assert [text(each).rstrip("¶ ") for each in page.select("h2")] == ["Attic", "Others"]
    lines = [text(each) for each in page.select("ul.airflow-index > li")]
    assert "StoreOperator archiving deferrable Put a thing into a box." in lines
    assert "KeepOperator archiving deferrable deprecated Keep a thing." in lines
    assert page.select_one("a[href='operators/attic.operators.StoreOperator.html']")


def test_rows_say_what_a_decorator_takes_and_an_option_means(site: Root) -> None:
    decorator = article(site, "reference/decorators").find(id="decorator-task.tidy")
    assert isinstance(decorator, Tag)
    assert text(decorator) == (
        "@task.tidy attic Tidy up by a function. Makes a task of StoreOperator . "
        "python_callable = None What decides. shelf: str = 'left' Where to begin. "
        "attic/decorators.py, line 11"
    )
    dust = article(site, "reference/options").find(id="option-attic.dust")
    assert isinstance(dust, Tag)
    assert text(dust) == (
        "dust since 2.0 integer = 1 How much is borne. For instance 5 AIRFLOW__ATTIC__DUST"
    )
    rule = article(site, "reference/rules").find(id="rule-ATT1")
    assert isinstance(rule, Tag)
    assert text(rule) == "ATT1 error Box without a label Nobody finds anything."


def test_a_rule_with_examples_has_a_page_that_marks_what_differs(site: Root) -> None:
    row = article(site, "reference/rules").select_one("a[href='rules/ATT2.html#rule-ATT2']")
    assert text(row) == "ATT2"
    page = article(site, "reference/rules/ATT2")
    assert text(page.select_one("h1")).startswith("ATT2: Box that is too high")
    told = text(page)
    assert "It does not fit below the roof . Counts as : warning To mend it : Cut it." in told
    bad, good, options = page.select("section section pre")
    assert text(options) == "[attic] roof_cm = 240"
    assert text(bad.select_one(".hll")) == "height_cm = 300 ,"
    assert text(good.select_one(".hll")) == "height_cm = 80 ,"
