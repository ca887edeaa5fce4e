"""Notifiers that Airflow's cluster policies put on every task and DAG."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, BaseOperator

from platform_ops import policy
from platform_ops.notify import SiteNotifier, SlackNotifier
from platform_ops.testing.runner import run_task
from tests.fakes.slack import Slack
from tests.notify.conftest import Agree
from tests.notify.test_notifiers import CHANNELS, DAY, Load


class Mapped(BaseOperator):
    def __init__(self, *, number: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.number = number

    def execute(self, context: Any) -> None:  # noqa: ARG002  # the base class's signature
        raise RuntimeError(f"number {self.number}")


def parsed(dag: DAG) -> DAG:
    """As Airflow does with each DAG that it has built."""
    policy.dag_policy(dag)
    for task in dag.task_dict.values():
        policy.task_policy(task)
    return dag


def test_every_task_tells_mapped_or_not_and_keeps_its_own_callbacks(
    agree: Agree, slack: Slack
) -> None:
    agree(f"notify.attach = true\n{CHANNELS}")
    called: list[Any] = []
    with DAG("shop") as dag:
        Load(task_id="load", fault=OSError("gone"), on_failure_callback=called.append)
        Mapped.partial(task_id="each").expand(number=[7])
    parsed(dag)
    run_task(dag.get_task("load"), at=DAY, callbacks=True)
    run_task(dag.get_task("each"), at=DAY, map_index=0, callbacks=True)
    assert len(called) == 1
    assert [message["text"] for _, message in slack.shown] == [
        "❌ shop.load failed: OSError: gone",
        "❌ shop.each failed: RuntimeError: number 7",
    ]


def test_a_run_is_told_by_its_dag_where_no_task_of_it_tells(agree: Agree, slack: Slack) -> None:
    agree(f"notify.attach = true\n{CHANNELS}")
    with DAG("shop") as dag:
        Load(task_id="load")
    parsed(dag)
    assert dag.has_on_failure_callback
    assert not dag.has_on_success_callback
    (callback,) = dag.on_failure_callback  # type: ignore[misc]  # a list by now
    for reason in ("task_failure", "timed_out"):
        callback({"dag": dag, "run_id": "r", "reason": reason})
    assert [message["text"] for _, message in slack.shown] == [
        "❌ shop failed: It ran for longer than its dagrun_timeout."
    ]


def test_a_run_that_fails_again_much_later_is_another_incident(agree: Agree, slack: Slack) -> None:
    site = agree(f"notify.attach = true\n{CHANNELS}")
    with DAG("shop") as dag:
        Load(task_id="load")
    (callback,) = parsed(dag).on_failure_callback  # type: ignore[misc]  # a list by now
    folder = Path(site.archive.root.removeprefix("file://")) / "notices/v1/incidents/shop"
    for number in range(2):
        callback({"dag": dag, "run_id": f"r{number}", "reason": "timed_out"})
        newest = max(folder.glob("*/*.json"))
        state = json.loads(newest.read_text())
        newest.write_text(json.dumps({**state, "told_at": "2024-01-01T00:00:00+00:00"}))
    assert [message["text"] for _, message in slack.shown] == [
        "❌ shop failed: It ran for longer than its dagrun_timeout."
    ] * 2


def test_who_tells_already_is_left_alone_and_nothing_is_attached_unasked(
    agree: Agree, slack: Slack
) -> None:
    agree(CHANNELS)
    with DAG("shop") as dag:
        Load(task_id="load")
    assert not parsed(dag).get_task("load").on_failure_callback
    agree(f"notify.attach = true\n{CHANNELS}")
    own = SlackNotifier(connection="slack_hook")
    with DAG("shop", default_args={"on_failure_callback": own}) as dag:
        Load(task_id="load")
    parsed(parsed(dag))
    task: Any = dag.get_task("load")
    assert task.on_failure_callback == [own]
    assert [type(each) for each in task.on_success_callback] == [SiteNotifier]
