"""Running a DAG file as its documentation shows it: what its tasks said, archived and returned.

A site names it as the runner of its examples, and ``platform-ops docs examples`` calls it::

    airflow_catalog = {
        "dags": ["examples"],
        "examples": {"examples": "platform_ops.testing.examples:run"},
    }

Each DAG runs once, for the interval that begins on its start date, against an archive that is gone
afterwards. Retries are played, waits are not.
"""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from platform_ops.testing.runner import TaskResult

__all__ = ["dags_of", "run"]

_ROOT: Final = "PLATFORM_OPS__ARCHIVE__ROOT"
# Drawn by lot: what tells two writers apart in a payload's folder, and the port of a source on this
# machine, which the fingerprint of a request to it holds.
_LOTS: Final = re.compile(r"(?<=/\d{6}-)[0-9a-f]{12}(?=/)|(?<=map=)[0-9a-f]{16}(?=\.\d+[:/])")
_PARQUET: Final = re.compile(
    r"(?<=\"sha256\": \")[0-9a-f]{64}|(?<=\"size_bytes\": )\d+|\d+(?= bytes)"
)
_NO_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
# Of Airflow's own machinery, which differs from release to release and says nothing of the example.
_MACHINERY: Final = ("airflow", "alembic", "asyncio", "py.warnings", "root", "task", "urllib3")
_TASKS: Final = ("airflow.task.operators", "airflow.task.hooks")
_APART: Final = ("airflow.task",)  # Airflow keeps its records from the loggers above it


class ExampleFailed(Exception):
    """A DAG of an example did not end well."""


def run(path: Path) -> str:
    """Run every DAG of a file.

    :return: What a reader should see: each task instance with its state, its log and its result.
    :raises ExampleFailed: A task did.
    """
    with tempfile.TemporaryDirectory(prefix="example-") as scratch, _archive_in(scratch):
        parts = [_run_dag(dag) for dag in dags_of(path)]
    text = "\n".join(parts).replace(f"file://{scratch}", "file://").replace(scratch, "")
    return _LOTS.sub("…", text)


def _run_dag(dag: DAG) -> str:
    from platform_ops.testing.runner import play_dag

    start = dag.start_date or _NO_START
    lines = [f"{dag.dag_id}, {start:%Y-%m-%d}"]
    last: dict[tuple[str, int], TaskResult] = {}
    with _heard() as log:
        for task in play_dag(dag, at=start, retry=True):
            last[task.task_id, task.map_index] = task
            index = f" [{task.map_index}]" if task.map_index >= 0 else ""
            told = _without_versions([*log, *_result(task)])
            lines += ["", f"{task.task_id}{index}: {task.state}", *(f"  {line}" for line in told)]
            log.clear()
    text = "\n".join(lines) + "\n"
    failed = [each for each in last.values() if each.state not in ("success", "skipped")]
    if failed:
        raise ExampleFailed(text) from failed[0].error
    return text


def _result(task: TaskResult) -> Iterator[str]:
    if task.error is not None:
        yield f"{type(task.error).__name__}: {task.error}"
    elif task.xcom is not None:
        shown = _without_clock(task.xcom)
        yield from f"returned {json.dumps(shown, indent=2, ensure_ascii=False)}".splitlines()


def _without_versions(told: list[str]) -> list[str]:
    """Lines on Parquet files, which hold the version of the library that wrote them."""
    if not any(".parquet" in line for line in told):
        return told
    return [_PARQUET.sub("…", line) for line in told]


def _without_clock(value: Any) -> Any:  # Any: JSON values
    """A reference as any run of the example has it: its manifest tells the time, and so does its digest."""
    if isinstance(value, dict) and "manifest_sha256" in value:
        return {**value, "manifest_sha256": "…"}
    return value


def dags_of(path: Path) -> list[DAG]:
    """The DAGs of a file, which is run for it.

    :raises ExampleFailed: It holds none.
    """
    from airflow.sdk import DAG

    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ExampleFailed(f"{path} is no Python file")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found = {id(each): each for each in vars(module).values() if isinstance(each, DAG)}
    if not found:
        raise ExampleFailed(
            f"{path} holds no DAG under a name of its own; write `with DAG(…) as dag`"
        )
    return list(found.values())


@contextmanager
def _archive_in(folder: str) -> Iterator[None]:
    before = os.environ.get(_ROOT)
    os.environ[_ROOT] = f"file://{folder}/archive"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_ROOT]
        else:
            os.environ[_ROOT] = before


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What tasks log while the block runs, Airflow's own machinery left out."""
    lines: list[str] = []
    handler = _Listener(lines)
    loggers = [logging.getLogger(name) for name in ("", *_APART)]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.addHandler(handler)
        each.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.removeHandler(handler)
            each.setLevel(level)


class _Listener(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.INFO)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what a task or the code that it calls says."""
        if record.name.startswith(_TASKS) or not record.name.startswith(_MACHINERY):
            self._lines += record.getMessage().splitlines()
