"""Our own site in a reader's browser: wide, on a phone and on paper, light and dark, by keys alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from platform_ops.sphinx_ext.publish import publish

ROOT = Path(__file__).resolve().parents[2]
OPERATOR = "reference/operators/platform_ops.ArchivingHttpOperator.html"
PAGES = (
    "index.html",
    OPERATOR,
    "reference/sensors/platform_ops.ArchivingHttpSensor.html",
    "reference/hooks/platform_ops.ArchivingHttpHook.html",
    "reference/triggers/platform_ops.sources.web.trigger.HttpReadyTrigger.html",
    "reference/dags/airports_by_state.html",
    "reference/dags/route_briefing.html",
    "reference/entities/noaa.daily_weather.html",
    "reference/unarchived.html",
    "reference/sources/noaa.html",
    "reference/providers/platform_ops.html",
    "reference/rules/PO104.html",
    "reference/operators.html",
    "reference/dags.html",
    "reference/entities.html",
    "reference/lineage.html",
    "reference/connections.html",
    "reference/metrics.html",
    "reference/settings.html",
    "reference/errors.html",
    "reference/rules.html",
    "reference/messages.html",
    "reference/benchmarks.html",
    "reference/cli.html",
    "reference/stock-operators.html",
    "reference/python/reading.html",
    "how-to/fetch-files.html",
    "how-to/watch-the-platform.html",
    "explanation/architecture.html",
    "tutorials/quickstart.html",
    "runbooks/verify-failed.html",
    "adr/0003-commit-protocol.html",
    "changelog.html",
    "search.html?q=replay",
    "404.html",
)
WIDE: ViewportSize = {"width": 1360, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FIRST_PAINT_MS = 500
HEAVIEST_BYTES = 60_000  # without what other files a page loads
# Told when it has happened, which a page that has loaded need not have seen yet.
FIRST_PAINT = """new Promise(resolve => new PerformanceObserver(list => {
    const [paint] = list.getEntriesByName("first-contentful-paint");
    if (paint) resolve(paint.startTime);
}).observe({type: "paint", buffered: true}))"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "html"
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-n", "-b", "html", "docs", str(folder)]
    environment = {**os.environ, "DOCS_BASE_URL": "http://127.0.0.1/stable/"}
    subprocess.run(command, check=True, cwd=ROOT, env=environment)
    return folder


class _Quiet(SimpleHTTPRequestHandler):
    """A static server as most are: an address that leads nowhere gets the site's 404 page."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """Keep the test's output to itself."""

    def send_error(self, code: int, *_said: str | None) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        with Path(self.directory, "404.html").open("rb") as page:
            shutil.copyfileobj(page, self.wfile)


@pytest.fixture(scope="module")
def site(built: Path) -> Iterator[str]:
    """The site's address on loopback, published as a release."""
    publish(built, str(built.parent / "served"), "1.0", ["stable"])
    handler = partial(_Quiet, directory=str(built.parent / "served"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/stable"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_page_fits_and_asks_nobody_else(
    browser: Browser, site: str, path: str, size: ViewportSize
) -> None:
    page = browser.new_page(viewport=size)
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda line: complaints.append(line.text))
    page.on("pageerror", lambda err: complaints.append(str(err)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site}/{path}", wait_until="networkidle")

    host = site.removesuffix("stable")
    assert complaints == []
    assert [url for url in asked if not url.startswith((host, "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.close()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    ("size", "scheme"),
    [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light"), (PHONE, "dark")],
    ids=["wide-light", "wide-dark", "phone-light", "phone-dark"],
)
def test_nothing_keeps_anyone_out(
    browser: Browser,
    site: str,
    path: str,
    size: ViewportSize,
    scheme: Any,  # Any: one of two words that playwright names
) -> None:
    page = browser.new_page(viewport=size, color_scheme=scheme)
    page.goto(f"{site}/{path}")
    assert _faults(page) == []
    assert _lightness(page) < 0.2 if scheme == "dark" else _lightness(page) > 0.9
    page.close()


def test_a_page_that_is_opened_as_a_file_works_as_well(browser: Browser, built: Path) -> None:
    page = browser.new_page(viewport=WIDE)
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(line.text))
    page.on("pageerror", lambda err: complaints.append(str(err)))
    page.goto(f"file://{built}/index.html", wait_until="networkidle")
    assert complaints == []
    page.goto(f"file://{built}/search.html?q=ArchivingHttpOperator")
    page.get_by_role("link", name="ArchivingHttpOperator", exact=True).first.click()
    page.wait_for_url("**/*ArchivingHttpOperator*")
    assert page.get_by_role("heading", level=1).inner_text().startswith("ArchivingHttpOperator")
    page.close()


def test_no_page_is_heavy(built: Path) -> None:
    sizes = {
        path.relative_to(built).as_posix(): path.stat().st_size for path in built.rglob("*.html")
    }
    assert {page: size for page, size in sizes.items() if size > HEAVIEST_BYTES} == {}


def test_the_first_paint_comes_at_once(browser: Browser, site: str) -> None:
    for path in ("index.html", OPERATOR, "reference/dags/airports_by_state.html"):
        took = []
        for _ in range(3):
            page = browser.new_page(viewport=WIDE)  # an empty cache each time
            page.goto(f"{site}/{path}")
            took.append(page.evaluate(FIRST_PAINT))
            page.close()
        assert min(took) < FIRST_PAINT_MS, f"{path}: {took} ms"


# --- Search ---------------------------------------------------------------------------------------


def _searched(page: Page, text: str) -> list[str]:
    page.keyboard.press("Control+k")
    field = page.get_by_role("searchbox", name="Search this site")
    expect(field).to_be_focused()
    field.fill(text)
    expect(page.get_by_role("status")).not_to_be_empty()
    expect(page.locator(".airflow-search-results a").first).to_be_visible()
    return page.locator(".airflow-search-results strong").all_inner_texts()


def test_a_reader_finds_by_keys_alone(browser: Browser, site: str) -> None:
    page = browser.new_page(viewport=WIDE)
    page.goto(f"{site}/index.html")
    assert _searched(page, "ArchivingHttpOp")[0] == "ArchivingHttpOperator"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}/{OPERATOR}")

    page.keyboard.press("/")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.close()


def test_a_slip_of_the_finger_finds_what_was_meant(browser: Browser, site: str) -> None:
    page = browser.new_page(viewport=WIDE)
    page.goto(f"{site}/index.html")
    assert "ArchivingHttpOperator" in _searched(page, "ArchivngHtpOperator")
    page.keyboard.press("Escape")
    _searched(page, "manifets")
    expect(page.get_by_role("status")).to_contain_text("for “manifest”")
    page.close()


def test_what_is_found_can_be_filtered(browser: Browser, site: str) -> None:
    page = browser.new_page(viewport=WIDE)
    page.goto(f"{site}/index.html")
    _searched(page, "archive")
    page.get_by_role("combobox", name="Kind").select_option("hook")
    others = page.locator('.airflow-search-results a:not([href*="/reference/hooks/"])')
    expect(others).to_have_count(0)
    expect(page.locator('.airflow-search-results a[href*="/reference/hooks/"]')).not_to_have_count(
        0
    )
    assert _faults(page) == []
    page.close()


def test_a_search_on_a_phone_begins_with_a_button(browser: Browser, site: str) -> None:
    page = browser.new_page(viewport=PHONE)
    page.goto(f"{site}/{OPERATOR}")
    page.locator(".mobile-header").get_by_role("button", name="Search").click()
    expect(page.get_by_role("searchbox", name="Search this site")).to_be_focused()
    page.close()


# --- An address that leads nowhere ------------------------------------------------------------------


def test_a_wrong_address_suggests_the_right_one(browser: Browser, site: str) -> None:
    page = browser.new_page(viewport=WIDE)
    page.goto(f"{site}/old/place/ArchivngHttpOperator.html")
    page.get_by_role("link", name="ArchivingHttpOperator").click()
    page.wait_for_url(f"{site}/{OPERATOR}")
    page.close()


# --- Without scripts, and on paper ----------------------------------------------------------------


def test_a_page_without_scripts_is_whole(browser: Browser, site: str) -> None:
    context = browser.new_context(java_script_enabled=False, viewport=WIDE)
    page = context.new_page()
    page.goto(f"{site}/{OPERATOR}")
    expect(page.get_by_role("heading", name="Parameters")).to_be_visible()
    page.locator(".sidebar-tree").get_by_role("link", name="Hooks", exact=True).click()
    page.wait_for_url(f"{site}/reference/hooks.html")
    page.goto(f"{site}/404.html")
    page.get_by_role("link", name="the reference").click()
    page.wait_for_url(f"{site}/reference/index.html")
    context.close()


@pytest.mark.parametrize("path", PAGES)
def test_without_scripts_a_page_says_as_much(browser: Browser, site: str, path: str) -> None:
    """What a script adds are filters, zoom and buttons to copy: no word of the text."""
    said = []
    for scripts in (True, False):
        context = browser.new_context(java_script_enabled=scripts, viewport=WIDE)
        page = context.new_page()
        page.goto(f"{site}/{path.partition('?')[0]}", wait_until="networkidle")
        parts = page.locator("article :is(h1, h2, h3, p, dt, td, pre)")
        said.append([text for text in parts.all_inner_texts() if text])
        context.close()
    assert said[1], path
    if not path.startswith(("search", "404")):  # whose contents are what scripts find
        assert said[0] == said[1]


def test_on_paper_there_is_the_text_and_nothing_to_click(browser: Browser, site: str) -> None:
    page = browser.new_page(viewport=WIDE)
    page.goto(f"{site}/{OPERATOR}")
    page.emulate_media(media="print")
    expect(page.locator(".sidebar-drawer")).to_be_hidden()
    expect(page.locator(".toc-drawer")).to_be_hidden()
    expect(page.get_by_text("Skip to content")).to_be_hidden()
    expect(page.locator("#parameters table").first).to_be_visible()
    page.close()


def _faults(page: Page) -> list[str]:
    """What axe-core finds, each with the first element that has it."""
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    page.evaluate(axe)
    found = page.evaluate("tags => axe.run(document, {runOnly: tags})", AXE_TAGS)
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found["violations"]]


def _lightness(page: Page) -> float:
    """Of the page's background, from 0 to 1."""
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    channels = [int(each) for each in colour.partition("(")[2].rstrip(")").split(",")[:3]]
    return sum(channels) / (3 * 255)
