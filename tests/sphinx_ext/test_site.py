"""The site of a package that platform_ops never saw, as it is built."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag
from bs4.element import PageElement

from platform_ops.sphinx_ext.faults import read
from tests.roots import Root, copied

_OPERATOR = "reference/operators/shelf.LendOperator"


@pytest.fixture
def site(shelf_site: Root) -> Root:
    """The site, built once, warnings being errors."""
    return shelf_site


def soup(site: Root, page: str) -> Tag:
    """The article of a page."""
    article = BeautifulSoup(site.page(page), "html.parser").find("article")
    assert isinstance(article, Tag)
    return article


def text(tag: PageElement | None) -> str:
    """What a reader reads."""
    assert isinstance(tag, Tag)
    return " ".join(tag.get_text(" ").split())


def rows(section: Tag | None) -> list[list[str]]:
    """A table's cells."""
    assert section is not None
    return [[text(cell) for cell in row.find_all("td")] for row in section.select("tbody tr")]


def test_an_operators_page_says_what_it_is_and_how_to_import_it(site: Root) -> None:
    page = soup(site, _OPERATOR)
    assert text(page.h1).startswith("LendOperator")
    assert text(page.select_one(".airflow-summary")).startswith("Lend a book, and write down")
    assert text(page.select_one(".airflow-import")) == "from shelf import LendOperator"
    assert {text(each) for each in page.select(".airflow-badges .airflow-badge")} == {
        "operator", "since 1.4", "templates from .title files",
    }  # fmt: skip
    (hook,) = page.select("p a[href$='shelf.hooks.ShelfHook']")[:1]
    assert text(hook) == "shelf.hooks.ShelfHook"


def test_landmarks_have_names_and_the_page_of_the_search_a_heading(site: Root) -> None:
    page = BeautifulSoup(site.page(_OPERATOR), "html.parser")
    assert [each.get("aria-label") for each in page.find_all("aside")] == ["Site", "On this page"]
    assert text(soup(site, "search").h1) == "Search"


def test_its_parameters_are_grouped_typed_and_marked(site: Root) -> None:
    page = soup(site, _OPERATOR)
    own, shelf = page.select("#parameters table")
    assert rows(own.parent) == [
        ["title required templated · bash", "str The book."],
        ["reader", "str = 'anyone' Who takes it, in full."],
        ["condition", "'new' | 'worn' | None = None How it left."],
    ]
    assert rows(shelf.parent) == [
        ["shelf_conn_id", "str = 'shelf_default' Connection of the shelf."]
    ]
    inherited = text(page.select_one("details .airflow-names")).split(", ")
    assert {"task_id", "retries", "owner"} < set(inherited)
    assert text(page.select_one("details summary")) == f"{len(inherited)} more from BaseOperator"
    assert page.select_one("details a[href$='airflow.sdk.BaseOperator.html']")
    assert page.select_one("tr#param-reader a[href='#param-reader']")


def test_it_shows_metrics_errors_examples_and_source(site: Root) -> None:
    page = soup(site, _OPERATOR)
    assert rows(page.select_one("#metrics")) == [
        ["shelf.loans", "counter, books Books lent.", "branch"]
    ]
    assert rows(page.select_one("#errors")) == [["ShelfClosed", "It is night.", "yes"]]
    example = page.select_one("#example pre")
    assert text(example).startswith('""" Books go out. """'.replace(" ", "")[:3])
    assert "A licence that no reader wants" not in text(example)
    assert rows(page.select_one("#used-by")) == [
        ["lending", "at 04:30 (UTC)", "Lends a book every night."]
    ]
    assert page.select_one("a[href='https://example.com/shelf/operators.py#L23']")
    assert page.select_one("a[href='https://example.com/rules']")


def test_methods_show_how_they_are_called_and_what_is_said_of_them(site: Root) -> None:
    page = soup(site, _OPERATOR)
    assert text(page.select_one("#methods dt")).startswith("execute ( context: Any ) → str")
    assert text(page.select_one("#methods dd")) == "Lend it."
    hook = soup(site, "reference/hooks/shelf.hooks.ShelfHook")
    assert text(hook.find(id="shelf.hooks.ShelfHook.take")) == "take ( title: str ) → bytes ¶"
    assert text(hook.select_one("#methods dd")) == (
        "Take one book down. Parameters : title – Its title. Raises : ShelfClosed – It is night."
    )


def test_a_dags_page_shows_when_who_what_and_a_graph(site: Root) -> None:
    page = soup(site, "reference/dags/lending")
    assert (
        text(page.select_one(".airflow-facts"))
        == "Runs : at 04:30 (UTC) 30 4 * * * Owner : librarian"
    )
    assert rows(page.select_one("#tasks")) == [
        ["lend mapped", "LendOperator", ""],
        ["tell", "@task", "Count what went out."],
    ]
    titles = [text(each) for each in page.select("svg text:not(.note)")]
    assert titles == ["lend", "tell"]
    assert page.select_one("svg a[href='#task-lend']")
    assert page.select_one("tr#task-lend a[href$='/shelf.LendOperator.html']")
    assert "shelf import LendOperator" in text(page.select_one("#source pre"))


def test_markdown_of_a_dag_is_rendered_and_its_html_is_not_obeyed(site: Root) -> None:
    about = soup(site, "reference/dags/lending").select_one("#about .airflow-markdown")
    assert about is not None
    assert text(about.h3) == "Why"
    assert text(about.em) == "like"
    assert about.script is None
    assert "<script>alert(1)</script>" in text(about)


def test_tables_have_an_anchor_for_each_row(site: Root) -> None:
    assert soup(site, "reference/metrics").find(id="metric-shelf.loans")
    settings = soup(site, "reference/settings")
    assert [text(each).rstrip("¶ ") for each in settings.select("h2")] == [
        "Top level",
        "[branches.<branch>]",
    ]
    assert rows(settings)[2] == ["open_hours", "int hours = 8 How long a day it is open."]
    errors = soup(site, "reference/errors")
    assert rows(errors) == [
        ["ShelfError", "Something at the shelf failed.", "no"],
        ["ShelfClosed", "It is night; come back.", "yes"],
    ]
    assert errors.find(id="error-ShelfClosed")


def test_roles_find_things_by_any_of_their_names_in_markdown_too(site: Root) -> None:
    guide = soup(site, "guide")
    targets = [each["href"] for each in guide.select("p a.reference.internal")]
    operator = f"{_OPERATOR}.html"  # the page is all about it
    sensor = "reference/sensors/shelf.operators.Patience.html"
    assert targets == [
        operator, operator, sensor, sensor,
        "reference/errors.html#error-ShelfClosed",
        "reference/metrics.html#metric-shelf.loans",
        "reference/settings.html#setting-mood",
        "reference/dags/lending.html#dag-lending",
        f"{operator}#shelf.LendOperator",  # by the Python domain
    ]  # fmt: skip
    assert rows(guide) == [["Monday", "08:00"], ["Sunday", "never"]]
    assert [text(each) for each in guide.select("svg text")] == ["First", "begin", "Second"]


def test_other_sites_find_everything_in_the_inventory(site: Root) -> None:
    raw = (site.html / "objects.inv").read_bytes()
    body = raw.split(b"zlib.\n", 1)[1]
    entries = {tuple(line.split(" ")[:2]) for line in zlib.decompress(body).decode().splitlines()}
    assert {
        ("shelf.LendOperator", "airflow:operator"),
        ("shelf.LendOperator", "py:class"),
        ("shelf.operators.LendOperator", "py:class"),
        ("shelf.operators.Patience", "airflow:sensor"),
        ("shelf.hooks.ShelfHook", "airflow:hook"),
        ("shelf.errors.ShelfClosed", "py:exception"),
        ("ShelfClosed", "airflow:error"),
        ("shelf.loans", "airflow:metric"),
        ("branches.<branch>.street", "airflow:setting"),
        ("lending", "airflow:dag"),
    } <= entries


def test_no_page_lies_in_the_source_tree(site: Root) -> None:
    assert {each.name for each in (site.path / "docs").iterdir()} == {
        "conf.py",
        "guide.md",
        "index.rst",
    }


_WATCHED = """
import sys
from sphinx.cmd.build import main
code = main(["-q", "-b", "html", "docs", "html"])
print("airflow imported:", "airflow" in sys.modules)
sys.exit(code)
"""


def stamps(site: Root) -> dict[str, int]:
    """When each page was written."""
    return {
        path.relative_to(site.html).as_posix(): path.stat().st_mtime_ns
        for path in site.html.rglob("*.html")
        if path.name not in ("genindex.html", "search.html")  # Sphinx writes these every time
    }


def test_a_warm_build_imports_no_airflow_and_a_change_rewrites_what_shows_it(
    tmp_path: Path,
) -> None:
    site = copied("shelf", tmp_path)
    site.build("-j", "2")
    before = stamps(site)

    assert "airflow imported: False" in site.run("-c", _WATCHED).stdout
    assert stamps(site) == before

    site.replace("package/shelf/tables.py", "Books lent.", "Books that left.")
    site.run("-c", _WATCHED)
    changed = {page for page, stamp in stamps(site).items() if before.get(page) != stamp}
    assert "Books that left." in site.page("reference/metrics")
    assert "Books that left." in site.page(_OPERATOR)
    assert "reference/dags/lending.html" not in changed
    assert "reference/errors.html" not in changed

    site.replace("dags/lending.py", "every night", "every morning")
    site.run("-c", _WATCHED)
    assert "every morning" in site.page("reference/dags")
    assert "every morning" in site.page("reference/dags/lending")


_OPERATORS = "package/shelf/operators.py"
_LENDING = "shelf.operators.LendOperator"
_NOWHERE = "which is not to be found"
_FAULTS = [
    ("markup", _LENDING, "Inline emphasis start-string without end-string."),
    ("markup", _LENDING, "Inline literal start-string without end-string."),
    ("reference", _LENDING, f"refers to class 'shelf.NoSuchHook', {_NOWHERE}"),
    ("reference", f"{_LENDING}, parameter reader", f"refers to class 'int', {_NOWHERE}"),
]


def test_faults_in_docstrings_are_kept_for_the_check_and_the_pages_stand(tmp_path: Path) -> None:
    site = copied("shelf", tmp_path)
    site.replace(_OPERATORS, "is *never* shortened", "is *never shortened ``")
    site.replace(_OPERATORS, "shelf.hooks.ShelfHook`.", "shelf.NoSuchHook`.")
    site.replace(_OPERATORS, "Who takes it", ":external+py:py:class:`int` takes it")

    assert "WARNING" not in site.build("-j", "2")
    noted = read(site.html / ".doctrees")
    without_line = [(each.kind, each.where, each.message.rpartition(") ")[2]) for each in noted]
    assert without_line == _FAULTS
    assert "Lend a book" in site.page(_OPERATOR)

    site.replace("package/shelf/hooks.py", "Talks to one shelf.", "Speaks to one shelf.")
    site.build()  # writes another page alone
    assert read(site.html / ".doctrees") == noted
    site.replace(_OPERATORS, "is *never shortened ``", "is never shortened")
    site.replace(_OPERATORS, "shelf.NoSuchHook`.", "shelf.hooks.ShelfHook`.")
    site.replace(_OPERATORS, ":external+py:py:class:`int` takes it", "Who takes it")
    site.build()
    assert read(site.html / ".doctrees") == ()


def test_a_site_may_be_warned_of_its_own_docstrings(tmp_path: Path) -> None:
    site = copied("shelf", tmp_path)
    site.replace(_OPERATORS, "is *never* shortened", "is *never shortened ``")
    site.replace(_OPERATORS, "shelf.hooks.ShelfHook`.", "shelf.NoSuchHook`.")
    said = site.build("-D", "airflow_faults=warn")
    assert "docstring of shelf.operators.LendOperator: " in said
    assert "[airflow.markup]" in said
    assert (
        "refers to class 'shelf.NoSuchHook', which is not to be found [airflow.reference]" in said
    )


def test_an_output_folder_inside_the_source_tree_is_not_read_as_source(tmp_path: Path) -> None:
    site = copied("shelf", tmp_path)
    for _ in range(2):
        options = ("-q", "-W", "-D", "airflow_search=0")
        site.run("-m", "sphinx", *options, "-b", "html", "docs", "docs/out")
    assert (site.path / "docs" / "out" / f"{_OPERATOR}.html").is_file()
    assert not list((site.path / "docs" / "out").glob("out/**/*.html"))


def test_without_a_catalogue_the_extension_is_quiet(tmp_path: Path) -> None:
    site = copied("shelf", tmp_path)
    conf = site.path / "docs" / "conf.py"
    conf.write_text('project = "x"\nextensions = ["platform_ops.sphinx_ext"]\n')
    (site.path / "docs" / "guide.md").unlink()
    (site.path / "docs" / "index.rst").write_text("Nothing\n=======\n\nYet.\n")
    assert "build succeeded" in site.build("-W", "-n")


def test_a_wrong_setting_ends_the_build_with_what_is_right(tmp_path: Path) -> None:
    site = copied("shelf", tmp_path)
    site.replace("docs/conf.py", '"packages"', '"package"')
    assert "unknown key 'package'; known are packages" in site.build(code=2)


def test_words_and_inline_code_need_no_parser_and_read_the_same(tmp_path: Path) -> None:
    said = (
        "Set ``max-age: 1`` (or ``Flow``) in the snake_case field: 3 * 4 is [12], ``a``-like; "
        "a note: see ``x``."
    )
    site = copied("shelf", tmp_path)
    site.replace(
        "package/shelf/operators.py", ":param title: The book. (templated)", f":param title: {said}"
    )
    site.replace("package/shelf/operators.py", "The ledger is *never* shortened", f"{said} *So*")
    site.build()
    page = soup(site, _OPERATOR)
    quick = "#param-title td:last-child p:last-child"
    parsed = next(each for each in page.select("p") if each.find("em", string="So"))
    assert text(page.select_one(quick)) in text(parsed)
    assert [text(each) for each in page.select(f"{quick} code")] == [
        text(each) for each in parsed.select("code")
    ][:4]
