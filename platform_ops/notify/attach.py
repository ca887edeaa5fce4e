"""Notifiers on every task and DAG of a site, put there by Airflow's cluster policies."""

from __future__ import annotations

from typing import Any, Final

from platform_ops.notify.notifier import SiteNotifier

__all__ = ["attach_to_dag", "attach_to_task"]

FAILED: Final = SiteNotifier(ended="failure")
SUCCEEDED: Final = SiteNotifier(ended="success")
OF_RUNS: Final = SiteNotifier(told_by_tasks=True)
"""One each for all: they hold nothing of what they tell of."""


def attach_to_task(task: Any) -> None:  # Any: an operator, mapped or not
    """Have a task tell of its end; one that does by itself is left alone."""
    given = getattr(task, "partial_kwargs", None)
    for name, notifier in (("on_failure_callback", FAILED), ("on_success_callback", SUCCEEDED)):
        callbacks = _listed(getattr(task, name, None))
        if any(isinstance(each, SiteNotifier) for each in callbacks):
            continue
        if isinstance(given, dict):
            given[name] = [*callbacks, notifier]
        else:
            setattr(task, name, [*callbacks, notifier])


def attach_to_dag(dag: Any) -> None:  # Any: Airflow's DAG
    """Have a DAG tell of what none of its tasks can: a run that takes too long, or is stuck.

    Not of its successes: for each of these Airflow would have the DAG processor parse the file once more.
    """
    callbacks = _listed(dag.on_failure_callback)
    if not any(isinstance(each, SiteNotifier) for each in callbacks):
        dag.on_failure_callback = [*callbacks, OF_RUNS]
        dag.has_on_failure_callback = True


def _listed(callbacks: Any) -> list[Any]:  # Any: a callback, several, or None
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
