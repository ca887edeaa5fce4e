"""What the documentation shows: every Python block parses, and the ones that promise to run do."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from airflow.sdk import DAG

from platform_ops import archive
from platform_ops.entity import Entity, Origin, Part, RunIdentity, Slot
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
        ast.parse(dedent(block))


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


def test_the_settings_of_the_how_to_on_packs_are_right() -> None:
    text = (ROOT / "docs/how-to/pack-and-compress.md").read_text("utf-8")
    shown = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    site = Settings.model_validate(tomllib.loads("".join(shown)))
    assert site.entity(Entity("mail", "inbox")).pack
    assert site.entity(Entity("weather", "forecast")).codec == "zstd"


@pytest.mark.parametrize("pack", [False, True])
def test_an_analyst_reads_the_archive_as_the_how_to_says(
    platform_archive: Settings, pack: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    slot = Slot(Entity("weather", "forecast"), datetime(2024, 3, 5, tzinfo=UTC))
    rows = b"n,t\n" + b"1,20\n" * 100
    with archive.session(slot, RunIdentity("d", "t", "r"), codec="gzip", pack=pack) as session:
        for name in ("stations-a.csv", "stations-b.csv"):
            session.write(Part(name, [rows], Origin("https://weather.example"), "text/csv"))
    shown: dict[str, Any] = {}
    for block in blocks(ROOT / "docs/how-to/read-the-archive.md"):
        exec(compile(block, "read-the-archive.md", "exec"), shown)
    assert session.commit is not None
    assert shown["first"] == shown["as_of"] == shown["newest"] == session.commit.manifest
    assert shown["first_bytes"] == rows[:100]
    assert shown["urls"] == list(session.commit.reference.payload_urls)
    assert shown["text"] == shown["content"] == rows
    assert shown["table"].num_rows == 200
    assert shown["part"] == rows[5:15]
    assert "stations-b.csv text/csv 504 " in capsys.readouterr().out


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


def test_the_incident_of_the_tutorial_is_replayed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the reader types, in the order of the page: the DAG, the night, the mend, the morning."""
    dag, night, mend, morning = blocks(ROOT / "docs/tutorials/replay-an-incident.md")
    monkeypatch.syspath_prepend(pytester.path)
    run = ("-p", "no:cacheprovider", "-p", "no:xdist")
    pytester.makepyfile(prices=dag, test_incident=night)
    pytester.runpytest_subprocess(*run).assert_outcomes(passed=1)
    before, _, _ = night.partition("def test_the_night")
    parser = '            return json.load(body)["price"]\n'
    assert dag.count(parser) == 1
    pytester.makepyfile(prices=dag.replace(parser, mend), test_incident=f"{before}{morning}")
    pytester.runpytest_subprocess(*run).assert_outcomes(passed=1)
