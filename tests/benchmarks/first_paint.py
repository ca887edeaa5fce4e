"""How soon a page shows something: First Contentful Paint in Chromium, from a server on loopback."""

from __future__ import annotations

import os
import shutil
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import sync_playwright

_LOADS: Final = 5
_PAINTED: Final = """
() => new Promise(done => new PerformanceObserver(list => {
    for (const each of list.getEntries())
        if (each.name === "first-contentful-paint") done(each.startTime);
}).observe({type: "paint", buffered: true}))
"""


def first_paint_s(folder: Path, page: str) -> float:
    """The median over several loads, each by a browser that has seen nothing before."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with _served(folder) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        times: list[float] = []
        for _ in range(_LOADS):
            context = browser.new_context()
            tab = context.new_page()
            tab.goto(f"{address}/{page}")
            times.append(tab.evaluate(_PAINTED) / 1000)
            context.close()
        browser.close()
    return float(statistics.median(times))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Say nothing."""


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
