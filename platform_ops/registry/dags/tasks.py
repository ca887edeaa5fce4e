"""The tasks of a DAG and the groups around them, as plain rows."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from platform_ops.registry.classes.classify import dotted
from platform_ops.registry.classes.docstrings import first_sentence
from platform_ops.registry.models.dags import Callback, Task, TaskGroup

if TYPE_CHECKING:
    from airflow.sdk import DAG

__all__ = ["callbacks_of", "class_of", "groups_of", "seconds", "tasks_of"]

_EVENTS = ("on_execute", "on_success", "on_failure", "on_retry", "on_skipped")
_PARSED_MODULE = re.compile(r"unusual_prefix_[0-9a-f]+_")  # what Airflow calls a DAG file's module


def tasks_of(dag: DAG) -> Iterator[Task]:
    """Tasks by name in layers, so that a table reads in the order in which they run."""
    waiting = {task.task_id: set(task.upstream_task_ids) for task in dag.tasks}
    while waiting:
        ready = sorted(name for name, above in waiting.items() if not above & waiting.keys())
        for name in ready or sorted(waiting):
            del waiting[name]
            yield _task(dag.get_task(name), dag.edge_info)


def _task(task: Any, edges: Mapping[str, Any]) -> Task:  # Any: an operator or a mapped one
    cls = class_of(task)
    group = task.task_group.group_id if task.task_group else None
    labels = ((below.task_id, _edge_label(task, below, edges)) for below in task.downstream_list)
    pool, rule = str(task.pool), str(getattr(task.trigger_rule, "value", task.trigger_rule))
    return Task(
        task_id=task.task_id,
        operator=dotted(cls),
        label=str(getattr(task, "operator_name", "") or cls.__name__),
        downstream=tuple(sorted(task.downstream_task_ids)),
        edge_labels=tuple(sorted(pair for pair in labels if pair[1])),
        mapped=bool(getattr(task, "is_mapped", False)),
        group=group or "",
        role="setup" if task.is_setup else "teardown" if task.is_teardown else "",
        summary=_summary(task),
        pool="" if pool == "default_pool" else pool,
        retries=int(task.retries or 0),
        retry_delay_s=(seconds(task.retry_delay) or 0.0) if task.retries else 0.0,
        timeout_s=seconds(task.execution_timeout),
        trigger_rule="" if rule == "all_success" else rule,
        reads=_names(task.inlets),
        writes=_names(task.outlets),
        callbacks=callbacks_of(task),
    )


def _edge_label(above: Any, below: Any, edges: Mapping[str, Any]) -> str:  # Any: as above
    """The text on an edge, which Airflow keeps under the names of the groups that the edge crosses."""
    for one in (above.task_id, *(f"{each}.downstream_join_id" for each in _around(above))):
        for other in (below.task_id, *(f"{each}.upstream_join_id" for each in _around(below))):
            if label := edges.get(one, {}).get(other, {}).get("label"):
                return str(label)
    return ""


def _around(task: Any) -> Iterator[str]:  # Any: as above
    group = task.task_group
    while group is not None and group.group_id:
        yield group.group_id
        group = group.parent_group


def class_of(task: Any) -> type:  # Any: an operator or a mapped one
    """The class that a task is made of, mapped or not."""
    found = getattr(task, "operator_class", None)
    return found if isinstance(found, type) else type(task)


def _summary(task: Any) -> str:  # Any: an operator or a mapped one
    settings = getattr(task, "partial_kwargs", None) or vars(task)
    text = settings.get("doc_md") or settings.get("doc") or ""
    function = settings.get("python_callable")
    if not text and function is not None:
        text = inspect.getdoc(function) or ""
    return first_sentence(str(text))


def _names(assets: Iterable[Any]) -> tuple[str, ...]:  # Any: assets, aliases and references
    found = (getattr(each, "name", None) or getattr(each, "uri", None) for each in assets or ())
    return tuple(sorted({str(each) for each in found if each}))


def seconds(value: Any) -> float | None:  # Any: a span, a number, or none
    """A span of time in seconds."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    return float(value) if isinstance(value, (int, float)) else None


def callbacks_of(owner: Any) -> tuple[Callback, ...]:  # Any: a DAG or a task
    """Functions and notifiers that are called when something happens."""
    found: list[Callback] = []
    for event in _EVENTS:
        value = getattr(owner, f"{event}_callback", None) or ()
        several = value if isinstance(value, (list, tuple)) else (value,)
        found += [Callback(event, _target(each)) for each in several]
    return tuple(found)


def _target(callback: Any) -> str:  # Any: a function, or an instance of a notifier
    thing = callback if hasattr(callback, "__qualname__") else type(callback)
    return _PARSED_MODULE.sub("", f"{thing.__module__}.{thing.__qualname__}")


def groups_of(dag: DAG) -> Iterator[TaskGroup]:
    """Every group but the DAG's own, outer ones first."""
    yield from _groups_below(dag.task_group, "")


def _groups_below(group: Any, around: str) -> Iterator[TaskGroup]:  # Any: a group, mapped or not
    for child in group.children.values():
        if not hasattr(child, "children"):
            continue
        yield TaskGroup(
            group_id=child.group_id,
            label=child.group_display_name or child.label or child.group_id,
            summary=first_sentence(child.tooltip or ""),
            mapped=type(child).__name__ == "MappedTaskGroup",
            group=around,
        )
        yield from _groups_below(child, child.group_id)
