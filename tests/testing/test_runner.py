"""``run_task`` and ``run_dag``: Airflow's own task runner, and a process left as it was."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator, Variable, get_current_context, task, task_group
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.execution_time import comms, task_runner

from platform_ops.testing.runner import Supervisor, run_dag, run_task

DAY = "2024-03-05"


def only(code: Any, **arguments: Any) -> Any:
    """The function as the only task of a DAG."""
    with DAG("runner"):
        called: Any = task(code, **arguments)()
    return called.operator


def test_a_task_sees_its_run() -> None:
    def own() -> list[str]:
        context = get_current_context()
        return [
            context["ds"],
            f"{context['data_interval_end']:%H:%M}",
            context["run_id"],
            str(context["ti"].try_number),
            str(context["params"]["x"]),
        ]

    with DAG("runner", params={"x": 1}):
        called: Any = task(own)()
    ran = run_task(called.operator, at=DAY, interval=timedelta(hours=1), try_number=3)
    assert ran.xcom == [DAY, "01:00", f"scheduled__{DAY}T00:00:00+00:00", "3", "1"]
    moment = datetime(2024, 3, 5, tzinfo=UTC)
    assert run_task(called.operator, at=moment, run_id="x").xcom[2] == "x"


def test_what_a_task_raises_is_in_the_result_with_its_traceback() -> None:
    def own() -> None:
        raise KeyError("missing")

    ran = run_task(only(own), at=DAY)
    assert (ran.state, ran.xcom) == ("failed", None)
    assert isinstance(ran.error, KeyError)
    assert "KeyError('missing')" in repr(ran)
    assert ran.error.__traceback__ is not None
    with pytest.raises(KeyError, match="missing"):
        raise ran.error


@pytest.mark.parametrize(
    ("try_number", "state"), [(1, "up_for_retry"), (2, "up_for_retry"), (3, "failed")]
)
def test_a_failure_is_retried_as_often_as_the_task_says(try_number: int, state: str) -> None:
    def own() -> None:
        raise ValueError

    assert run_task(only(own, retries=2), at=DAY, try_number=try_number).state == state


def test_a_skip_is_a_state_and_no_error() -> None:
    def own() -> None:
        raise AirflowSkipException("nothing new")

    ran = run_task(only(own), at=DAY)
    assert (ran.state, ran.error) == ("skipped", None)


class Deferring(BaseOperator):
    def execute(self, context: Any) -> None:  # noqa: ARG002  # the base class's signature
        from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

        self.defer(trigger=TimeDeltaTrigger(timedelta(days=1)), method_name="later")


def test_a_deferral_is_a_state_and_no_error() -> None:
    with DAG("runner"):
        operator = Deferring(task_id="deferring")
    ran = run_task(operator, at=DAY)
    assert (ran.state, ran.error, ran.xcom) == ("deferred", None, None)


def test_rendered_fields_are_those_of_the_ui() -> None:
    def own(day: str, password: str) -> None: ...

    with DAG("runner"):
        called: Any = task(own)("{{ ds }}", password="hunter2")
    ran = run_task(called.operator, at=DAY)
    assert DAY in str(ran.rendered)
    assert "hunter2" not in str(ran.rendered)


def test_variables_live_as_long_as_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_GIVEN", "by the environment")

    def own() -> list[str]:
        Variable.set("mine", "1")
        found = [Variable.get("given"), Variable.get("mine")]
        Variable.delete("mine")
        return [*found, Variable.get("mine", default="gone")]

    assert run_task(only(own), at=DAY).xcom == ["by the environment", "1", "gone"]


def test_what_only_a_real_airflow_knows_is_refused_by_name() -> None:
    def own() -> int:
        count: int = get_current_context()["ti"].get_dr_count(dag_id="runner")
        return count

    ran = run_task(only(own), at=DAY)
    assert isinstance(ran.error, NotImplementedError)
    assert "run_task has no answer to GetDRCount" in str(ran.error)


def test_an_asynchronous_task_runs_and_asks_the_same_supervisor() -> None:
    async def own() -> int:
        return await asyncio.sleep(0, 7)

    asyncio.set_event_loop(None)  # else Airflow takes one that it does not close
    assert run_task(only(own), at=DAY).xcom == 7
    question = comms.GetXCom(key="b", dag_id="d", run_id="r", task_id="a")
    assert asyncio.run(Supervisor({("a", "b", -1): 8}).asend(question)).value == 8


def test_the_process_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def own() -> str:
        return os.environ["AIRFLOW_CTX_DAG_ID"]

    def handler(*_: object) -> None: ...

    before = signal.signal(signal.SIGTERM, handler)
    try:
        assert run_task(only(own), at=DAY).xcom == "runner"
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, before)
    assert [name for name in os.environ if name.startswith("AIRFLOW_CTX_")] == []
    assert not hasattr(task_runner, "SUPERVISOR_COMMS")


# --- A whole run ----------------------------------------------------------------------------------


def test_values_pass_from_task_to_task_and_mapped_ones_are_gathered() -> None:
    with DAG("runner") as dag:

        @task
        def names() -> list[str]:
            return ["a", "bb"]

        @task
        def length(name: str, times: int) -> int:
            return len(name) * times

        @task
        def total(lengths: Any) -> int:
            return sum(lengths)

        sizes = length.partial(times=10).expand(name=names())
        total(sizes)  # type: ignore[arg-type,unused-ignore]  # an XComArg to the author

    ran = run_dag(dag, at=DAY)
    assert [each.xcom for each in ran.mapped("length")] == [10, 20]
    assert (ran.state, ran["total"].xcom) == ("success", 30)


def test_every_way_of_expanding_counts_its_instances() -> None:
    with DAG("runner") as dag:

        @task
        def rows() -> list[dict[str, int]]:
            return [{"x": 1, "y": 2}, {"x": 3, "y": 4}]

        @task
        def add(x: int, y: int) -> int:
            return x + y

        given: Any = rows()
        add.override(task_id="cross").expand(x=[1, 2], y=[10, 20])
        add.override(task_id="kwargs").expand_kwargs(given)
        add.override(task_id="mapped").partial(y=0).expand(x=given.map(lambda row: row["y"]))

    ran = run_dag(dag, at=DAY)
    found = {
        name: [each.xcom for each in ran.mapped(name)] for name in ("cross", "kwargs", "mapped")
    }
    assert found == {"cross": [11, 21, 12, 22], "kwargs": [3, 7], "mapped": [2, 4]}


def test_nothing_runs_after_a_failure_and_who_asks_for_it_is_told() -> None:
    with DAG("runner") as dag:

        @task
        def fails() -> None:
            raise ValueError

        @task
        def after(_: Any) -> None: ...

        after(fails())

    ran = run_dag(dag, at=DAY)
    assert ran.state == "failed"
    assert [each.task_id for each in ran.tasks] == ["fails"]
    with pytest.raises(KeyError, match=r"task 'after' did not run; these did: fails \(failed\)"):
        _ = ran["after"]


def test_nothing_runs_after_a_skip() -> None:
    with DAG("runner") as dag:

        @task
        def skips() -> None:
            raise AirflowSkipException

        @task
        def after(_: Any) -> None: ...

        after(skips())

    ran = run_dag(dag, at=DAY)
    assert (ran.state, [each.task_id for each in ran.tasks]) == ("success", ["skips"])


def test_a_mapped_task_group_is_refused() -> None:
    with DAG("runner") as dag:

        @task
        def inner(x: int) -> int:
            return x

        @task_group
        def group(x: int) -> None:
            inner(x)

        group.expand(x=[1, 2])

    with pytest.raises(NotImplementedError, match="run_dag knows no mapped task groups"):
        run_dag(dag, at=DAY)
