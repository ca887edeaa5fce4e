"""What the documentation shows: every Python block parses, and the ones that promise to run do."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from platform_ops import archive
from platform_ops.settings import Settings
from platform_ops.testing.runner import run_task

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
FOLDERS = ("tutorials", "how-to", "explanation")  # conventions show fragments
PAGES = [
    ROOT / "README.md",
    *(page for each in FOLDERS for page in (ROOT / "docs" / each).glob("*.md")),
]


def blocks(page: Path) -> list[str]:
    """The page's Python blocks."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_block_parses(page: Path) -> None:
    for block in blocks(page):
        ast.parse(block)


def test_the_operator_of_the_how_to_archives(tmp_path: Path, platform_archive: Settings) -> None:
    (block,) = blocks(ROOT / "docs/how-to/add-an-operator.md")
    shown: dict[str, Any] = {"__name__": "shown"}
    exec(compile(block, "add-an-operator.md", "exec"), shown)
    folder = tmp_path / "drop"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"first")
    (folder / "b.txt").write_bytes(b"second")
    with DAG("drops"):
        task = shown["ArchivingFolderOperator"](
            task_id="drop", entity="drop.files", path=str(folder)
        )
    ran = run_task(task, at="2026-01-01")
    assert ran.state == "success", ran.error
    assert archive.open(ran.xcom).read() == b"firstsecond"
    assert len(block.strip().splitlines()) <= 30


@pytest.mark.parametrize("page", ["README.md", "docs/tutorials/quickstart.md"])
def test_the_dag_that_a_newcomer_writes_is_one(page: str) -> None:
    block = next(each for each in blocks(ROOT / page) if "DAG(" in each)
    shown: dict[str, Any] = {"__name__": "shown"}
    exec(compile(block, page, "exec"), shown)
    assert shown["forecast"].dag.task_ids[0] == "forecast"


def test_the_test_of_the_how_to_passes(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    quickstart = next(each for each in blocks(ROOT / "docs/tutorials/quickstart.md"))
    (shown,) = blocks(ROOT / "docs/how-to/test-a-dag.md")
    package = pytester.mkpydir("my_dags")
    named = quickstart.replace(
        "start_date=pendulum.datetime(2026, 1, 1)):",
        "start_date=pendulum.datetime(2026, 1, 1)) as dag:",
    )
    (package / "weather.py").write_text(named)
    pytester.makepyfile(shown)
    monkeypatch.delitem(sys.modules, "my_dags", raising=False)
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:xdist").assert_outcomes(
        passed=1
    )
