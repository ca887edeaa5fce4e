"""The published site as a reader's browser shows it: change versions, with and without JavaScript."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from platform_ops.sphinx_ext.publish import publish

CONF = """
project = "station"
release = "{version}"
html_theme = "furo"
extensions = ["platform_ops.sphinx_ext.switcher"]
"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """Keep the test's output to itself."""


def _build(folder: Path, version: str, pages: tuple[str, ...]) -> Path:
    source = folder / version / "source"
    source.mkdir(parents=True)
    (source / "conf.py").write_text(CONF.format(version=version))
    toctree = "".join(f"   {page}\n" for page in pages)
    (source / "index.rst").write_text(f"Station\n=======\n\n.. toctree::\n\n{toctree}")
    for page in pages:
        (source / f"{page}.rst").write_text(f"{page}\n{'=' * len(page)}\n")
    built = folder / version / "html"
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", str(source), str(built)]
    subprocess.run(command, check=True)
    return built


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Three versions, published into a folder and served on loopback."""
    folder = tmp_path_factory.mktemp("sites")
    for version, pages in (
        ("1.0", ("start",)),
        ("2.0", ("start", "added")),
        ("main", ("start", "added")),
    ):
        publish(_build(folder, version, pages), str(folder / "served"), version, ["latest"])
    handler = partial(_Quiet, directory=str(folder / "served"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_root_leads_to_the_newest_release(browser: Browser, served: str) -> None:
    page = browser.new_page()
    page.goto(f"{served}/")

    page.wait_for_url(f"{served}/2.0/")
    expect(page.get_by_role("combobox", name="Version")).to_have_value("2.0")
    assert page.get_by_role("option").all_inner_texts() == ["2.0 (newest)", "1.0", "main"]
    page.close()


def test_a_reader_stays_on_the_same_page_where_the_version_has_it(
    browser: Browser, served: str
) -> None:
    page = browser.new_page()
    page.goto(f"{served}/main/start.html#start")

    page.get_by_role("combobox", name="Version").select_option("1.0")
    page.wait_for_url(f"{served}/1.0/start.html#start")
    page.get_by_role("link", name="Newest release: 2.0").click()
    page.wait_for_url(f"{served}/2.0/start.html#start")
    page.close()


def test_a_page_that_a_version_lacks_leads_to_its_first(browser: Browser, served: str) -> None:
    page = browser.new_page()
    page.goto(f"{served}/latest/added.html")

    expect(page.get_by_role("combobox", name="Version")).to_have_value("2.0")
    page.get_by_role("combobox", name="Version").select_option("1.0")
    page.wait_for_url(f"{served}/1.0/")
    page.close()


def test_without_javascript_a_page_shows_its_version(browser: Browser, served: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served}/1.0/start.html")

    expect(page.locator(".version-switcher")).to_have_text("Version 1.0")
    assert page.get_by_role("combobox", name="Version").count() == 0
    context.close()
