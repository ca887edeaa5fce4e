"""DAGs as a scheduler sees them, without a database; runs in the worker process alone."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_ops.registry.classes.docstrings import first_sentence
from platform_ops.registry.dags.names import names_of
from platform_ops.registry.dags.runs import due_days, next_runs
from platform_ops.registry.dags.schedule import describe, span
from platform_ops.registry.dags.tasks import callbacks_of, class_of, groups_of, seconds, tasks_of
from platform_ops.registry.models.catalog import Problem, Source
from platform_ops.registry.models.dags import Asset, BrokenDagFile, Dag, Param, Task, Trigger
from platform_ops.registry.tables import load

if TYPE_CHECKING:
    from airflow.sdk import DAG

    Auditor = Callable[[DAG], Iterable[Any]]  # Any: rows with a task_id and an advice

__all__ = ["DagResult", "parse_folders"]


@dataclass(slots=True)
class DagResult:
    """What the folders hold.

    :param problems: One for each of ``broken``, in its order.
    :param files: File with DAGs to the files that their operators come from.
    """

    dags: list[Dag] = field(default_factory=list)
    broken: list[BrokenDagFile] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    files: dict[str, list[str]] = field(default_factory=dict)


def parse_folders(
    folders: Mapping[str, str],
    moment: str,
    only: Iterable[tuple[str, str]] = (),
    *,
    audit: str = "",
) -> DagResult:
    """Parse and serialise every DAG in some folders.

    :param folders: Folder as configured, to its absolute path.
    :param moment: ISO time that runs to come are counted from.
    :param only: Folder as configured, and the one file of it to parse; all files where empty.
    :param audit: Object path of a function from a DAG to what its tasks take in and nobody archives.
    """
    from airflow.dag_processing.dagbag import DagBag

    auditor = load(audit) if audit else _nothing
    result = DagResult()
    files: dict[str, set[str]] = defaultdict(set)
    for name, place in only or folders.items():
        path = folders[name]
        bag = DagBag(place)
        for dag_id in sorted(bag.dags):
            dag: Any = bag.dags[dag_id]  # Any: typed as either half of Airflow's two DAG classes
            try:
                result.dags.append(_dag(dag, name, Path(path), moment, auditor))
            except Exception as err:  # noqa: BLE001  a DAG that cannot be serialised is a finding
                error = f"{type(err).__name__}: {err}"
                result.problems.append(Problem("dag", dag_id, error))
                broken = _relative(dag.fileloc, Path(path))
                result.broken.append(BrokenDagFile(broken, name, _line(dag), error, error))
            files[dag.fileloc].update(_operator_files(dag))
        for file, trace in sorted(bag.import_errors.items()):
            broken, error = _relative(file, Path(path)), _last_line(trace)
            result.problems.append(Problem("dag", broken, error))
            told = _from_file(file, broken, trace)
            result.broken.append(BrokenDagFile(broken, name, _fault(file, trace), error, told))
    result.files = {path: sorted(used) for path, used in files.items()}
    return result


def _nothing(_dag: DAG) -> Iterable[Any]:  # Any: as another auditor's
    return ()


def _dag(dag: DAG, folder: str, path: Path, moment: str, auditor: Auditor) -> Dag:
    from airflow.serialization.serialized_objects import DagSerialization

    document = DagSerialization.to_dict(dag)
    plain, scheduled = document["dag"], DagSerialization.from_dict(document)
    timetable = plain["timetable"]
    schedule, words = describe(str(timetable["__type"]), timetable.get("__var") or {})
    doc_md = inspect.cleandoc(dag.doc_md or "")
    now = datetime.fromisoformat(moment)
    dependencies = plain.get("dag_dependencies") or ()
    connections, variables = names_of(dag.tasks, Path(dag.fileloc))
    return Dag(
        dag_id=dag.dag_id,
        display_name=dag.dag_display_name,
        summary=dag.description or _summary_of(doc_md),
        doc_md=doc_md,
        schedule=schedule,
        schedule_words=words,
        owners=tuple(sorted({str(task.owner) for task in dag.tasks})),
        tags=tuple(sorted(dag.tags)),
        tasks=_audited(tasks_of(dag), auditor(dag)),
        folder=folder,
        source=Source(_relative(dag.fileloc, path), _line(dag)),
        groups=tuple(groups_of(dag)),
        params=tuple(_params(dag)),
        next_runs=next_runs(scheduled, now),
        due_days=due_days(scheduled, now),
        start=_day(dag.start_date),
        end=_day(dag.end_date),
        catchup=dag.catchup,
        max_active_runs=dag.max_active_runs,
        timeout_s=seconds(dag.dagrun_timeout),
        deadlines=tuple(_deadline(each) for each in _listed(dag.deadline)),
        callbacks=callbacks_of(dag),
        reads=_assets(dependencies, "target", dag.dag_id),
        writes=_assets(dependencies, "source", dag.dag_id),
        triggers=tuple(_triggers(dependencies)),
        connections=connections,
        variables=variables,
    )


def _audited(tasks: Iterable[Task], told: Iterable[Any]) -> tuple[Task, ...]:  # Any: rows of others
    """Tasks, those that archive nothing with what to do."""
    advice = {str(each.task_id): str(each.advice) for each in told}
    return tuple(replace(each, unarchived=advice.get(each.task_id, "")) for each in tasks)


def _day(when: datetime | None) -> str:
    return when.isoformat(timespec="minutes") if when else ""


def _params(dag: DAG) -> Iterator[Param]:
    for name in dag.params:
        param = dag.params.get_param(name)
        schema = dict(param.schema)
        types = schema.get("type") or ()
        listed = [types] if isinstance(types, str) else list(types)
        value = param.dump()["value"]
        required = value is None and "null" not in listed and bool(listed)
        yield Param(
            name=name,
            type=" | ".join(map(str, listed)),
            default="" if required else _json(value),
            required=required,
            description=str(
                param.description
                or schema.get("description_md")
                or schema.get("description")
                or schema.get("title")
                or ""
            ),
            allowed=tuple(map(_json, schema.get("enum") or ())),
            section=str(schema.get("section") or ""),
            schema=json.dumps(schema, default=str, indent=2, ensure_ascii=False) if schema else "",
        )


def _json(value: object) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _listed(value: Any) -> list[Any]:  # Any: one, several, or none
    return list(value) if isinstance(value, (list, tuple)) else [value] if value else []


def _deadline(alert: Any) -> str:  # Any: a deadline alert
    reference = type(alert.reference).__name__.removesuffix("Deadline")
    after = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", reference).lower().replace("dag run", "run")
    length = seconds(alert.interval)
    within = span(alert.interval) if length is not None else str(alert.interval)
    target = getattr(alert.callback, "path", "") or type(alert.callback).__name__
    return f"within {within} of {after}, else {target} is called"


def _assets(dependencies: Iterable[Any], side: str, dag_id: str) -> tuple[Asset, ...]:
    """What the DAG itself stands on one side of."""  # Any: serialised dependencies
    found = {
        _asset(each)
        for each in dependencies
        if each[side] == dag_id and each["dependency_type"].startswith("asset")
    }
    return tuple(sorted(found))


def _asset(dependency: Mapping[str, Any]) -> Asset:  # Any: serialised
    kind = "alias" if dependency["dependency_type"] == "asset-alias" else "asset"
    name, uri = str(dependency["label"]), ""
    if dependency["dependency_type"] == "asset":
        uri = str(json.loads(dependency["dependency_id"]).get("uri") or "")
    return Asset(name, "" if uri == name else uri, kind)


def _triggers(dependencies: Iterable[Any]) -> Iterator[Trigger]:  # Any: serialised
    for each in dependencies:
        kind = each["dependency_type"]
        if kind in ("trigger", "sensor"):
            task = str(each.get("dependency_id") or "")
            yield Trigger(str(each["source"]), str(each["target"]), kind, task)


def _operator_files(dag: DAG) -> Iterator[str]:
    for task in dag.tasks:
        for cls in class_of(task).__mro__:
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


def _fault(file: str, trace: str) -> int:
    """The last line of the file itself that a trace goes through."""
    lines = re.findall(rf'File "{re.escape(file)}", line (\d+)', trace)
    return int(lines[-1]) if lines else 1


def _from_file(file: str, shown: str, trace: str) -> str:
    """A trace without Airflow's own frames above the file, and without this machine's folders."""
    _, found, rest = trace.partition(f'  File "{file}"')
    if not found:
        return trace
    told = f"Traceback (most recent call last):\n{found}{rest}"
    return told.replace(file, shown)


def _last_line(trace: str) -> str:
    lines = [line for line in trace.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
