"""Airflow's own task runner, with a supervisor that lives in this process and has no database.

A task renders, executes, pushes XCom and reports its outlets just as on a worker; what it asks of the
supervisor is answered from memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import comms, task_runner

__all__ = ["DagResult", "Supervisor", "TaskResult", "run_dag", "run_task"]

RETURN: Final = "return_value"

XComKey = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How one task instance ended.

    :param state: ``success``, ``failed``, ``up_for_retry``, ``skipped``, ``deferred`` …
    :param xcom: What it returned, as XCom holds it; None where it returned nothing.
    :param error: What it raised, if it did.
    :param asset_events: Extra of each asset event, by the asset's name.
    :param asset_names: Names of the assets that Airflow announces.
    """

    task_id: str
    map_index: int
    state: str
    xcom: Any  # Any: JSON values
    error: BaseException | None
    asset_events: Mapping[str, Mapping[str, Any]]  # Any: JSON values
    asset_names: tuple[str, ...]


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
        """The result of a task that is not mapped, or of its first mapped instance."""
        return next(task for task in self.tasks if task.task_id == task_id)

    def mapped(self, task_id: str) -> list[TaskResult]:
        """The results of all instances of a mapped task."""
        return [task for task in self.tasks if task.task_id == task_id]


@dataclass(slots=True)
class Supervisor:
    """Answers a task from memory; XComs of one run are shared by its tasks.

    :param xcoms: Values by task id, key and map index.
    """

    xcoms: dict[XComKey, Any] = field(default_factory=dict)  # Any: JSON values
    state_store: dict[str, Any] = field(default_factory=dict)  # Any: JSON values
    sent: list[Any] = field(default_factory=list)  # Any: Airflow's union of messages

    def send(self, msg: Any) -> Any:  # noqa: C901, PLR0911  # Any: Airflow's union, a case for each
        """Answer one message, as the real supervisor would."""
        self.sent.append(msg)
        match msg:
            case comms.SetXCom():
                self.xcoms[msg.task_id, msg.key, _index(msg.map_index)] = msg.value
                return None
            case comms.GetXCom():
                value = self.xcoms.get((msg.task_id, msg.key, _index(msg.map_index)))
                return comms.XComResult(key=msg.key, value=value)
            case comms.GetXComCount():
                return comms.XComCountResponse(len=len(self.values(msg.task_id, msg.key)))
            case comms.GetXComSequenceItem():
                values = self.values(msg.task_id, msg.key)
                if msg.offset >= len(values):
                    return comms.ErrorResponse(error=ErrorType.XCOM_NOT_FOUND)
                return comms.XComSequenceIndexResult(root=values[msg.offset])
            case comms.GetXComSequenceSlice():
                chosen = slice(msg.start, msg.stop, msg.step)
                return comms.XComSequenceSliceResult(root=self.values(msg.task_id, msg.key)[chosen])
            case comms.ValidateInletsAndOutlets():
                return comms.InactiveAssetsResult(inactive_assets=[])
            case comms.GetConnection():
                return comms.ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND)
            case comms.GetVariable():
                return comms.ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND)
            case comms.GetTaskStateStore():
                if msg.key not in self.state_store:
                    return comms.ErrorResponse(error=ErrorType.TASK_STORE_NOT_FOUND)
                return comms.TaskStateStoreResult(value=self.state_store[msg.key])
            case comms.SetTaskStateStore():
                self.state_store[msg.key] = msg.value
        return comms.OKResponse(ok=True)

    async def asend(self, msg: Any) -> Any:  # Any: Airflow's union of messages
        """As :meth:`send`, for a task that runs in an event loop."""
        return self.send(msg)

    def values(self, task_id: str, key: str) -> list[Any]:  # Any: JSON values
        """Values of a task's XCom, by map index."""
        found = [
            (index, value)
            for (task, name, index), value in self.xcoms.items()
            if (task, name) == (task_id, key)
        ]
        return [value for _, value in sorted(found, key=lambda pair: pair[0])]


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
) -> TaskResult:
    """Run one task instance to its end.

    :param task: A task of a DAG.
    :param at: Start of the data interval, as ISO date or datetime; UTC where it has no zone.
    :param interval: Length of the data interval.
    :param conf: The run's conf, for instance ``{"platform_ops": {"replay": True}}``.
    :param max_tries: Airflow raises it when a task is cleared; the task's retries where unset.
    :param supervisor: One that holds the XComs of tasks that ran before.
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
    tries = _retries(task) if max_tries is None else max_tries
    with _supervised(supervisor or Supervisor()) as office:
        return _run(task, run, map_index, try_number, tries, office)


def run_dag(
    dag: DAG,
    *,
    at: str | datetime,
    conf: Mapping[str, Any] | None = None,  # Any: JSON values
    **run: Any,  # Any: passed on to run_task
) -> DagResult:
    """Run every task of a DAG once, in order, mapped ones for each element.

    Tasks after a failure do not run. Trigger rules, branches and retries are the scheduler's, and not
    played here.
    """
    office = Supervisor()
    results: list[TaskResult] = []
    failed: set[str] = set()
    for task in dag.topological_sort():  # type: ignore[no-untyped-call]  # Airflow's is untyped
        if failed & task.get_flat_relative_ids(upstream=True):
            continue
        for index in _map_indexes(task, office):
            result = run_task(task, at=at, conf=conf, map_index=index, supervisor=office, **run)
            results.append(result)
            failed |= {task.task_id} if result.state not in ("success", "skipped") else set()
    return DagResult(tuple(results))


def _run(
    task: Any,  # Any: an operator or a mapped operator
    run: DagRun,
    map_index: int,
    try_number: int,
    max_tries: int,
    office: Supervisor,
) -> TaskResult:
    server = TIRunContext(dag_run=run, max_tries=max_tries, should_retry=try_number <= max_tries)
    instance = task_runner.RuntimeTaskInstance.model_construct(
        id=uuid4(),
        dag_version_id=UUID(int=0),
        task_id=task.task_id,
        dag_id=task.dag_id,
        run_id=run.run_id,
        try_number=try_number,
        map_index=map_index,
        task=task,
        bundle_instance=None,  # type: ignore[arg-type]  # nothing of a bundle is used here
        _ti_context_from_server=server,
        max_tries=max_tries,
        start_date=datetime.now(UTC),
        state=TaskInstanceState.RUNNING,
    )
    office.sent.clear()
    log = structlog.get_logger("task")
    state, message, error = task_runner.run(instance, instance.get_template_context(), log)
    announced = message if isinstance(message, comms.SucceedTask) else None
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
    )


@contextmanager
def _supervised(office: Supervisor) -> Iterator[Supervisor]:
    before = getattr(task_runner, "SUPERVISOR_COMMS", None)
    task_runner.SUPERVISOR_COMMS = office  # type: ignore[assignment]  # speaks the same messages
    try:
        yield office
    finally:
        if before is None:
            del task_runner.SUPERVISOR_COMMS
        else:
            task_runner.SUPERVISOR_COMMS = before


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
    if hasattr(column, "operator"):
        source = column.operator
        if isinstance(source, MappedOperator):
            return len(office.values(source.task_id, column.key))
        return len(office.xcoms[source.task_id, column.key, -1])
    return len(column)


def _retries(task: Any) -> int:  # Any: an operator of either kind
    return int(task.retries or 0)


def _index(map_index: int | None) -> int:
    return -1 if map_index is None else map_index


def _utc(at: str | datetime) -> datetime:
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
