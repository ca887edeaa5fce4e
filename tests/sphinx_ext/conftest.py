"""A site that many tests read, and none changes."""

from __future__ import annotations

import fcntl
import os
from typing import Final

import pytest

from tests.roots import Root, copied

__all__ = ["SHELF_URL", "shelf_site"]

SHELF_URL: Final = "https://docs.example.com/shelf/stable/"
"""What that site is called."""


@pytest.fixture(scope="session")
def shelf_site(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """The shelf's site with everything on it, built once for all workers, warnings being errors."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (base / "shelf-site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = Root(base / "shelf-site" / "shelf")
        if not (root.path / "built").exists():
            copied("shelf", base / "shelf-site")
            named = ("-D", f"html_baseurl={SHELF_URL}", "-D", "airflow_methods=1")
            root.build("-W", "--keep-going", "-n", "-j", "2", *named)
            (root.path / "built").touch()
    return root
