"""A list that is divided over several pages, filtered as a whole in a reader's browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.roots import copied

_HEAD = '"""Made up."""\n\nfrom airflow.sdk import BaseOperator\n\n\n'
_CLASS = '''class Number{number:03}Operator(BaseOperator):
    """Do the work of number {number}, which is one of very many of its kind, and say so afterwards.{old}"""


'''
_OLD = "\n\n    .. deprecated:: 1.2\n       Use another one.\n    "
_COUNT = 130


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """Keep the test's output to itself."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two modules of operators; of one of them alone, the last, it is told that it is deprecated."""
    root = copied("shelf", tmp_path_factory.mktemp("facets"))
    for module, numbers in {"early": range(70), "late": range(70, _COUNT)}.items():
        made = (_CLASS.format(number=n, old=_OLD if n == _COUNT - 1 else "") for n in numbers)
        (root.package / f"{module}.py").write_text(_HEAD + "".join(made))
    root.build("-q", "-W", "-n", "-D", "airflow_search=0")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root.html)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    """The first page of the list."""
    page = browser.new_page()
    page.goto(f"{site}/reference/operators.html")
    yield page
    page.close()


def shown(page: Page) -> list[str]:
    """The names that a reader sees."""
    names = page.locator("ul.airflow-index > li:visible p:first-child a")
    return [name.removesuffix("Operator") for name in names.all_inner_texts()]


def test_what_stands_on_a_later_page_is_found_from_the_first(page: Page, site: str) -> None:
    before = shown(page)
    assert 20 < len(before) < _COUNT
    assert "Number129" not in before

    page.get_by_role("searchbox", name="Filter").focus()
    page.keyboard.type("number 129")

    expect(page.locator("ul.airflow-index > li:visible")).to_have_count(1)
    assert shown(page) == ["Number129"]
    expect(page.locator(".airflow-facets output")).to_have_text(f"1 of {_COUNT + 2}")
    page.locator("ul.airflow-index > li:visible a").click()
    page.wait_for_url(f"{site}/reference/operators/shelf.late.Number129Operator.html")


def test_a_mark_that_a_later_page_alone_has_can_be_chosen(page: Page) -> None:
    assert page.get_by_role("checkbox", name="deprecated").count() == 0
    page.get_by_role("searchbox", name="Filter").focus()
    page.get_by_role("checkbox", name="deprecated").check()
    expect(page.locator("ul.airflow-index > li:visible")).to_have_count(1)
    assert shown(page) == ["Number129"]


def test_without_a_filter_the_page_is_as_it_was(page: Page) -> None:
    before = shown(page)
    box = page.get_by_role("searchbox", name="Filter")
    box.fill("number 129")
    expect(page.locator("ul.airflow-index > li:visible")).to_have_count(1)
    box.fill("")
    expect(page.locator("ul.airflow-index > li:visible")).to_have_count(len(before))
    assert shown(page) == before
    assert page.get_by_role("heading", level=1).is_visible()
