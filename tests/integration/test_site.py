"""Our own site in a reader's browser: wide and on a phone, light and dark."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "index.html",
    "reference/operators/platform_ops.ArchivingHttpOperator.html",
    "reference/hooks/platform_ops.ArchivingHttpHook.html",
    "reference/dags/airports_by_state.html",
    "reference/connections.html",
    "reference/metrics.html",
    "reference/settings.html",
    "reference/errors.html",
    "explanation/architecture.html",
)
WIDE: ViewportSize = {"width": 1360, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-n", "-b", "html", "docs", str(built)]
    subprocess.run(command, check=True, cwd=ROOT)
    return built


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_page_fits_and_asks_nobody_else(
    browser: Browser, site: Path, path: str, size: ViewportSize
) -> None:
    page = browser.new_page(viewport=size)
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda line: complaints.append(line.text))
    page.on("pageerror", lambda err: complaints.append(str(err)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"file://{site / path}")
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file://", "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.close()


@pytest.mark.parametrize("path", PAGES)
def test_dark_is_dark_and_light_is_light(browser: Browser, site: Path, path: str) -> None:
    page = browser.new_page(viewport=WIDE, color_scheme="dark")
    page.goto(f"file://{site / path}")
    assert _lightness(page) < 0.2
    page.emulate_media(color_scheme="light")
    assert _lightness(page) > 0.9
    page.close()


def test_a_reader_finds_an_operator_by_its_name(browser: Browser, site: Path) -> None:
    page = browser.new_page(viewport=WIDE)
    page.goto(f"file://{site}/search.html?q=ArchivingHttpOperator")
    page.get_by_role("link", name="ArchivingHttpOperator", exact=True).first.click()
    page.wait_for_url("**/*ArchivingHttpOperator*")
    assert page.get_by_role("heading", level=1).inner_text().startswith("ArchivingHttpOperator")
    page.close()


def _lightness(page: Page) -> float:
    """Of the page's background, from 0 to 1."""
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    channels = [int(each) for each in colour.partition("(")[2].rstrip(")").split(",")[:3]]
    return sum(channels) / (3 * 255)
