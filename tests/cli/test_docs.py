"""``platform-ops docs``: a site from nothing, its check, its baseline, its examples."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
import yaml

from tests.findings_schema import SARIF
from tests.roots import Root, copied

_MAIN = "from platform_ops.cli import main; main()"
_OPERATORS = '''"""What a lamp does."""

from airflow.sdk import BaseOperator


class GlowOperator(BaseOperator):
    """Light the lamp.

    :param colour: Of the light.
    """

    def __init__(self, *, colour: str = "warm", **kwargs) -> None:
        super().__init__(**kwargs)
        self.colour = colour
'''
_DAG = """from airflow.sdk import DAG
from lamp.operators import GlowOperator

with DAG("evening", description="Lights up.", doc_md="When it fails, it is dark.",
         default_args={"owner": "keeper"}) as dag:
    GlowOperator(task_id="glow")
"""


@pytest.fixture
def lamp(tmp_path: Path) -> Root:
    """A project that has a package and DAGs, and no site."""
    for name, text in {
        "package/lamp/__init__.py": "",
        "package/lamp/operators.py": _OPERATORS,
        "dags/evening.py": _DAG,
        "pyproject.toml": '[project]\nname = "lamp"\n',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Root(tmp_path)


def docs(root: Root, *arguments: str, code: int | None = 0) -> tuple[str, str]:
    """What the command printed, and what it said beside."""
    ran = root.run("-c", _MAIN, "docs", *arguments, code=code)
    return ran.stdout, ran.stderr


def test_a_new_site_works_and_its_workflow_does_what_it_says(lamp: Root) -> None:
    written, said = docs(
        lamp, "new", "site", "--package", "lamp", "--dags", "dags", "--title", "Lamp"
    )
    files = ["site/conf.py", "site/index.rst", "site/.gitignore", ".github/workflows/docs.yml"]
    assert written.split() == files
    assert "platform-ops docs build site" in said

    steps = yaml.safe_load((lamp.path / files[-1]).read_text())["jobs"]["docs"]["steps"]
    commands = [each["run"] for each in steps if "run" in each]
    assert commands[0] == "pip install 'platform-ops[airflow,docs]' ."
    for command in commands[1:-1]:
        lamp.run("-c", _MAIN, *command.split()[1:], code=0)
    page = lamp.path / "site/_build/html/reference/operators/lamp.operators.GlowOperator.html"
    assert "Light the lamp." in page.read_text(encoding="utf-8")
    assert "This page is not here" in (page.parents[2] / "404.html").read_text(encoding="utf-8")
    assert steps[-2]["with"]["path"] == "site/_build/html"
    address = steps[-3]["env"]["DOCS_BASE_URL"]
    assert address.endswith("github.event.repository.name) }}/stable/")

    for variable, value in {"DESTINATION": "published", "VERSION": "v1.2.0"}.items():
        assert variable in steps[-1]["env"]
        commands[-1] = commands[-1].replace(f'"${variable}"', value)
    lamp.run(*commands[-1].split()[1:], code=0)
    for name in ("1.2.0", "latest", "stable"):
        assert (lamp.path / "published" / name / page.relative_to(page.parents[2])).is_file()


def test_a_new_site_overwrites_nothing(lamp: Root) -> None:
    (lamp.path / "site").mkdir()
    (lamp.path / "site/index.rst").write_text("Mine\n====\n")
    _, said = docs(lamp, "new", "site", "--package", "lamp", code=2)
    assert "site/index.rst: already there, and nothing was written" in said
    assert [each.name for each in (lamp.path / "site").iterdir()] == ["index.rst"]
    assert not (lamp.path / ".github").exists()


def test_a_new_site_takes_what_lies_there(lamp: Root, tmp_path: Path) -> None:
    (lamp.path / "package").rename(lamp.path / "src")
    docs(lamp, "new")
    conf = (lamp.path / "docs/conf.py").read_text()
    assert 'airflow_catalog = {"packages": ["lamp"], "dags": ["../dags"]}' in conf
    (tmp_path / "empty").mkdir()
    ran = Root(tmp_path / "empty").run("-c", _MAIN, "docs", "new", code=2)
    assert "holds no package and no folder dags; name them with --package and --dags" in ran.stderr


def test_serving_without_its_extra_says_what_to_install(lamp: Root) -> None:
    docs(lamp, "new", "site", "--package", "lamp")
    blocked = f"import sys; sys.modules['sphinx_autobuild'] = None; {_MAIN}"
    ran = lamp.run("-c", blocked, "docs", "serve", "site", code=2)
    assert "run: pip install 'platform-ops[serve]'" in ran.stderr


def test_an_old_code_base_starts_with_a_baseline(tmp_path: Path) -> None:
    shelf = copied("shelf", tmp_path)
    check = ("check", "docs", "--no-pages", "--format", "json")
    assert json.loads(docs(shelf, *check, code=1)[0])["summary"] == {
        "error": 4,
        "warning": 3,
        "note": 0,
    }

    _, said = docs(shelf, *check, "--write-baseline")
    assert "docs/baseline.json: 7 findings; from now on there may only be fewer" in said
    report = json.loads(docs(shelf, *check, "--strict")[0])
    assert (report["findings"], len(report["excused"])) == ([], 7)

    shelf.replace("package/shelf/operators.py", "    :param condition: How it left.\n", "")
    old = "back.\n\n    :param title: The book.\n"
    new = f"{old}    :param deferrable: Whether it frees its worker.\n"
    shelf.replace("package/shelf/operators.py", old, new)
    report = json.loads(docs(shelf, *check, code=1)[0])
    assert [(each["rule"], each["message"]) for each in report["findings"]] == [
        ("CHK003", "DOC102 package/shelf/operators.py shelf.operators.Patience: no :param deferrable: field"),
        ("DOC102", "no :param condition: field"),
    ]  # fmt: skip

    sarif = tmp_path / "report.sarif"
    docs(
        shelf, *check[:3], "--format", "sarif", "--output", str(sarif), "--select", "DOC102", code=1
    )
    document = json.loads(sarif.read_bytes())
    jsonschema.validate(document, SARIF)
    (run,) = document["runs"]
    assert {each["ruleId"] for each in run["results"]} == {"CHK003", "DOC102"}
    place = run["results"][1]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "package/shelf/operators.py"}


def test_a_site_that_is_none_says_what_it_lacks(lamp: Root) -> None:
    (lamp.path / "site").mkdir()
    (lamp.path / "site/conf.py").write_text(
        'extensions = []\nairflow_catalog = {"packages": ["lamp"]}\n'
    )
    _, said = docs(lamp, "check", "site", code=2)
    assert "airflow-check" in said
    _, said = docs(lamp, "check", "site", "--no-pages", "--select", "NOPE", code=2)
    assert "no rule is called 'NOPE', or begins so; there are DOC001, DOC101" in said


def test_examples_are_run_when_they_changed_and_reach_this_machine_alone(tmp_path: Path) -> None:
    shelf = copied("shelf", tmp_path)
    runner = '["../dags"], "examples": {"../dags": "shelf.runner:run"},'
    shelf.replace("docs/conf.py", '["../dags"],', runner)

    said, count = docs(shelf, "examples", "docs", code=1)
    assert said.splitlines()[0] == "../dags/lending.py: new"
    assert "1 run, 0 as they were" in count
    kept = json.loads((shelf.path / "dags/_output/lending.json").read_bytes())
    assert kept["output"] == [
        "lending.py at http://127.0.0.1:PORT/",
        "was read at NOW, in 0.0 s",
        "the day is 2015-12-01T00:00:00",
    ]
    assert docs(shelf, "examples", "docs")[1].endswith("0 run, 1 as they were\n")

    shelf.replace("docs/conf.py", "runner:run", "runner:call_home")
    said, _ = docs(shelf, "examples", "docs", "--all", code=1)
    assert "examples reach this machine alone, not 192.0.2.1" in said
    shelf.replace("docs/conf.py", "runner:call_home", "runner:leave")
    assert "its process ended with 3" in docs(shelf, "examples", "docs", "--all", code=1)[0]
    assert json.loads((shelf.path / "dags/_output/lending.json").read_bytes()) == kept
