"""Airflow's own task runner, with a supervisor that lives in this process and has no database.

A task renders, executes, pushes XCom and reports its outlets just as on a worker; what it asks of the
supervisor is answered from memory.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from airflow.sdk.api.datamodels._generated import (
    DagRun,
    DagRunState,
    DagRunType,
    TaskInstanceState,
    TIRunContext,
)
from airflow.sdk.definitions.dag import DAG
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.definitions.xcom_arg import XComArg, get_task_map_length
from airflow.sdk.execution_time import comms, task_runner

from platform_ops.testing.deferral import Deferral
from platform_ops.testing.supervisor import Supervisor

__all__ = ["DagResult", "Deferral", "Supervisor", "TaskResult", "play_dag", "run_dag", "run_task"]

RETURN: Final = "return_value"


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How one task instance ended.

    :param state: ``success``, ``failed``, ``up_for_retry``, ``skipped``, ``deferred`` …
    :param xcom: What it returned, as XCom holds it; None where it returned nothing.
    :param error: What it raised, if it failed; ``raise ran.error`` shows where.
    :param asset_events: Extra of each asset event, by the asset's name.
    :param asset_names: Names of the assets that Airflow announces.
    :param rendered: Its templated fields, as Airflow's UI shows them.
    :param deferral: What it waits for, where it deferred.
    """

    task_id: str
    map_index: int
    state: str
    xcom: Any  # Any: JSON values
    error: BaseException | None
    asset_events: Mapping[str, Mapping[str, Any]]  # Any: JSON values
    asset_names: tuple[str, ...]
    rendered: Mapping[str, Any]  # Any: JSON values
    deferral: Deferral | None = None


@dataclass(frozen=True, slots=True)
class DagResult:
    """How every task instance of a run ended, in the order they ran."""

    tasks: tuple[TaskResult, ...]

    @property
    def state(self) -> str:
        """``success`` where every task instance succeeded or was skipped, else ``failed``."""
        good = all(task.state in ("success", "skipped") for task in self.tasks)
        return "success" if good else "failed"

    def __getitem__(self, task_id: str) -> TaskResult:
        """The result of a task that is not mapped, or of its first mapped instance.

        :raises KeyError: It did not run, for instance since a task before it failed.
        """
        for task in self.tasks:
            if task.task_id == task_id:
                return task
        ran = ", ".join(f"{task.task_id} ({task.state})" for task in self.tasks)
        raise KeyError(f"task {task_id!r} did not run; these did: {ran or 'none'}")

    def mapped(self, task_id: str) -> list[TaskResult]:
        """The results of all instances of a mapped task."""
        return [task for task in self.tasks if task.task_id == task_id]


def run_task(
    task: Any,  # Any: an operator or a mapped operator
    *,
    at: str | datetime,
    interval: timedelta = timedelta(days=1),
    run_id: str | None = None,
    conf: Mapping[str, Any] | None = None,  # Any: JSON values
    map_index: int = -1,
    try_number: int = 1,
    max_tries: int | None = None,
    partition_key: str | None = None,
    supervisor: Supervisor | None = None,
    resume: Deferral | None = None,
    callbacks: bool = False,
) -> TaskResult:
    """Run one task instance to its end, or until it defers.

    :param task: A task of a DAG.
    :param at: Start of the data interval, as ISO date or datetime; UTC where it has no zone.
    :param interval: Length of the data interval.
    :param run_id: The run's; one made of ``at`` where unset, so that equal times are one run.
    :param conf: The run's conf, for instance ``{"platform_ops": {"replay": True}}``.
    :param map_index: Which instance of a mapped task.
    :param try_number: Which try of this task instance, from 1.
    :param max_tries: Airflow raises it when a task is cleared; the task's retries where unset.
    :param partition_key: The run's.
    :param supervisor: One that holds the XComs of tasks that ran before.
    :param resume: What this task instance waits for: its trigger runs, and then the task goes on.
    :param callbacks: Call the task's callbacks and Airflow's listeners afterwards, as a worker does.
    """
    start = _utc(at)
    run = DagRun(
        dag_id=task.dag_id,
        run_id=run_id or f"scheduled__{start.isoformat()}",
        logical_date=start,
        data_interval_start=start,
        data_interval_end=start + interval,
        run_after=start + interval,
        start_date=start + interval,
        end_date=None,
        run_type=DagRunType.SCHEDULED,
        state=DagRunState.RUNNING,
        conf=dict(conf) if conf else None,
        consumed_asset_events=[],
        partition_key=partition_key,
    )
    tries = int(task.retries or 0) if max_tries is None else max_tries
    with _supervised(supervisor or Supervisor()) as office:
        server = TIRunContext(dag_run=run, max_tries=tries, should_retry=try_number <= tries)
        if resume is not None:
            server.next_method = resume.method
            server.next_kwargs = {**resume.kwargs, "event": resume.fired()}
        return _run(task, server, map_index, try_number, office, callbacks=callbacks)


def run_dag(
    dag: DAG,
    *,
    at: str | datetime,
    conf: Mapping[str, Any] | None = None,  # Any: JSON values
    **run: Any,  # Any: passed on to run_task
) -> DagResult:
    """Run every task of a DAG once, in order, mapped ones for each element.

    A task runs where all before it succeeded, and one that defers goes on when its trigger has fired.
    Trigger rules, branches and retries are the scheduler's, and not played here.

    :param at: As in :func:`run_task`, and so is every further argument.
    :raises NotImplementedError: The DAG has a mapped task group.
    """
    played = play_dag(dag, at=at, conf=conf, **run)
    return DagResult(tuple(each for each in played if each.deferral is None))


def play_dag(
    dag: DAG,
    *,
    retry: bool = False,
    **run: Any,  # Any: passed on to run_task
) -> Iterator[TaskResult]:
    """Run a DAG as :func:`run_dag` does, one task instance at a time.

    :param retry: Whether a task that is up for retry is tried again, at once; each try has a result.
    """
    office = Supervisor()
    ended: set[str] = set()
    for task in dag.topological_sort():  # type: ignore[no-untyped-call]  # Airflow's is untyped
        if next(task.iter_mapped_task_groups(), None) is not None:
            raise NotImplementedError(
                f"{task.task_id}: run_dag knows no mapped task groups; give run_task its map_index"
            )
        if ended & task.get_flat_relative_ids(upstream=True):
            continue
        for index in _map_indexes(task, office):
            given = {"map_index": index, "supervisor": office, **run}
            state = ""
            for result in _tries(task, given) if retry else _to_its_end(task, given):
                yield result
                state = result.state
            ended |= {task.task_id} if state != "success" else set()


def _tries(task: Any, given: Mapping[str, Any]) -> Iterator[TaskResult]:  # Any: as in run_task
    for number in itertools.count(1):
        for result in _to_its_end(task, {**given, "try_number": number}):
            yield result
            if result.state not in ("up_for_retry", "deferred"):
                return


def _to_its_end(task: Any, given: Mapping[str, Any]) -> Iterator[TaskResult]:  # Any: as in run_task
    result = run_task(task, **given)
    yield result
    while result.deferral is not None:
        result = run_task(task, **given, resume=result.deferral)
        yield result


def _run(
    task: Any,  # Any: an operator or a mapped operator
    server: TIRunContext,
    map_index: int,
    try_number: int,
    office: Supervisor,
    *,
    callbacks: bool,
) -> TaskResult:
    instance = task_runner.RuntimeTaskInstance.model_construct(
        id=uuid4(),
        dag_version_id=UUID(int=0),
        task_id=task.task_id,
        dag_id=task.dag_id,
        run_id=server.dag_run.run_id,
        try_number=try_number,
        map_index=map_index,
        task=task,
        bundle_instance=None,  # type: ignore[arg-type]  # nothing of a bundle is used here
        _ti_context_from_server=server,
        max_tries=server.max_tries,
        start_date=datetime.now(UTC),
        state=TaskInstanceState.RUNNING,
    )
    office.sent.clear()
    log = structlog.get_logger("task")
    context = instance.get_template_context()
    state, message, error = task_runner.run(instance, context, log)
    if callbacks:
        context["exception"] = error
        task_runner.finalize(instance, state, context, log, error)
    announced = message if isinstance(message, comms.SucceedTask) else None
    deferral = Deferral.told(message) if isinstance(message, comms.DeferTask) else None
    rendered = office.told(comms.SetRenderedFields)
    return TaskResult(
        task_id=task.task_id,
        map_index=map_index,
        state=str(state.value),
        xcom=office.xcoms.get((task.task_id, RETURN, map_index)),
        error=error,
        asset_events=dict(_events(announced.outlet_events or [])) if announced else {},
        asset_names=tuple(each.name or "" for each in announced.task_outlets or [])
        if announced
        else (),
        rendered=rendered.rendered_fields if rendered else {},
        deferral=deferral,
    )


@contextmanager
def _supervised(office: Supervisor) -> Iterator[Supervisor]:
    """Put the supervisor in its place, and afterwards the process as it was before.

    Airflow's task runner owns its process: it takes SIGTERM, and exports the context as variables.
    """
    comms_before = getattr(task_runner, "SUPERVISOR_COMMS", None)
    handler, environment = signal.getsignal(signal.SIGTERM), dict(os.environ)
    task_runner.SUPERVISOR_COMMS = office  # type: ignore[assignment]  # speaks the same messages
    try:
        yield office
    finally:
        signal.signal(signal.SIGTERM, handler)
        for name in [name for name in os.environ if name.startswith("AIRFLOW_CTX_")]:
            if name not in environment:
                del os.environ[name]
        if comms_before is None:
            del task_runner.SUPERVISOR_COMMS
        else:
            task_runner.SUPERVISOR_COMMS = comms_before


def _events(sent: Iterable[Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:  # Any: JSON values
    for event in sent:
        yield event["dest_asset_key"]["name"], event["extra"]


def _map_indexes(task: Any, office: Supervisor) -> Iterable[int]:  # Any: an operator of either kind
    if not isinstance(task, MappedOperator):
        return [-1]
    expanded = task._get_specified_expand_input().value  # noqa: SLF001  # no public way
    columns = expanded.values() if isinstance(expanded, Mapping) else [expanded]
    total = 1
    for column in columns:
        total *= _length(column, office)
    return range(total)


def _length(column: Any, office: Supervisor) -> int:  # Any: a literal or an XComArg
    if not isinstance(column, XComArg):
        return len(column)
    references = list(column.iter_references())
    if len(references) != 1:
        raise NotImplementedError("run_dag maps over the XCom of one task, not zip() or concat()")
    ((source, key),) = references
    if isinstance(source, MappedOperator):
        pushed = office.values(source.task_id, key)
    else:
        pushed = office.xcoms[source.task_id, key, -1]
    return get_task_map_length(column, pushed, {}) or 0


def _utc(at: str | datetime) -> datetime:
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
