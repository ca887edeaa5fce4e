"""When DAGs run, and for which time: what backfills and runs without a logical date stand on."""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Any, Final

from platform_ops.conventions.literals import Called
from platform_ops.conventions.model import (
    MISSING,
    UNKNOWN,
    Agreed,
    Convention,
    DagFacts,
    Hit,
    TaskFacts,
)
from platform_ops.conventions.rules.clock import CLOCK, clock_calls
from platform_ops.conventions.rules.naming import shown
from platform_ops.conventions.rules.samples import sample
from platform_ops.findings import Severity

if TYPE_CHECKING:
    from platform_ops.conventions.module import Module

__all__ = ["RULES", "run_by"]

_ONE_AFTER_ALL: Final = ("@once", "@continuous", "OnceTimetable", "ContinuousTimetable")
_NULLABLE: Final = (
    "data_interval_end", "data_interval_start", "ds", "ds_nodash", "logical_date", "ts", "ts_nodash",
    "ts_nodash_with_tz",
)  # fmt: skip
_NULLABLE_NAME: Final = re.compile(rf"(?<![\w.|])({'|'.join(_NULLABLE)})\b(?!\s*=[^=])")
_EXPRESSION: Final = re.compile(r"\{[{%](.*?)[%}]\}", re.DOTALL)
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_FILTER: Final = re.compile(r"\|\s*\w+")
_GUARD: Final = re.compile(r"\bor\b|\bif\b|\bdefined\b|\|\s*default\b")
_TEMPLATE_CLOCK: Final = re.compile(
    r"macros\.datetime\.(now|utcnow|today)|macros\.datetime\.datetime\.(now|utcnow|today)"
    r"|macros\.time\.time\b|macros\.timezone\.utcnow"
    r"|\b(ti|task_instance|dag_run)\.(start_date|end_date|queued_at)\b"
)


def run_by(dag: DagFacts) -> str:
    """What starts its runs: ``time``, ``asset``, ``none``, or ``unknown``."""
    schedule: Any = dag.given("schedule")  # Any: whatever a schedule may be
    if schedule is MISSING or schedule is None:
        return "none"
    if schedule is UNKNOWN:
        return "unknown"
    name = schedule.name if isinstance(schedule, Called) else type(schedule).__name__
    short = name.rpartition(".")[2]
    if short == "PartitionedAssetTimetable":
        return "unknown"
    if isinstance(schedule, (list, tuple, set)) or short.startswith("Asset") or short == "asset":
        return "asset"
    if isinstance(schedule, str):
        return "time" if "." not in schedule or " " in schedule else "unknown"
    return "time" if short.endswith(("Timetable", "timedelta", "relativedelta")) else "unknown"


def _has_intervals(dag: DagFacts) -> bool:
    """Whether its runs stand for times one after another; catch-up and backfill mean nothing without."""
    schedule: Any = dag.given("schedule")  # Any: whatever a schedule may be
    name = schedule.name if isinstance(schedule, Called) else schedule
    short = name.rpartition(".")[2] if isinstance(name, str) else type(name).__name__
    return run_by(dag) == "time" and short not in _ONE_AFTER_ALL


def _start(dag: DagFacts, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all checks
    if run_by(dag) != "time":
        return
    default = getattr(dag, "default", lambda _: MISSING)("start_date")
    if all(each is MISSING or each is None for each in (dag.given("start_date"), default)):
        yield Hit(dag.line, shown(dag), "runs by the clock, and has no start_date")


def _moving_start(module: Module, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all checks
    for dag in module.dags:
        for each in start_dates(module, dag.keywords.values(), dag.keywords.get("start_date")):
            for call in clock_calls(module, each):
                message = (
                    f"start_date is {module.resolve(call.func)}(…), which moves with every parse"
                )
                yield Hit(call.lineno, shown(dag), message)


def start_dates(
    module: Module, values: Any, own: ast.expr | None
) -> Iterator[ast.expr]:  # Any: expressions
    """What the start dates are made of: the DAG's own, and that of ``default_args``."""
    if own is not None:
        yield own
    for value in values:
        bound = module.walk.bound_once(value.id) if isinstance(value, ast.Name) else value
        if isinstance(bound, ast.Dict):
            for key, each in zip(bound.keys, bound.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "start_date":
                    yield each


def _catchup(dag: DagFacts, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all checks
    if not dag.loaded and _has_intervals(dag) and dag.given("catchup") is MISSING:
        edits = dag.adding("catchup=False")
        yield Hit(dag.line, shown(dag), "runs by the clock, and does not say catchup", edits=edits)


def _clock_in_code(module: Module, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all checks
    if module.dags and not any(
        _has_intervals(dag) or run_by(dag) == "unknown" for dag in module.dags
    ):
        return
    owners: dict[object, str] = {
        each.made.function: each.name for each in module.tasks if each.made.function is not None
    }
    for call in module.task_time_calls():
        if CLOCK.fullmatch(call.name):
            function = getattr(call.scope, "name", "a task")
            name = owners.get(call.scope, str(function))
            yield Hit(call.node.lineno, name, f"{call.name}() gives every rerun another time")


def _clock_in_template(task: TaskFacts, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all
    for line, text in task.texts():
        for expression in _EXPRESSION.findall(text):
            if match := _TEMPLATE_CLOCK.search(expression):
                message = f"the template holds {match[0]}, which every rerun renders anew"
                yield Hit(line or task.line, task.name, message)


def _nullable(task: TaskFacts, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all checks
    if task.dag is None or (kind := run_by(task.dag)) not in ("asset", "none"):
        return
    because = "assets start its runs" if kind == "asset" else "it has no schedule"
    seen = set()
    for line, text in task.texts():
        for expression in _EXPRESSION.findall(text):
            bare = _QUOTED.sub("", expression)
            if _GUARD.search(bare):
                continue
            for name in _NULLABLE_NAME.findall(_FILTER.sub("", bare)):
                if (line, name) not in seen:
                    seen.add((line, name))
                    yield Hit(line or task.line, task.name, f"{name} may be missing: {because}")


def _nullable_in_code(module: Module, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all checks
    for task in module.tasks:
        function, dag = task.made.function, task.dag
        if function is None or dag is None or (kind := run_by(dag)) not in ("asset", "none"):
            continue
        because = "assets start its runs" if kind == "asset" else "it has no schedule"
        guarded = _tested(function)
        for line, name in (*_taken(function, task.keywords), *_looked_up(function)):
            if name not in guarded:
                yield Hit(line, task.name, f"{name} may be missing: {because}")


def _taken(
    function: ast.FunctionDef | ast.AsyncFunctionDef, given: Container[str]
) -> Iterator[tuple[int, str]]:
    """Parameters that Airflow fills from the context, since the DAG gives them no value."""
    arguments = function.args
    optional = {
        each.arg for each in arguments.args[len(arguments.args) - len(arguments.defaults) :]
    }
    named = {
        each.arg
        for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is not None
    }
    for each in (*arguments.args, *arguments.kwonlyargs):
        # One without a default may be given by position: that is the author's own value.
        if each.arg in _NULLABLE and each.arg in optional | named and each.arg not in given:
            yield each.lineno, each.arg


def _looked_up(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[int, str]]:
    """What is taken from a context by its name: ``context["ds"]``; ``get`` expects that it is not there."""
    contexts = {function.args.kwarg.arg} if function.args.kwarg else set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and _is_context(node.value):
            contexts |= {each.id for each in node.targets if isinstance(each, ast.Name)}
    for node in ast.walk(function):
        if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Constant):
            continue
        owner = isinstance(node.value, ast.Name) and node.value.id in contexts
        if node.slice.value in _NULLABLE and (owner or _is_context(node.value)):
            yield node.lineno, str(node.slice.value)


def _is_context(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and (
        getattr(node.func, "id", getattr(node.func, "attr", "")) == "get_current_context"
    )


def _tested(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Names of which the function asks whether they are there."""
    asked: list[ast.expr] = []
    for node in ast.walk(function):
        if isinstance(node, (ast.If, ast.IfExp, ast.While, ast.Assert)):
            asked.append(node.test)
        elif isinstance(node, ast.BoolOp):
            asked += node.values
    return {
        each.id if isinstance(each, ast.Name) else str(getattr(each, "value", ""))
        for test in asked
        for each in ast.walk(test)
        if isinstance(each, (ast.Name, ast.Constant))
    }


_CLOCK_BAD: Final = '''
@task
def load() -> str:
    """Load yesterday."""
    return f"weather/{datetime.now(UTC):%Y-%m-%d}.csv"

load()
'''
_CLOCK_GOOD: Final = '''
@task
def load(data_interval_start: datetime | None = None) -> str:
    """Load the interval's day."""
    return f"weather/{data_interval_start:%Y-%m-%d}.csv"

load()
'''
_BASH: Final = "from airflow.providers.standard.operators.bash import BashOperator"


def _bash(command: str) -> str:
    return f'BashOperator(task_id="load", bash_command="{command}")'


RULES: Final = (
    Convention(
        id="PO201",
        title="Start date that is missing or moves",
        why=(
            "The first interval is counted from it. Without one a DAG that catches up never runs, and "
            "another begins whenever it was first seen; one that is computed from the clock moves ahead of "
            "the interval that should have run, and makes a new version of the DAG with every parse."
        ),
        bad=sample(start_date="datetime.now(UTC) - timedelta(days=1)"),
        good=sample(),
        fix="write a fixed day with a time zone",
        source=_moving_start,
        on_dag=_start,
    ),
    Convention(
        id="PO202",
        title="Catch-up left to the configuration",
        why=(
            "Airflow's option `catchup_by_default` decides, and it differs between sites and versions: the "
            "same file runs once here, and a thousand times there."
        ),
        severity=Severity.WARNING,
        bad=sample(catchup=None),
        good=sample(),
        fix="say `catchup=True` where each interval counts, else `catchup=False`",
        on_dag=_catchup,
    ),
    Convention(
        id="PO203",
        title="Task that reads the wall clock",
        why=(
            "A backfill of last March loads today instead, and a retry after midnight writes to another "
            "day. A task that goes by its data interval gives the same result whenever it runs."
        ),
        severity=Severity.WARNING,
        bad=sample(_CLOCK_BAD),
        good=sample(_CLOCK_GOOD),
        fix="take the time from the run: `data_interval_start`, or `dag_run.run_after`",
        source=_clock_in_code,
    ),
    Convention(
        id="PO204",
        title="Template that reads the wall clock",
        why="It renders another value in each try, so a retry or backfill writes somewhere else.",
        bad=sample(_bash("load {{ macros.datetime.now() }}"), _BASH),
        good=sample(_bash("load {{ data_interval_start | ds }}"), _BASH),
        fix="use `{{ data_interval_start }}`, or `{{ dag_run.run_after }}`",
        on_task=_clock_in_template,
    ),
    Convention(
        id="PO205",
        title="Logical date where there may be none",
        why=(
            "Runs that an asset starts have no logical date in Airflow 3, and runs by hand or by another DAG "
            "may have none: `ds`, `ts`, `logical_date` and the interval are then missing, and the template, "
            "or the function that takes them, fails."
        ),
        bad=sample(_bash("load {{ ds }}"), _BASH, schedule="None", start_date=None, catchup=None),
        good=sample(
            _bash("load {{ dag_run.run_after | ds }}"),
            _BASH,
            schedule="None",
            start_date=None,
            catchup=None,
        ),
        fix="use `dag_run.run_after`, which every run has: `{{ dag_run.run_after | ds }}`",
        source=_nullable_in_code,
        on_task=_nullable,
    ),
)
