"""What a DAG takes in by a stock operator, and nobody archives: told, never forbidden.

By the table of :mod:`platform_ops.stock_operators`. An operator over an ``archiving_…`` connection archives
by its hook, and so does one over a connection that ``[conventions] archiving_connections`` names. What a
function under ``@task`` fetches cannot be seen here; the linter looks at its code.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

from platform_ops.stock_operators import ARCHIVING_PREFIX, StockOperator, stock_operator_of

__all__ = ["ArchiveAuditor", "Unarchived", "audit", "audit_dag", "type_of", "unarchived"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Unarchived:
    """A task that takes something in and keeps no copy of it.

    :param operator: Its class, as the table names it.
    :param system: What it takes in from.
    :param connection: Id of the connection to the source; empty where there is none.
    :param advice: What to do, in a sentence.
    """

    dag_id: str
    task_id: str
    operator: str
    system: str
    connection: str
    advice: str


def audit(
    dags: Iterable[Any], kind_of: Callable[[str], str | None], patterns: Iterable[str] = ()
) -> Iterator[Unarchived]:
    """Every task of some DAGs that archives nothing of what it takes in, by DAG and task.

    :param dags: Airflow's DAGs.
    :param kind_of: From a connection's id to its type; None where nobody knows.
    :param patterns: Of ids of connections that archive.
    """
    known = tuple(patterns)
    for dag in sorted(dags, key=lambda each: str(each.dag_id)):
        for task in sorted(dag.tasks, key=lambda each: str(each.task_id)):
            found = unarchived(task, kind_of, known)
            if found is not None:
                yield found


def audit_dag(dag: Any) -> Iterator[Unarchived]:  # Any: Airflow's DAG
    """Every such task of one DAG, by what this site and this machine know of connections.

    A documentation site names it: ``airflow_catalog["audit"] = "platform_ops.auditor:audit_dag"``.
    """
    yield from audit([dag], type_of, _patterns())


def unarchived(
    task: Any,  # Any: an operator, mapped or not
    kind_of: Callable[[str], str | None],
    patterns: Iterable[str] = (),
) -> Unarchived | None:
    """What one task takes in and does not archive; None where it takes in nothing, or archives it."""
    cls = getattr(task, "operator_class", type(task))
    row = stock_operator_of(f"{each.__module__}.{each.__qualname__}" for each in cls.__mro__)
    if row is None or _sends(task):
        return None
    connection = _connection(task, row)
    if row.by_type and connection:
        if any(re.fullmatch(each, connection) for each in patterns):
            return None
        if (kind_of(connection) or "").startswith(ARCHIVING_PREFIX):
            return None
    return Unarchived(
        str(task.dag_id), str(task.task_id), row.path, row.system, connection, row.advice
    )


def type_of(connection: str) -> str | None:
    """The type of a connection, by Airflow's secrets backends; None where it cannot be had."""
    from airflow.sdk import BaseHook

    uri = os.environ.get(f"AIRFLOW_CONN_{connection.upper()}")
    if uri is None and "{" in connection:  # a template, which only the task can render
        return None
    try:
        return BaseHook.get_connection(connection).conn_type
    except Exception:  # noqa: BLE001  no connection, no database, no backend: nobody knows its type
        return None


def _sends(task: Any) -> bool:  # Any: an operator, mapped or not
    """Whether it only gives away: an upload, or a request that changes something."""
    told = str(_argument(task, "operation") or _argument(task, "method") or "").lower()
    return told in ("put", "patch", "delete", "head", "options")


def _connection(task: Any, row: StockOperator) -> str:  # Any: an operator, mapped or not
    return str(_argument(task, row.connection) or "") if row.connection else ""


def _argument(task: Any, name: str) -> Any:  # Any: the operator's own
    return getattr(task, "partial_kwargs", {}).get(name, getattr(task, name, None))


class _Listener:
    """Counts what succeeded and was not archived, in the task's own process."""

    @hookimpl
    def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:  # noqa: ARG002  # Airflow's; Any: its own classes
        """Count a task that took something in, and told nobody to archive it."""
        task = getattr(task_instance, "task", None)
        try:
            found = None if task is None else unarchived(task, type_of, _patterns())
            if found is not None:
                _count(found)
        except Exception:  # A listener is there to tell, and must not end a task.
            log.warning("the auditor could not look at %s", task_instance, exc_info=True)


def _patterns() -> tuple[str, ...]:
    from platform_ops.ingest import site_settings

    return tuple(site_settings().conventions.archiving_connections)


def _count(found: Unarchived) -> None:
    from platform_ops import metrics
    from platform_ops.entity import Entity

    log.info("%s.%s archives nothing: %s", found.dag_id, found.task_id, found.advice)
    source = (found.connection or found.system).replace(".", "_") or "unknown"
    entity = Entity(source, found.task_id)
    metrics.emit(metrics.UNARCHIVED, 1, entity, operator=found.operator.rpartition(".")[2])


class ArchiveAuditor(AirflowPlugin):
    """Counts tasks that take something in by a stock operator and archive nothing of it."""

    name = "platform_ops_auditor"
    listeners = [_Listener()]  # noqa: RUF012  # as Airflow's own plugins declare it
