"""Real programs for the tests of this folder; `nox -s integration` sees that they are installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, headless."""
    from playwright.sync_api import sync_playwright  # not there in the session `sources`

    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert program, (
        "no Chromium; install it (on Debian: apt-get install chromium), or set CHROMIUM to its path"
    )
    with sync_playwright() as playwright:
        # Without its sandbox: as root, and in most containers, it cannot have one; the pages are our own.
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()
