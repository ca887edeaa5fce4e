"""The demo, as a visitor runs it: what it prints, what it leaves, and how it stops."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from tests.demo.api import Api
from tests.demo.processes import poll

ROOT = Path(__file__).resolve().parents[2]
WHOLE_S = 400.0
"""Longest that the whole demo may take here; other tests may share the machine."""


@dataclass(slots=True)
class Demo:
    """A demo that runs, and can be told from every other process by a mark in its environment."""

    process: subprocess.Popen[bytes]
    log: Path
    temporary: Path
    mark: str

    @property
    def output(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def wait_for(self, text: str, timeout_s: float) -> None:
        def seen() -> bool:
            assert self.process.poll() is None or text in self.output, self.output[-3000:]
            return text in self.output

        poll(seen, repr(text), timeout_s, interval_s=0.2)

    def survivors(self) -> list[str]:
        found = []
        for process in psutil.process_iter():
            try:
                if self.mark in process.environ().values():
                    found.append(" ".join(process.cmdline()))
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[Demo]:
    temporary, log, mark = folder / "temporary", folder / "output.txt", uuid.uuid4().hex
    temporary.mkdir()
    env: Mapping[str, str] = {**os.environ, "TMPDIR": str(temporary), "DEMO_MARK": mark}
    command = [sys.executable, "-m", "tests.demo", *options]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=env, cwd=ROOT)
    running = Demo(process, log, temporary, mark)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(60)


@dataclass(frozen=True, slots=True)
class Ended:
    """What is known once the demo was served, looked at, and stopped by Ctrl-C."""

    output: str
    exit_code: int
    pages: Mapping[str, int]
    forms: Mapping[str, Any]
    survivors: list[str]
    left: list[str]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    with demo(tmp_path_factory.mktemp("demo"), "--serve") as running:
        running.wait_for("Ctrl-C", WHOLE_S)
        running.wait_for("Archive  file://", 60)
        served = running.output.rsplit("Up until Ctrl-C", 1)[-1]
        urls = re.findall(r"http://127\.0\.0\.1:\d+/?", served)
        pages = {url: requests.get(url, timeout=30).status_code for url in urls}
        forms = _connection_forms(served)
        running.process.send_signal(signal.SIGINT)
        code = running.process.wait(60)
        left = [path.name for path in running.temporary.glob("platform_ops-demo-*")]
        return Ended(running.output, code, pages, forms, running.survivors(), left)


def _connection_forms(served: str) -> Mapping[str, Any]:
    """What Airflow's UI asks its API server for, to draw the form of each connection type."""
    found = re.search(r"(http://\S+)\s+user (\S+), password (\S+)", served)
    assert found is not None, served
    api = Api.login(found[1].rstrip("/"), found[2], found[3])
    reply = api.session.get(f"{api.url}/ui/connections/hook_meta", timeout=30)
    return {each["connection_type"]: each for each in reply.json()}


def test_it_ends_well_and_leaves_nothing(whole: Ended) -> None:
    assert whole.exit_code == 0, whole.output[-3000:]
    assert whole.survivors == []
    assert whole.left == []


def test_it_serves_the_ui_and_the_site(whole: Ended) -> None:
    assert list(whole.pages.values()) == [200, 200]


def test_the_ui_knows_the_form_of_our_connection(whole: Ended) -> None:
    form = whole.forms["archiving_http"]
    assert form["hook_name"] == "Archiving HTTP"
    assert form["hook_class_name"] == "platform_ops.sources.web.hook.ArchivingHttpHook"
    assert "entity" in form["extra_fields"]


@pytest.mark.parametrize(
    ("dag_id", "day", "tasks"),
    [
        ("airports_by_state", "2015-12-03", 4),
        ("daily_weather", "2015-12-01", 2),
        ("hourly_temperatures", "2010-07-02", 2),
        ("stock_operator", "2009-06-01", 1),
    ],
)
def test_it_shows_each_run_with_its_state(whole: Ended, dag_id: str, day: str, tasks: int) -> None:
    assert re.search(rf"{dag_id} +{day} +success +{tasks} of {tasks}", whole.output)


def test_a_first_try_fails_and_the_second_succeeds(whole: Ended) -> None:
    assert whole.output.count("readings: try 1 failed, try 2 success") == 3


def test_it_draws_the_archive_and_prints_a_manifest(whole: Ended) -> None:
    for level in (
        "noaa",
        "dt=2015-12-01/at=000000Z",
        "map=hi",
        "page-000003.jsonl",
        "response.csv",
    ):
        assert level in whole.output
    assert (
        '"sha256": "421273acc74fd067799afe7b6aaa47a3f14e5c55092d6805e9c4875319b67b53"'
        in whole.output
    )


def test_it_shows_what_the_listener_received(whole: Ended) -> None:
    assert re.search(r"entities +revisions +3 +9 +3 +3 +3", whole.output)
    assert "SourceUnavailable" in whole.output


def test_all_is_verified(whole: Ended) -> None:
    assert re.search(r"21 manifests, .* no fault", whole.output)


def test_the_replay_asks_the_source_nothing(whole: Ended) -> None:
    assert "connection refused" in whole.output
    assert whole.output.count("replayed") >= 6
    assert re.search(r"requests that the source got +30 +30", whole.output)
    assert re.search(r"what the tasks handed on +(\w+) +\1", whole.output)


def test_sql_reads_the_committed_files(whole: Ended) -> None:
    assert re.search(r"2015-12-01 +fog +12\.2 +3\.9 +10\.0", whole.output)


def test_the_site_is_where_it_says(whole: Ended) -> None:
    found = re.search(r"file://(/\S+/docs/_build/demo/index\.html)", whole.output)
    assert found is not None
    assert Path(found[1]).exists()


def test_ctrl_c_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path, "--no-site") as running:
        running.wait_for("runs finished 0/15", WHOLE_S)
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(60) == 130
    assert running.survivors() == []
    assert list(running.temporary.iterdir()) == []
    assert "nothing is left running" in running.output


def test_a_taken_port_ends_it_with_what_to_do(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        demo(tmp_path, "--port", str(other.getsockname()[1])) as running,
    ):
        assert running.process.wait(60) == 1
    assert "stop what listens there, name another one with --port" in " ".join(
        running.output.split()
    )
    assert list(running.temporary.iterdir()) == []
