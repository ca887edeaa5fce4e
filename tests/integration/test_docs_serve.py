"""``platform-ops docs serve``: the site follows its sources while it is read."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.roots import Root, copied

_PROJECT = Path(__file__).parents[2]
_PAGE = "reference/operators/shelf.LendOperator.html"


@pytest.fixture
def shelf(tmp_path: Path) -> Root:
    return copied("shelf", tmp_path)


@pytest.fixture
def address(shelf: Root) -> Iterator[str]:
    """Where the site is served, once it is."""
    command = "from platform_ops.cli import main; main()"
    path = os.pathsep.join([str(shelf.path / "package"), str(_PROJECT)])
    served = subprocess.Popen(
        [sys.executable, "-c", command, "docs", "serve", "docs", "--port", "0"],
        cwd=shelf.path,
        env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert served.stdout is not None
        yield _address(served.stdout)
    finally:
        os.killpg(served.pid, signal.SIGTERM)
        served.communicate(timeout=30)


def _address(said: IO[str]) -> str:
    lines = []
    for line in said:
        lines.append(line)
        if hit := re.search(r"http://127\.0\.0\.1:\d+", line):
            return hit[0]
    raise AssertionError("".join(lines))


def _wait_for(url: str, text: str) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if text in answer.read().decode():
                    return
        except OSError:
            pass  # not up yet, or being written
        time.sleep(0.2)
    raise AssertionError(f"{url} never said {text!r}")


def test_a_docstring_that_changes_is_served_anew(shelf: Root, address: str) -> None:
    _wait_for(f"{address}/{_PAGE}", "Lend a book, and write down to whom.")
    shelf.replace("package/shelf/operators.py", "Lend a book, and", "Hand a book over, and")
    _wait_for(f"{address}/{_PAGE}", "Hand a book over, and write down to whom.")
