"""The noxfile, the lock and the workflows: what a visitor and CI start from."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.fakes import azurite

ROOT = Path(__file__).resolve().parent.parent
NOXFILE = ROOT / "noxfile.py"
SESSIONS = [
    *("demo", "tests", "lint", "types", "layers", "docs", "docs-live", "integration"),
    *(
        "roles",
        "sources",
        "races",
        "crashes",
        "foreign",
        "lowest",
        "bench",
        "build",
        "wheel",
        "publish",
        "lock",
    ),
]


def _run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the noxfile as a script, after some code has made the interpreter another one."""
    script = f"import runpy, sys\n{code}\nrunpy.run_path({str(NOXFILE)!r}, run_name='__main__')"
    command = [sys.executable, "-c", script]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def _pins() -> dict[str, list[Requirement]]:
    pins: dict[str, list[Requirement]] = {}
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            pin = Requirement(line)
            pins.setdefault(canonicalize_name(pin.name), []).append(pin)
    return pins


def _declared() -> dict[str, Requirement]:
    """Every direct requirement of the project, its extras and its groups."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    project = declared["project"]
    lists = [
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *declared["dependency-groups"].values(),
    ]
    found = [Requirement(text) for texts in lists for text in texts if isinstance(text, str)]
    return {
        canonicalize_name(requirement.name): requirement
        for requirement in found
        if requirement.name != "platform-ops"
    }


def test_an_old_python_is_told_which_one_is_needed() -> None:
    done = _run("sys.version_info = (3, 10, 4, 'final', 0)")

    assert done.returncode == 1
    assert "Python 3.11 or later is needed" in done.stderr
    assert "is 3.10; run it with a newer one" in done.stderr


def test_an_old_python_can_read_as_far_as_that() -> None:
    ast.parse(NOXFILE.read_text("utf-8"), feature_version=(3, 7))


def test_a_python_without_ensurepip_is_told_what_to_install(tmp_path: Path) -> None:
    hide = "import importlib.util as u; find = u.find_spec"
    hide += "; u.find_spec = lambda name: None if name == 'ensurepip' else find(name)"
    done = _run(hide, NOX_ENVDIR=str(tmp_path / "environments"))

    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr
    assert not (tmp_path / "environments").exists()


def test_a_failed_fetch_leaves_nothing_that_the_next_run_would_trust(tmp_path: Path) -> None:
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:1/simple",
        "PIP_RETRIES": "0",
        "PIP_NO_INDEX": "0",
    }
    nowhere |= {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    done = _run("sys.argv = ['noxfile.py', '--list']", NOX_ENVDIR=str(tmp_path), **nowhere)

    assert done.returncode == 1
    assert "cannot fetch nox and uv" in done.stderr
    assert list((tmp_path / ".bootstrap").iterdir()) == []


def test_every_session_is_there_and_says_what_it_does() -> None:
    command = [sys.executable, "-m", "nox", "-f", str(NOXFILE), "--list"]
    listing = subprocess.check_output(command, cwd=ROOT, text=True)
    sessions = re.findall(r"^[-*] (\S+) -> (.+)$", listing, re.MULTILINE)

    assert [name for name, _ in sessions] == SESSIONS
    for name, description in sessions:
        assert re.fullmatch(r"[A-Z].+\.", description), name


def test_the_lock_pins_versions_and_names_no_address() -> None:
    pins = [pin for alternatives in _pins().values() for pin in alternatives]

    assert len(pins) > 150
    for pin in pins:
        assert re.fullmatch(r"==(\d+!)?[\w.+]+", str(pin.specifier)), pin
        assert pin.url is None, pin


def test_the_lock_holds_every_direct_requirement() -> None:
    pins = _pins()
    for name, requirement in _declared().items():
        assert name in pins, f"{name} is not in constraints.txt; run: python3 noxfile.py -s lock"
        for pin in pins[name]:
            version = next(iter(pin.specifier)).version
            assert requirement.specifier.contains(version), (
                f"{pin}: {requirement}; run the lock session"
            )


def test_every_requirement_has_a_floor() -> None:
    for requirement in _declared().values():
        assert any(bound.operator in {">=", "~="} for bound in requirement.specifier), str(
            requirement
        )


def test_the_extra_all_is_all_of_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    (everything,) = map(Requirement, extras["all"])

    assert everything.extras == extras.keys() - {"all"}


@pytest.mark.parametrize("workflow", ["ci.yml", "docs.yml"])
def test_workflows_call_sessions_alone_with_pinned_actions(workflow: str) -> None:
    text = (ROOT / ".github" / "workflows" / workflow).read_text("utf-8")
    steps = [step for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"]]

    assert all(re.match(r"python noxfile\.py -s ", step["run"]) for step in steps if "run" in step)
    for line in re.findall(r"uses: .*", text):
        assert re.fullmatch(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_ci_runs_the_command_of_the_readme_first() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    steps = re.findall(
        r'^step (\w+) "\$PYTHON" (.+)$', (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE
    )

    assert f"python3 {steps[0][1]}" in readme
    assert [name for name, _ in steps] == [
        *("tests", "lint", "types", "layers", "docs", "integration", "roles"),
        *("sources", "crashes", "races", "foreign", "wheel", "lowest"),
    ]


def test_azurite_is_of_the_version_that_the_tests_ask_for() -> None:
    assert f'AZURITE = "{azurite.VERSION}"' in NOXFILE.read_text("utf-8")
