"""The tutorials, walked to the end: what a reader saves is saved, and what a reader types is run."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.demo.airflow import free_port

TUTORIALS = Path(__file__).resolve().parents[2] / "docs" / "tutorials"
# The environment is that of this session; the demo has a test of its own.
_ELSEWHERE = ("pip install", "python3 -m venv", ". trial/bin/activate", "python3 noxfile.py")
_SAVED = re.compile(r"Save (?:this as )?`([^`]+)`")
_ADDED = re.compile(r"to the end of `([^`]+)`")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def steps(text: str) -> Iterator[str]:
    """Each step of a page as lines of a shell."""
    end = 0
    for block in _BLOCK.finditer(text):
        before, end = text[end : block.start()], block.end()
        if block[1] == "console":
            typed = re.findall(r"^\$ (.*)$", block[2], re.MULTILINE)
            yield from (line for line in typed if not line.startswith(_ELSEWHERE))
        elif block[1] == "python":
            more = _ADDED.findall(before)
            names = more or _SAVED.findall(before)
            assert names, f"where does this go?\n{block[2]}"
            how, code = (">>", f"\n\n{block[2]}") if more else (">", block[2])
            yield f"cat {how} {shlex.quote(names[-1])} <<'END OF FILE'\n{code}END OF FILE"


def walk(page: str, folder: Path, **replaced: str) -> str:
    """What a reader of a page sees who does all that it says, in one shell."""
    text = (TUTORIALS / page).read_text("utf-8")
    for shown, real in replaced.items():
        text = text.replace(shown.removeprefix("_"), real)
    home = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    script = "\n".join(["set -eu", *steps(text)])
    shell = subprocess.Popen(
        ["bash", "-c", script],
        cwd=folder,
        env={**home, "PATH": path, "PYTEST_ADDOPTS": "-p no:cacheprovider"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = shell.communicate(timeout=300)
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGKILL)
    assert shell.returncode == 0, said
    return said


def test_a_first_dag_archives_revises_and_replays(tmp_path: Path) -> None:
    said = walk("quickstart.md", tmp_path, _8765=str(free_port()))
    assert "revision 1, 27 bytes in 1 bodies" in said
    returned = re.findall(r"Returned value was: (\w+)", said)
    assert returned == ["fog", "sun", "sun"]
    assert said.count('{"high": 31, "sky": "fog"}') == 2  # as the newest, and as revision 1


def test_an_operator_is_written_tested_and_replayed(tmp_path: Path) -> None:
    said = walk("own-operator.md", tmp_path)
    assert re.findall(r"\d passed", said) == ["1 passed", "2 passed", "3 passed"]
