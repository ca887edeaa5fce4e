"""A real Airflow whose cluster policy attaches the notifiers: Slack, mail and a webhook hear of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.demo.airflow import Airflow, free_port
from tests.demo.processes import Nursery, poll
from tests.fakes.slack import Slack
from tests.fakes.smtp import mail_server
from tests.fakes.wire import say, wire

SITE = """
[notify]
attach = true
[notify.channels.bot]
kind = "slack"
connection = "slack_bot"
to = ["#oncall"]
[notify.channels.desk]
kind = "email"
to = ["desk@example.com"]
[notify.channels.pager]
kind = "webhook"
connection = "pager"
"""
DAGS = """
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.sdk import DAG, task

START = datetime(2024, 1, 1, tzinfo=timezone.utc)

with DAG("sometimes", schedule="@once", start_date=START, catchup=False):

    @task(retries=1, retry_delay=timedelta(seconds=1))
    def fetch():
        if not Path({mended!r}).exists():
            raise RuntimeError("the source is down")

    fetch()

with DAG(
    "slow", schedule="@once", start_date=START, catchup=False, dagrun_timeout=timedelta(seconds=4)
):

    @task
    def sleep():
        time.sleep(600)

    sleep()
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What arrived at each of the three ends, in order."""

    slack: list[dict[str, Any]]
    mails: list[EmailMessage]
    posted: list[dict[str, Any]]


def sink(folder: Path, stack: ExitStack) -> tuple[dict[str, str], Any, Any, Any]:
    """Three servers, and the variables by which Airflow knows them."""
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    slack = Slack(stack.enter_context(wire()))
    slack.connect_bot(patch)
    post = stack.enter_context(mail_server())
    post.connect(patch)
    web = stack.enter_context(wire())
    web.on("*", say())
    web.connect(patch, "pager", conn_type="http", login=None, password="hunter2")
    config = folder / "platform.toml"
    config.write_text(SITE)
    connections = {name: text for name, text in os.environ.items() if "AIRFLOW_CONN_" in name}
    return (
        {**connections, "AIRFLOW__PLATFORM_OPS__CONFIG": str(config)},
        slack,
        post,
        web,
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """One task fails for good and then works; one run takes too long."""
    folder = tmp_path_factory.mktemp("notify")
    (folder / "dags").mkdir()
    mended = folder / "mended"
    (folder / "dags" / "both.py").write_text(DAGS.replace("{mended!r}", repr(str(mended))))
    with ExitStack() as stack:
        variables, slack, post, web = sink(folder, stack)
        nursery = stack.enter_context(Nursery.opened(folder / "logs"))
        variables |= {"AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags")}
        airflow = Airflow(folder / "airflow", nursery, free_port(), variables)
        airflow.start()
        api = airflow.ready()

        def texts() -> list[str]:
            nursery.check()
            return [message["text"] for _, message in slack.shown]

        def failed() -> bool:
            return {each.partition(":")[0] for each in texts()} >= {
                "❌ sometimes.fetch failed",
                "❌ slow failed",
            }

        poll(failed, "both failures", 240, interval_s=0.5)
        mended.touch()
        api.post("dags/sometimes/dagRuns", {"logical_date": None})
        poll(
            lambda: any(each.startswith("💚 sometimes.fetch") for each in texts()),
            "the recovery",
            120,
            interval_s=0.5,
        )

        def ended() -> bool:
            runs = api.get("dags/sometimes/dagRuns")["dag_runs"]
            return sorted(each["state"] for each in runs) == ["failed", "success"]

        poll(ended, "the ends of both runs, as they were without a notifier", 60, interval_s=0.5)
        yield Told(
            [message for _, message in slack.shown],
            post.letters(),
            [json.loads(each.body) for each in web.requests],
        )


def test_a_failure_for_good_and_its_recovery_reach_all_three(told: Told) -> None:
    task = [each["kind"] for each in told.posted if each["subject"]["task_id"] == "fetch"]
    assert task == ["failure", "recovered"]
    subjects = [each["Subject"] for each in told.mails]
    assert "[failure] sometimes.fetch failed" in subjects
    assert "[recovered] sometimes.fetch works again" in subjects
    failures = [each["text"] for each in told.slack if each["text"].startswith("❌ sometimes")]
    assert failures == ["❌ sometimes.fetch failed: RuntimeError: the source is down"]


def test_a_run_that_takes_too_long_is_told_by_the_dag_processor(told: Told) -> None:
    (run,) = [each for each in told.posted if each["subject"]["dag_id"] == "slow"]
    assert run["subject"]["task_id"] is None
    assert run["text"] == "It ran for longer than its dagrun_timeout."
    assert [each["label"] for each in run["links"]] == ["Run"]


def test_the_log_link_leads_to_the_try_that_failed(told: Told) -> None:
    (failure,) = [each for each in told.posted if each["kind"] == "failure" and
                  each["subject"]["task_id"] == "fetch"]  # fmt: skip
    (log,) = [each["url"] for each in failure["links"] if each["label"] == "Log"]
    assert "/dags/sometimes/runs/" in log
    assert log.endswith("/tasks/fetch?try_number=2")
