"""The version switcher, as it stands in built pages."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

CONF = """
project = "station"
release = "1.2.3"
extensions = ["platform_ops.sphinx_ext.switcher"]
"""


def _build(folder: Path, *lines: str) -> Path:
    source = folder / "source"
    (source / "guide").mkdir(parents=True)
    (source / "conf.py").write_text("\n".join([CONF, *lines]))
    (source / "index.rst").write_text("Station\n=======\n\n.. toctree::\n\n   guide/start\n")
    (source / "guide" / "start.rst").write_text("Start\n=====\n")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "-b",
        "html",
        str(source),
        str(folder / "html"),
    ]
    subprocess.run(command, check=True)
    return folder / "html"


@pytest.mark.parametrize(
    "theme", ['html_theme = "furo"', 'html_sidebars = {"**": ["version-switcher.html"]}']
)
def test_a_page_shows_its_version_and_loads_the_switcher(theme: str, tmp_path: Path) -> None:
    pages = _build(tmp_path, theme)

    for page, root in (("index.html", "./"), ("guide/start.html", "../")):
        text = (pages / page).read_text("utf-8")
        assert re.search(
            r"<div [^>]*data-version-switcher>\s*<span[^>]*>Version 1\.2\.3</span>", text
        )
        assert f'data-content_root="{root}"' in text
        prefix = "" if page == "index.html" else "../"
        for kind in ("js", "css"):
            assert re.search(rf'"{re.escape(prefix)}_static/version-switcher\.{kind}\?v=\w+"', text)
            assert (pages / "_static" / f"version-switcher.{kind}").stat().st_size > 0


def test_a_site_replaces_the_fragment_by_its_own(tmp_path: Path) -> None:
    own = tmp_path / "source" / "mine" / "version-switcher.html"
    own.parent.mkdir(parents=True)
    own.write_text("<p>ours: {{ release }}</p>")

    pages = _build(tmp_path, 'html_theme = "furo"', 'templates_path = ["mine"]')

    assert "<p>ours: 1.2.3</p>" in (pages / "index.html").read_text("utf-8")
