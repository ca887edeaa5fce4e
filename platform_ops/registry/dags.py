"""DAGs as a scheduler sees them, without a database; runs in the worker process alone."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_ops.registry.classify import dotted
from platform_ops.registry.docstrings import first_sentence
from platform_ops.registry.model import Dag, Problem, Source, Task
from platform_ops.registry.schedule import describe

if TYPE_CHECKING:
    from airflow.sdk import DAG

__all__ = ["DagResult", "parse_folders"]


@dataclass(slots=True)
class DagResult:
    """What the folders hold.

    :param files: Files outside the folders that the DAGs' operators come from.
    """

    dags: list[Dag] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def parse_folders(folders: Mapping[str, str]) -> DagResult:
    """Parse and serialise every DAG in some folders.

    :param folders: Folder as configured, to its absolute path.
    """
    from airflow.dag_processing.dagbag import DagBag

    result = DagResult()
    files: set[str] = set()
    for name, path in folders.items():
        bag = DagBag(path)
        for dag_id in sorted(bag.dags):
            dag: Any = bag.dags[dag_id]  # Any: typed as either half of Airflow's two DAG classes
            try:
                result.dags.append(_dag(dag, name, Path(path)))
            except Exception as err:  # noqa: BLE001  a DAG that cannot be serialised is a finding
                result.problems.append(Problem("dag", dag_id, f"{type(err).__name__}: {err}"))
            files.update(_operator_files(dag))
        result.problems += (
            Problem("dag", _relative(file, Path(path)), _last_line(trace))
            for file, trace in sorted(bag.import_errors.items())
        )
    result.files = sorted(files)
    return result


def _dag(dag: DAG, folder: str, path: Path) -> Dag:
    from airflow.serialization.serialized_objects import DagSerialization

    timetable = DagSerialization.to_dict(dag)["dag"]["timetable"]
    schedule, words = describe(str(timetable["__type"]), timetable.get("__var") or {})
    doc_md = inspect.cleandoc(dag.doc_md or "")
    tasks = tuple(_task(task) for task in _in_order(dag))
    return Dag(
        dag_id=dag.dag_id,
        display_name=dag.dag_display_name,
        summary=dag.description or _summary_of(doc_md),
        doc_md=doc_md,
        schedule=schedule,
        schedule_words=words,
        owners=tuple(sorted({str(task.owner) for task in dag.tasks})),
        tags=tuple(sorted(dag.tags)),
        tasks=tasks,
        folder=folder,
        source=Source(_relative(dag.fileloc, path), _line(dag)),
    )


def _in_order(dag: DAG) -> Iterator[Any]:  # Any: an operator or a mapped one
    """Tasks by name in layers, so that a table reads in the order in which they run."""
    waiting = {task.task_id: set(task.upstream_task_ids) for task in dag.tasks}
    while waiting:
        ready = sorted(name for name, above in waiting.items() if not above & waiting.keys())
        for name in ready or sorted(waiting):
            del waiting[name]
            yield dag.get_task(name)


def _task(task: Any) -> Task:  # Any: an operator or a mapped one
    cls = _class_of(task)
    group = task.task_group.group_id if task.task_group else None
    return Task(
        task_id=task.task_id,
        operator=dotted(cls),
        label=str(getattr(task, "operator_name", "") or cls.__name__),
        downstream=tuple(sorted(task.downstream_task_ids)),
        mapped=bool(getattr(task, "is_mapped", False)),
        group=group or "",
        summary=_task_summary(task),
    )


def _class_of(task: Any) -> type:  # Any: an operator or a mapped one
    found = getattr(task, "operator_class", None)
    return found if isinstance(found, type) else type(task)


def _task_summary(task: Any) -> str:  # Any: an operator or a mapped one
    settings = getattr(task, "partial_kwargs", None) or vars(task)
    text = settings.get("doc_md") or settings.get("doc") or ""
    function = settings.get("python_callable")
    if not text and function is not None:
        text = inspect.getdoc(function) or ""
    return first_sentence(str(text))


def _operator_files(dag: DAG) -> Iterator[str]:
    for task in dag.tasks:
        for cls in _class_of(task).__mro__:
            if path := getattr(sys.modules.get(cls.__module__), "__file__", None):
                yield path


def _summary_of(doc_md: str) -> str:
    paragraphs = [each for each in doc_md.split("\n\n") if not each.lstrip().startswith("#")]
    return first_sentence(paragraphs[0]) if paragraphs else ""


def _line(dag: DAG) -> int:
    """Where the DAG's id is written; the first line where it is computed."""
    text = Path(dag.fileloc).read_text(encoding="utf-8", errors="replace")
    wanted = re.compile(rf"""["']{re.escape(dag.dag_id)}["']|def {re.escape(dag.dag_id)}\b""")
    for number, line in enumerate(text.splitlines(), start=1):
        if wanted.search(line):
            return number
    return 1


def _relative(file: str, folder: Path) -> str:
    path = Path(file)
    root = folder.parent if folder.is_file() else folder
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _last_line(trace: str) -> str:
    lines = [line for line in trace.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
