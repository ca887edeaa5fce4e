"""The check of a whole site: what is taken away or breaks is named, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest

from tests.findings_schema import SARIF
from tests.roots import Root, copied

_MAIN = "from platform_ops.cli import main; main()"
_ON_PURPOSE = (
    ("DOC001", "*"),
    ("DOC102", "shelf.operators.Patience"),
    ("DOC104", "shelf.LendOperator"),
    ("DOC106", "shelf.operators.*"),
    ("DOC107", "shelf.hooks.ShelfHook"),
)
_WAIVER = """
[[waiver]]
rule = "{}"
object = "{}"
reason = "Left so on purpose."
until = 9999-12-31
"""
_DESK = """# Desk

(the-desk)=
## Where it is

Come in [by the door](#the-desk), or look at [the town's](https://example.com/town).
A `recieve` in code is nobody's business, and teh is how we write it here.

<p><a id="bell"></a><a href="desk.html#bell">Ring</a></p>
"""
_LOST = "# Lost\n\nNobody finds this, and you recieve nothing.\n"
_DOOR = """
Door
====

`The guide <guide.html#guide>`__, `what is lent <reference/dags/lending.html#task-lend>`__.
"""
_CELLAR = """
`To the cellar <guide.html#cellar>`__ or `upstairs <attic.html>`__.

.. raw:: html

   <a href="roof.html">or higher</a>

.. image:: plan-of-the-cellar.png
   :alt: Its plan.
"""


def check(root: Root, *options: str, code: int | None = None) -> dict[str, Any]:
    """The report of a site, as JSON."""
    command = ("docs", "check", "docs", "--format", "json", *options)
    found: dict[str, Any] = json.loads(root.run("-c", _MAIN, *command, code=code).stdout)
    return found


def told(found: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Rule, object and message of each finding."""
    return {(each["rule"], each["place"]["object"], each["message"]) for each in found["findings"]}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """A site in good order; what its package lacks on purpose is waived."""
    root = copied("shelf", tmp_path_factory.mktemp("checked"))
    docs = root.path / "docs"
    waivers = "".join(_WAIVER.format(*each) for each in _ON_PURPOSE)
    (docs / "waivers.toml").write_text(waivers)
    (docs / "door.rst").write_text(_DOOR)
    (docs / "desk.md").write_text(_DESK)
    (docs / "spelling.txt").write_text("teh\nlibary -> library\n")
    root.replace(
        "docs/index.rst", "   guide\n", "   guide\n   desk\n   door\n\nAt :ref:`the-desk`.\n"
    )
    root.replace(
        "docs/conf.py", '["../dags"],', '["../dags"], "examples": {"../dags": "shelf.runner:run"},'
    )
    root.run("-c", _MAIN, "docs", "examples", "docs", code=1)
    return root


@pytest.fixture(scope="module")
def order(library: Root) -> dict[str, Any]:
    """What is found while all is well."""
    return check(library)


@pytest.fixture(scope="module")
def torn(
    library: Root, order: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> set[tuple[str, str, str]]:
    """What is found when one line, one example and one anchor are gone, and pages are faulty."""
    root = Root(tmp_path_factory.mktemp("torn") / "shelf")
    shutil.copytree(library.path, root.path)
    root.replace("package/shelf/operators.py", "    :param condition: How it left.\n", "")
    root.replace("package/shelf/operators.py", "*never* shortened", "*never shortened")
    root.replace("package/shelf/operators.py", "shelf.hooks.ShelfHook", "shelf.hooks.Shelv")
    root.replace("package/shelf/operators.py", "Wait until a book", "Wait untill a book")
    (root.path / "dags/lending.py").unlink()
    root.replace("docs/desk.md", "(the-desk)=\n", "")
    (root.path / "docs/door.rst").write_text(_DOOR + _CELLAR)
    (root.path / "docs/lost.md").write_text(_LOST)
    return told(check(root, code=1)) - told(order)


def test_a_site_in_good_order_has_no_finding(order: dict[str, Any]) -> None:
    assert told(order) == set()
    assert {each["by"] for each in order["excused"]} == {"waiver"}
    assert order["scores"]["pages"] == {"package": "pages", "clean": 4, "total": 4, "percent": 100}


def test_a_docstring_line_that_is_gone_is_named(torn: set[tuple[str, str, str]]) -> None:
    assert ("DOC102", "shelf.LendOperator", "no :param condition: field") in torn


def test_an_example_that_is_gone_is_named(torn: set[tuple[str, str, str]]) -> None:
    assert ("DOC106", "shelf.LendOperator", "no DAG uses it") in torn
    assert ("DOC403", "example ../dags/_output/lending.json", "no example has that name") in torn
    assert ("PAGE101", "page guide", "airflow:dag reference target not found: lending") in torn


def test_an_anchor_that_is_gone_is_named(torn: set[tuple[str, str, str]]) -> None:
    assert {(thing, message) for rule, thing, message in torn if "the-desk" in message} == {
        ("page index", "undefined label: 'the-desk'"),
        ("page desk", "'myst' cross-reference target not found: 'the-desk'"),
    }


def test_dead_links_are_named_wherever_they_are_written(torn: set[tuple[str, str, str]]) -> None:
    dead = {(thing, message) for rule, thing, message in torn if rule == "PAGE102"}
    assert dead == {
        ("page door", "guide.html#cellar: page guide has no anchor 'cellar'"),
        ("page door", "attic.html: there is no page attic"),
        ("page door", "roof.html: there is no page roof"),
        (
            "page door",
            "reference/dags/lending.html#task-lend: there is no page reference/dags/lending",
        ),
    }


def test_pages_and_docstrings_are_spelled(torn: set[tuple[str, str, str]]) -> None:
    assert {each for each in torn if each[0] == "PAGE201"} == {
        ("PAGE201", "page lost", "'recieve'; 'receive' may be meant"),
        ("PAGE201", "shelf.operators.Patience", "'untill'; 'until' may be meant"),
    }


def test_faults_of_docstrings_are_findings(torn: set[tuple[str, str, str]]) -> None:
    assert {(rule, thing) for rule, thing, _ in torn if rule in ("PAGE104", "PAGE105")} == {
        ("PAGE104", "shelf.LendOperator"),
        ("PAGE105", "shelf.LendOperator"),
    }


def test_whatever_else_sphinx_warns_of_is_a_finding(torn: set[tuple[str, str, str]]) -> None:
    ((_, where, said),) = [each for each in torn if each[0] == "PAGE106"]
    assert where == "page door"
    assert "image file not readable: plan-of-the-cellar.png" in said


def test_a_page_that_nobody_reaches_is_named(torn: set[tuple[str, str, str]]) -> None:
    written = {each for each in torn if each[0] == "PAGE103" and "/" not in each[1]}
    assert written == {("PAGE103", "page lost", "nothing leads here")}


def test_the_builder_writes_every_format(library: Root, order: dict[str, Any]) -> None:
    output = library.path / "docs/_build/airflow-check"
    assert {each.name for each in output.iterdir() if each.is_file()} == {
        "badge.svg", "links.txt", "report.json", "report.sarif", "report.txt", "report.xml",
    }  # fmt: skip
    jsonschema.validate(json.loads((output / "report.sarif").read_bytes()), SARIF)
    assert "https://example.com/town\n" in (output / "links.txt").read_text()


def test_nothing_is_written_beside_the_sources(library: Root, order: dict[str, Any]) -> None:
    assert {each.name for each in (library.path / "docs").iterdir()} == {
        "_build", "conf.py", "desk.md", "door.rst", "guide.md", "index.rst", "spelling.txt", "waivers.toml",
    }  # fmt: skip


def test_sphinx_runs_it_as_any_builder(library: Root, tmp_path: Path) -> None:
    (library.path / "docs/waivers.toml").rename(tmp_path / "waivers.toml")
    try:
        arguments = ("-m", "sphinx", "-b", "airflow-check", "docs", str(tmp_path / "out"))
        ran = library.run(*arguments, code=1)
    finally:
        (tmp_path / "waivers.toml").rename(library.path / "docs/waivers.toml")
    assert "DOC107 Connection type without a form" in ran.stdout
