"""The site in the demo: built beside the runs, with the DAGs in it that run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from tests.demo.airflow import EXAMPLES, ROOT, clean_environment
from tests.demo.processes import Child, DemoFailed
from tests.demo.story import Stage

__all__ = ["begin", "finish", "served"]

SITE = ROOT / "docs" / "_build" / "demo"
"""Stays after the demo, and is not of the repository."""


def begin(stage: Stage) -> Child:
    """Start to build."""
    options = ["-b", "html", "-d", str(stage.folder / "doctrees")]
    command = [sys.executable, "-m", "sphinx", *options, "docs", str(SITE)]
    home = stage.folder / "site"
    home.mkdir()
    return stage.nursery.start("site", command, clean_environment(home), ROOT)


def finish(stage: Stage, building: Child) -> None:
    """Wait for the site, and say where it is."""
    with stage.screen.section(
        "The site",
        "Operators, hooks, settings, metrics, errors and the DAGs above document themselves, from the "
        "code that just ran.",
    ):
        with stage.screen.waiting() as update:
            update("Sphinx builds")
            building.finish(timeout_s=180)
        pages = [page.relative_to(SITE).as_posix() for page in SITE.rglob("*.html")]
        missing = [dag for dag in EXAMPLES if not any(dag in page for page in pages)]
        if missing:
            raise DemoFailed(f"the site has no page for {', '.join(missing)}", building.log)
        stage.screen.say(f"{len(pages)} pages:")
        stage.screen.say((SITE / "index.html").as_uri(), "bold green")
    stage.facts["Site"] = f"{len(pages)} pages, {(SITE / 'index.html').relative_to(ROOT)}"


@contextmanager
def served(port: int) -> Iterator[str]:
    """Serve the built site on a port of 127.0.0.1 until the block ends; gives its address."""
    handler = partial(_Quiet, directory=str(SITE))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing: the terminal belongs to the demo."""
