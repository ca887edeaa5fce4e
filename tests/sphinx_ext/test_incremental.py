"""What a build does again after a change: what shows it, and nothing else; in one process or in two."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tests.roots import Root, copied

_WATCHED = """
import sys
from sphinx.cmd.build import main
code = main(["-b", "html", *sys.argv[1:]])
print("airflow imported:", "airflow" in sys.modules)
sys.exit(code)
"""
_BIG = '''"""Much to say."""

from airflow.sdk import BaseOperator


class BigOperator(BaseOperator):
    """Do many things.

{fields}
    """

    def __init__(self, *, {arguments}, **kwargs):
        super().__init__(**kwargs)
'''


def big_class(count: int) -> str:
    names = [f"argument_{number}" for number in range(count)]
    fields = "\n".join(f"    :param {name}: What ``{name}`` says, in some words." for name in names)
    return _BIG.format(fields=fields, arguments=", ".join(f"{name}: str = 'x'" for name in names))


def build(site: Root, *options: str) -> str:
    """What one build said of itself, and whether its process came to hold Airflow."""
    return site.run("-c", _WATCHED, *options, "docs", "html").stdout


def written(site: Root, folder: str = "html") -> dict[str, bytes]:
    """Everything that a reader may be sent."""
    return {
        path.relative_to(site.path / folder).as_posix(): path.read_bytes()
        for path in (site.path / folder).rglob("*")
        if path.is_file() and ".doctrees" not in path.parts and path.name != ".buildinfo"
    }


@pytest.fixture
def site(tmp_path: Path) -> Root:
    root = copied("shelf", tmp_path)
    (root.package / "heirs.py").write_text(
        '"""Heirs, in another file."""\n\nfrom shelf.operators import LendOperator\n\n\n'
        'class HeirOperator(LendOperator):\n    """Inherits all it takes."""\n'
    )
    (root.package / "big.py").write_text(big_class(60))
    return root


def test_two_processes_write_what_one_writes(site: Root) -> None:
    # Without Pagefind, which names the parts of its index anew each time.
    options = ("-D", "airflow_search=0")
    said = site.run("-c", _WATCHED, "-j", "1", *options, "docs", "alone").stdout
    assert "airflow imported: False" in said
    build(site, "-j", "2", *options)
    assert written(site) == written(site, "alone")


def test_a_change_reaches_the_pages_of_heirs_and_no_other(site: Root) -> None:
    assert "airflow imported: False" in build(site, "-j", "2")
    pages = [path for path in site.html.rglob("*.html") if "airflow.sdk" not in path.name]
    assert {path.name: path.stat().st_size for path in pages if path.stat().st_size > 60_000} == {}
    doctree = site.html / ".doctrees" / "reference" / "operators" / "shelf.big.BigOperator.doctree"
    assert doctree.stat().st_size < 100_000

    said = build(site)
    assert " 0 added, 0 changed, 0 removed" in said
    assert "airflow imported: False" in said

    before = written(site)
    site.replace("package/shelf/operators.py", "Connection of the shelf.", "Which shelf it is.")
    said = build(site)
    assert "airflow imported: False" in said
    assert " 0 added, 3 changed, 0 removed" in said
    changed = {name for name, text in written(site).items() if before.get(name) != text}
    heirs = ("shelf.LendOperator", "shelf.heirs.HeirOperator", "shelf.operators.ShelfTask")
    assert {f"reference/operators/{name}.html" for name in heirs} == {
        name for name in changed if name.endswith(".html") and not name.startswith("_modules")
    }
    shown = BeautifulSoup(site.page("reference/operators/shelf.heirs.HeirOperator"), "html.parser")
    assert "Which shelf it is." in shown.get_text()
