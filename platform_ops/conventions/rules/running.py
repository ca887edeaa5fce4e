"""How tasks share workers and systems with those of others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from platform_ops.conventions.model import (
    MISSING,
    UNKNOWN,
    Agreed,
    Convention,
    DagFacts,
    Hit,
    TaskFacts,
)
from platform_ops.conventions.rules.naming import shown
from platform_ops.conventions.rules.samples import LOAD, sample
from platform_ops.errors import ExtraMissing
from platform_ops.findings import Severity

__all__ = ["RULES"]

_NO_WORK: Final = ("EmptyOperator", "LatestOnlyOperator", "DummyOperator", "ShortCircuitOperator")
_SHORT_WAIT_S: Final = 300


def _works(task: TaskFacts) -> bool:
    """Whether it does anything that can fail or hang on its own account."""
    short = task.operator.rpartition(".")[2]
    return short not in (*_NO_WORK, "branch", "short_circuit") and not short.startswith("Branch")


def _names(tasks: list[TaskFacts], most: int = 3) -> str:
    known = [str(each.task_id) if isinstance(each.task_id, str) else "a task" for each in tasks]
    told = ", ".join(known[:most])
    return f"{told} and {len(known) - most} more" if len(known) > most else told


def _retries(dag: DagFacts, agreed: Agreed) -> Iterator[Hit]:
    least, most = agreed.settings.min_retries, agreed.settings.max_retries
    few: list[TaskFacts] = []
    for task in filter(_works, dag.tasks):
        given = task.given("retries")
        if given is MISSING or given is None or (isinstance(given, int) and given < least):
            few.append(task)
        elif isinstance(given, int) and given > most:
            yield Hit(task.line, task.name, f"{given} retries; at most {most} are agreed on")
    if few and least > 0:
        message = f"fewer than {least} retries: {_names(few)}"
        yield Hit(dag.line, shown(dag), message)


def _mend_retries(task: Any, agreed: Agreed) -> None:  # Any: an operator, mapped or not
    least, most = agreed.settings.min_retries, agreed.settings.max_retries
    task.retries = max(least, min(most, int(task.retries or 0)))


def _timeouts(dag: DagFacts, agreed: Agreed) -> Iterator[Hit]:
    most = timedelta(hours=agreed.settings.max_execution_hours)
    whole = dag.given("dagrun_timeout")
    endless: list[TaskFacts] = []
    for task in dag.tasks:
        if not _works(task) or _is_sensor(task):
            continue
        given = task.given("execution_timeout")
        if isinstance(given, timedelta) and given > most:
            yield Hit(task.line, task.name, f"may run for {given}; at most {most} are agreed on")
        elif given is MISSING or given is None:
            endless.append(task)
    if endless and (whole is MISSING or whole is None):
        message = f"no execution_timeout, and no dagrun_timeout: {_names(endless)}"
        yield Hit(dag.line, shown(dag), message)


def _mend_timeout(task: Any, agreed: Agreed) -> None:  # Any: an operator, mapped or not
    most = timedelta(hours=agreed.settings.max_execution_hours)
    if task.execution_timeout is None or task.execution_timeout > most:
        task.execution_timeout = most


def _is_sensor(task: TaskFacts) -> bool:
    return task.operator == "task.sensor" or task.operator.endswith("Sensor")


def _poking(task: TaskFacts, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all checks
    if not _is_sensor(task):
        return
    mode, deferrable, wait = (task.given(name) for name in ("mode", "deferrable", "timeout"))
    seconds = wait.total_seconds() if isinstance(wait, timedelta) else wait
    short = isinstance(seconds, (int, float)) and seconds <= _SHORT_WAIT_S
    pokes = mode in (MISSING, None, "poke") and deferrable in (MISSING, None, False)
    if pokes and not short:
        edits = task.adding('mode="reschedule"') if mode is MISSING else ()
        yield Hit(
            task.line, task.name, "holds a worker's slot for as long as it waits", edits=edits
        )


def _mend_mode(task: Any, agreed: Agreed) -> None:  # noqa: ARG001  # Any: an operator, mapped or not
    if getattr(task, "is_mapped", False):
        task.partial_kwargs["mode"] = "reschedule"
    else:
        task.mode = "reschedule"


def _wanted_pools(task: TaskFacts, agreed: Agreed) -> list[tuple[str, str]]:
    pools = agreed.settings.pools
    return [(each, pools[each]) for each in _connections(task) if each in pools] if pools else []


def _connections(task: TaskFacts) -> list[str]:
    return sorted(
        {value for name in task.arguments() if name.endswith("conn_id")
         and isinstance(value := task.given(name), str)}
    )  # fmt: skip


def _pool(task: TaskFacts, agreed: Agreed) -> Iterator[Hit]:
    for connection, wanted in _wanted_pools(task, agreed):
        given = task.given("pool")
        if given is UNKNOWN or given == wanted:
            continue
        edits = task.adding(f'pool="{wanted}"') if given is MISSING else ()
        message = f"uses {connection} outside the pool {wanted!r}"
        yield Hit(task.line, task.name, message, f'say `pool="{wanted}"`', edits)


def _mend_pool(task: Any, agreed: Agreed) -> None:  # Any: an operator, mapped or not
    from platform_ops.conventions.loaded import LoadedTask

    for _, wanted in _wanted_pools(LoadedTask(task, None), agreed):
        if getattr(task, "is_mapped", False):
            task.partial_kwargs["pool"] = wanted
        else:
            task.pool = wanted


def _template(path: str, text: str) -> Iterator[Hit]:
    """What is wrong with a pod template file."""
    try:
        import yaml
    except ImportError as err:
        raise ExtraMissing("PyYAML", "airflow", "the check of pod template files") from err
    try:
        documents = [each for each in yaml.safe_load_all(text) if each is not None]
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None)
        problem = getattr(err, "problem", None) or "no YAML"
        yield Hit(mark.line + 1 if mark else 1, path, f"does not parse: {problem}")
        return
    if len(documents) != 1 or not isinstance(documents[0], dict):
        yield Hit(1, path, f"holds {len(documents)} documents that should be one Pod")
        return
    kind, spec = documents[0].get("kind"), documents[0].get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if kind != "Pod":
        yield Hit(1, path, f"is a {kind}, and not a Pod")
    elif not isinstance(containers, list) or not containers:
        yield Hit(1, path, "its spec lists no containers")
    elif containers[0].get("name") != "base":
        yield Hit(1, path, "its first container is not called base, where Airflow puts the task")


def _named_templates(module: Any, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  # Any: a Module
    for call in module.calls:
        for each in call.node.keywords:
            named = module.value(each.value) if each.arg == "pod_template_file" else None
            if not isinstance(named, str):
                continue
            file = Path(module.path).parent / named
            if file.is_file():
                for hit in _template(named, file.read_text("utf-8", errors="replace")):
                    yield Hit(each.value.lineno, named, hit.message)


_SENSOR: Final = "from airflow.providers.standard.sensors.filesystem import FileSensor"
_POD: Final = """\
apiVersion: v1
kind: Pod
spec:
  containers:
    - name: base
      image: apache/airflow:3.3.0
"""
_SQL: Final = "from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator"


def _query(pool: str) -> str:
    return (
        'SQLExecuteQueryOperator(\n    task_id="refresh",\n    conn_id="warehouse",\n'
        f'    sql="CALL refresh()",\n{pool})'
    )


RULES: Final = (
    Convention(
        id="PO401",
        goes_by=("min_retries", "max_retries"),
        title="Retries out of bounds",
        why=(
            "Networks fail for a moment, and a task that is not tried again wakes somebody for it. One that "
            "is tried a hundred times hides a fault for a day, and hammers a system that is down."
        ),
        severity=Severity.WARNING,
        bad=sample(default_args='{"owner": "weather-desk"}'),
        good=sample(),
        fix="set `retries` in `default_args`, within `min_retries` and `max_retries` of [conventions]",
        on_dag=_retries,
        mend_task=_mend_retries,
    ),
    Convention(
        id="PO402",
        goes_by=("max_execution_hours",),
        title="Task that may run for ever",
        why="A call that hangs holds its slot until somebody looks, and the next runs queue behind it.",
        severity=Severity.WARNING,
        bad=sample(dagrun_timeout=None),
        good=sample(
            LOAD.replace("@task", "@task(execution_timeout=timedelta(hours=1))"),
            dagrun_timeout=None,
        ),
        fix="set `execution_timeout`, in `default_args` or on the task, or `dagrun_timeout` on the DAG",
        on_dag=_timeouts,
        mend_task=_mend_timeout,
    ),
    Convention(
        id="PO403",
        title="Sensor that holds a slot while it waits",
        why=(
            "In mode `poke` it occupies a worker's slot for hours, doing nothing. As many of them as there "
            "are slots stop the whole site, also what they wait for."
        ),
        severity=Severity.WARNING,
        bad=sample('FileSensor(task_id="arrived", filepath="/data/weather.csv")', _SENSOR),
        good=sample(
            'FileSensor(task_id="arrived", filepath="/data/weather.csv", mode="reschedule")',
            _SENSOR,
        ),
        fix='say `mode="reschedule"`, or `deferrable=True` where the sensor can; a timeout of five minutes '
        "or less may poke",
        on_task=_poking,
        mend_task=_mend_mode,
    ),
    Convention(
        id="PO404",
        goes_by=("pools",),
        title="Shared system used outside its pool",
        why=(
            "The pool bounds how many tasks of all DAGs use a system at once. One task outside of it, in a "
            "backfill, is enough to bring the system down for everybody."
        ),
        bad=sample(_query(""), _SQL),
        good=sample(_query('    pool="warehouse",\n'), _SQL),
        fix="set the `pool` that [conventions.pools] names for the connection",
        on_task=_pool,
        mend_task=_mend_pool,
    ),
    Convention(
        id="PO405",
        goes_by=("pod_templates",),
        title="Pod template file that is none",
        why=(
            "The Kubernetes executor reads it in the scheduler. A file that does not parse ends the "
            "scheduler for the whole site, not the one task."
        ),
        bad=_POD.replace("      image:", "     image:"),
        good=_POD,
        fix="mend the file; `kubectl apply --dry-run=client -f FILE` shows what Kubernetes thinks of it",
        source=_named_templates,
        on_template=_template,
    ),
)
