"""Folders of files: exceptions, repairs, cache, processes, and the command around it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
from click.testing import CliRunner, Result

from platform_ops.cli import main
from platform_ops.conventions import CONVENTIONS, Linted, agreed_by, fix, lint
from platform_ops.errors import ConfigError
from platform_ops.settings import Settings
from tests.conventions.found import HEAD, agreed, in_dag
from tests.findings_schema import SARIF
from tests.roots import copied

LOAD = '@task\ndef load():\n    """Load."""\nload()'


@pytest.fixture
def dags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of DAGs, below where the command runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("AIRFLOW_HOME", raising=False)
    folder = tmp_path / "dags"
    folder.mkdir()
    return folder


def run(*paths: Path, **options: object) -> Linted:
    return lint(paths, agreed(), conventions=CONVENTIONS, **options)  # type: ignore[arg-type]  # of one test


def told(linted: Linted) -> list[tuple[str, str, int | None]]:
    return [(each.rule.id, each.place.file, each.place.line) for each in linted.report]


def command(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["lint", *arguments])
    assert result.exit_code == code, result.output
    return result


# Exceptions


def test_a_noqa_with_a_reason_excuses_its_own_line(dags: Path) -> None:
    text = in_dag(LOAD, dag_id='"Tides"')
    (dags / "a.py").write_text(
        text.replace("with DAG(", "with DAG(  # noqa: PO101 ten years of history")
    )
    found = run(dags)
    assert told(found) == []
    (excused,) = found.report.excused
    assert (excused.by, excused.reason) == ("noqa", "ten years of history")
    assert "1 excused in the code" in found.report.summary()


def test_a_noqa_without_a_reason_is_a_finding(dags: Path) -> None:
    text = in_dag(LOAD, dag_id='"Tides"')
    (dags / "a.py").write_text(text.replace("with DAG(", "with DAG(  # noqa: PO101"))
    assert told(run(dags)) == [("PO901", "dags/a.py", 4)]


def test_a_noqa_that_excuses_nothing_is_a_finding_and_can_be_removed(dags: Path) -> None:
    text = in_dag(LOAD)
    (dags / "a.py").write_text(text.replace("with DAG(", "with DAG(  # noqa: PO101 it was odd"))
    found = run(dags)
    assert told(found) == [("PO902", "dags/a.py", 4)]
    assert fix(found, found.report) == ["dags/a.py"]
    assert (dags / "a.py").read_text() == text


def test_codes_of_other_linters_are_left_to_them(dags: Path) -> None:
    text = in_dag(LOAD, dag_id='"Tides"')
    noqa = "with DAG(  # noqa: E501, PO101 ten years of history"
    (dags / "a.py").write_text(
        text.replace("with DAG(", noqa) + "x = 1  # noqa: E999\ny = 1  # noqa\n"
    )
    assert told(run(dags)) == []


def test_a_noqa_inside_a_text_is_text(dags: Path) -> None:
    (dags / "a.py").write_text(in_dag(LOAD) + 'x = "# noqa: PO101"\n')
    assert told(run(dags)) == []


# Repairs

SHAPES = {
    "one line": (
        'DAG("tides", schedule="@daily")',
        'DAG("tides", schedule="@daily", catchup=False)',
    ),
    "a line each": (
        'DAG(\n    "tides",\n    schedule="@daily",  # at midnight\n)',
        'DAG(\n    "tides",\n    schedule="@daily",  # at midnight\n    catchup=False,\n)',
    ),
    "no comma at the end": (
        'DAG(\n    "tides",\n    schedule="@daily"  # at midnight\n)',
        'DAG(\n    "tides",\n    schedule="@daily",  # at midnight\n    catchup=False,\n)',
    ),
    "brackets around the last": (
        'DAG("tides", schedule=("@daily"))',
        'DAG("tides", schedule=("@daily"), catchup=False)',
    ),
    "not ASCII": (
        'DAG("tides", description="Höhe – ü", schedule="@daily")',
        'DAG("tides", description="Höhe – ü", schedule="@daily", catchup=False)',
    ),
}


@pytest.mark.parametrize(("before", "after"), SHAPES.values(), ids=SHAPES.keys())
def test_an_argument_is_added_in_the_shape_of_the_others(
    dags: Path, before: str, after: str
) -> None:
    file = dags / "a.py"
    file.write_text(f"from airflow.sdk import DAG\n\nx = {before}\n", "utf-8")
    found = run(dags)
    fix(found, found.report)
    assert file.read_text("utf-8") == f"from airflow.sdk import DAG\n\nx = {after}\n"


def test_several_repairs_of_one_file_and_ends_of_lines_as_they_were(dags: Path) -> None:
    file = dags / "a.py"
    body = 'FileSensor(task_id="one", filepath="a")\nFileSensor(\n    task_id="two",\n)\n'
    file.write_bytes(in_dag(body, catchup=None).replace("\n", "\r\n").encode())
    found = run(dags)
    fix(found, found.report)
    text = file.read_bytes().decode()
    assert text.count("catchup=False,\r\n") == 1
    assert 'filepath="a", mode="reschedule")' in text
    assert '        task_id="two",\r\n        mode="reschedule",\r\n' in text
    assert told(run(dags)) == []


def test_what_is_not_chosen_is_not_mended(dags: Path) -> None:
    file = dags / "a.py"
    file.write_text(in_dag('FileSensor(task_id="one", filepath="a")', catchup=None))
    command("dags", "--fix", "--select", "PO202")
    assert "catchup=False" in file.read_text()
    assert "reschedule" not in file.read_text()


# Files


def test_two_dags_that_write_one_entity_in_two_files(dags: Path) -> None:
    for name in ("a", "b"):
        body = 'ArchivingHttpOperator(task_id="x", entity="weather.forecast", endpoint="/")'
        (dags / f"{name}.py").write_text(in_dag(body, dag_id=f'"{name}"'))
    (finding,) = run(dags).report
    assert (finding.rule.id, finding.place.file) == ("PO504", "dags/b.py")
    assert "dags/a.py" in finding.message


def test_a_file_that_is_no_python_is_told_and_the_others_are_read(dags: Path) -> None:
    (dags / "a.py").write_text("def (:\n")
    (dags / "b.py").write_bytes(b"\xff\xfe\x00")
    (dags / "c.py").write_text(in_dag(LOAD, tags=None))
    assert {(rule, file) for rule, file, _ in told(run(dags))} == {
        ("PO001", "dags/a.py"),
        ("PO001", "dags/b.py"),
        ("PO103", "dags/c.py"),
    }


def test_the_cache_is_used_until_file_or_settings_change(dags: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (dags / f"{name}.py").write_text(in_dag(LOAD, dag_id='"Tides"'))
    cache = tmp_path / "lint.json"
    first = run(dags, cache=cache)
    again = run(dags, cache=cache)
    assert (first.cached, again.cached) == (0, 2)
    assert again.report.findings == first.report.findings
    (dags / "a.py").write_text(in_dag(LOAD))
    assert run(dags, cache=cache).cached == 1
    other = lint([dags], agreed(dag_id=".*"), cache=cache, conventions=CONVENTIONS)
    assert (other.cached, told(other)) == (0, [])
    cache.write_text("{")
    assert run(dags, cache=cache).cached == 0


def test_many_files_in_several_processes_give_the_same(dags: Path) -> None:
    for number in range(90):
        (dags / f"d{number}.py").write_text(in_dag(LOAD, dag_id=f'"Tides{number}"'))
    alone = run(dags)
    together = lint([dags], agreed(), jobs=2)
    assert together.report.findings == alone.report.findings
    assert len(alone.report) == 90


def test_pod_templates_below_the_folder_of_the_run(dags: Path) -> None:
    (dags / "pod.yaml").write_text("kind: Job\n")
    found = lint([dags], agreed(pod_templates=["dags/*.yaml"]), conventions=CONVENTIONS)
    assert told(found) == [("PO405", "dags/pod.yaml", 1)]


# Settings


def test_severities_are_the_sites_and_off_is_off(dags: Path) -> None:
    (dags / "a.py").write_text(in_dag(LOAD, dag_id='"Tides"', tags=None))
    rules = {"PO101": {"severity": "error"}, "PO103": {"severity": "off"}}
    found = lint([dags], agreed(rules=rules), conventions=CONVENTIONS)
    assert [(each.rule.id, each.rule.severity) for each in found.report] == [("PO101", "error")]


def test_a_rule_that_there_is_not_is_an_error_that_names_those_that_are(dags: Path) -> None:
    with pytest.raises(ConfigError, match=r"PO999.*PO101"):
        lint([dags], agreed(rules={"PO999": {"policy": "warn"}}))


def test_a_path_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="no such file"):
        run(Path("nowhere"))


# The command


def test_readable_output_never_quotes_a_secret(dags: Path) -> None:
    top = 'Variable.get("x"); TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"\n'
    (dags / "a.py").write_text(HEAD + top)
    told = command(code=1)
    assert "PO601" in told.stdout
    assert "PO302" in told.stdout
    for form in ("text", "json", "sarif", "junit", "github"):
        result = command("--format", form, code=1)
        assert "ghp_0123" not in result.stdout + result.stderr


def test_readable_output_shows_the_line_and_what_to_do(dags: Path) -> None:
    (dags / "a.py").write_text(in_dag(LOAD, default_args='{"retries": 1}'))
    result = command(code=1)
    assert "dags/a.py:4 PO104 Task without an owner\n      4 │ with DAG(\n" in result.stdout
    assert "→ set `owner` in `default_args`" in result.stdout
    assert "1 error" in result.stdout
    assert "1 file, 0 known from before" in result.stderr
    assert "1 known from before" in command(code=1).stderr


def test_warnings_fail_where_that_is_asked_for(dags: Path) -> None:
    (dags / "a.py").write_text(in_dag(LOAD, tags=None))
    command()
    command("--strict", code=1)
    command("--strict", "--ignore", "PO1")


def test_formats_for_machines(dags: Path) -> None:
    text = in_dag(LOAD, default_args='{"retries": 1}', dag_id='"Tides"')
    (dags / "a.py").write_text(text.replace("with DAG(", "with DAG(  # noqa: PO101 old"))
    sarif = json.loads(command("--format", "sarif", code=1).stdout)
    jsonschema.validate(sarif, SARIF)
    results = sarif["runs"][0]["results"]
    assert [each["ruleId"] for each in results] == ["PO104", "PO101"]
    assert results[1]["suppressions"][0]["kind"] == "inSource"
    assert "::error file=dags/a.py,line=4" in command("--format", "github", code=1).stdout
    document = json.loads(command("--format", "json", code=1).stdout)
    assert document["findings"][0]["rule"] == "PO104"
    command("--format", "junit", "--output", "junit.xml", code=1)
    assert "<failure" in Path("junit.xml").read_text()


def test_a_baseline_holds_what_was_there_before(dags: Path) -> None:
    (dags / "a.py").write_text(in_dag(LOAD, default_args='{"retries": 1}'))
    command("--baseline", "known.json", "--write-baseline")
    command("--baseline", "known.json")
    (dags / "b.py").write_text(in_dag(LOAD, default_args='{"retries": 1}'))
    assert "dags/b.py" in command("--baseline", "known.json", code=1).stdout
    command("--write-baseline", code=2)


def test_a_package_brings_rules_and_options_of_its_own(tmp_path: Path) -> None:
    root = copied("almanac", tmp_path)
    start = "from platform_ops.cli import main; main()"
    ran = root.run("-c", start, "lint", "--no-cache", code=1)
    assert "dags/tides.py:7 AL101 Runs that overlap" in ran.stdout
    (root.path / "conf").mkdir()
    (root.path / "conf" / "platform.toml").write_text(
        "[conventions.rules.AL101]\nseverity = 'warning'\noptions = { most = 16 }\n"
    )
    root.replace("dags/tides.py", 'tags=["tides"]', 'tags=["tides"], max_active_runs=16')
    assert "nothing found" in root.run("-c", start, "lint", "--no-cache", "--strict").stdout


def test_loading_shows_what_source_does_not(dags: Path, tmp_path: Path) -> None:
    """A DAG's id that a loop makes, a slow file with what is slow in it, and one that fails."""
    (dags / "loop.py").write_text(
        in_dag(LOAD, dag_id="name").replace(
            "with DAG(", "name = 'Ti' + 'des'.upper()[:3]\nwith DAG("
        )
    )
    (dags / "slow.py").write_text(
        "import time\n" + in_dag(LOAD, dag_id='"slow"') + "\ntime.sleep(0.3)\n"
    )
    (dags / "fails.py").write_text(in_dag(LOAD, dag_id='"fails"') + "\nraise LookupError('gone')\n")
    found = lint([dags], agreed(parse_seconds=0.25), load=True)
    seen = {(each.rule.id, each.place.file): each.message for each in found.report}
    assert ("PO101", "dags/loop.py") in seen
    assert seen["PO002", "dags/fails.py"] == "LookupError: gone"
    assert "0.25 s are agreed on" in seen["PO305", "dags/slow.py"]
    assert ("PO101", "dags/loop.py") not in {
        (each.rule.id, each.place.file) for each in lint([dags], agreed()).report
    }


def test_our_own_examples_keep_our_conventions(monkeypatch: pytest.MonkeyPatch) -> None:
    from platform_ops.settings import load

    project = Path(__file__).parents[2]
    monkeypatch.chdir(project)
    found = lint([Path("docs/examples")], agreed_by(load(Path("conf/platform.toml")).settings))
    assert [each for each in found.report if each.rule.severity == "error"] == []


def test_settings_without_a_table_hold_their_defaults() -> None:
    assert agreed_by(Settings()).entities is None


def test_heavy_imports_are_measured_on_request_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "lib" / "slowpoke"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import time\ntime.sleep(0.8)\nmodels = 1\n")
    (tmp_path / "lib" / "swift.py").write_text("rows = 1\n")
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "one.py").write_text(
        "import swift\nfrom slowpoke import models\nimport nowhere\n" + in_dag("pass")
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "lib")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def told() -> str:
        return CliRunner().invoke(main, ["lint", "--measure-imports", "--select", "PO303"]).output

    first = told()
    assert "imports slowpoke at the top of the file" in first
    assert first.count("PO303") == 1
    kept = json.loads((tmp_path / "cache" / "platform-ops" / "imports.json").read_text())
    assert sorted(kept) == ["airflow.sdk", "slowpoke", "swift"]
    (tmp_path / "cache" / "platform-ops" / "imports.json").write_text(
        json.dumps({**kept, "slowpoke": [kept["slowpoke"][0], 0.1]})
    )
    assert "slowpoke" not in told().replace("slowpoke import", "")
