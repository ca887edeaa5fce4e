"""What DAGs and tasks are called, whose they are, and what they are for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from platform_ops.conventions.model import (
    MISSING,
    UNKNOWN,
    Agreed,
    Convention,
    DagFacts,
    Hit,
    TaskFacts,
)
from platform_ops.conventions.rules.samples import LOAD, sample
from platform_ops.findings import Severity

__all__ = ["RULES", "shown"]


def shown(dag: DagFacts) -> str:
    """A DAG as findings name it."""
    return dag.dag_id if isinstance(dag.dag_id, str) else "a DAG"


def _dag_id(dag: DagFacts, agreed: Agreed) -> Iterator[Hit]:
    wanted = agreed.settings.dag_id
    if isinstance(dag.dag_id, str) and not re.fullmatch(wanted, dag.dag_id):
        yield Hit(dag.line, shown(dag), f"the id does not match {wanted}")


def _task_id(task: TaskFacts, agreed: Agreed) -> Iterator[Hit]:
    wanted = agreed.settings.task_id
    if not isinstance(task.task_id, str):
        return
    if not all(re.fullmatch(wanted, part) for part in task.task_id.split(".")):
        yield Hit(task.line, task.name, f"the task's id does not match {wanted}")


def _tags(dag: DagFacts, agreed: Agreed) -> Iterator[Hit]:
    tags = dag.given("tags")
    if tags is UNKNOWN:
        return
    if not isinstance(tags, (list, tuple, set, frozenset)) and not hasattr(tags, "__iter__"):
        tags = ()
    if not tags:
        yield Hit(dag.line, shown(dag), "has no tags")
    for each in sorted(str(tag) for tag in tags if isinstance(tag, str)):
        if not re.fullmatch(agreed.settings.tag, each):
            message = f"the tag {each!r} does not match {agreed.settings.tag}"
            yield Hit(dag.line, shown(dag), message)


def _owner(dag: DagFacts, agreed: Agreed) -> Iterator[Hit]:
    seen: dict[str, list[str]] = {}
    for task in dag.tasks:
        owner = task.given("owner")
        if owner is not UNKNOWN:
            named = owner if isinstance(owner, str) else ""
            seen.setdefault("" if owner is MISSING else named, []).append(str(task.task_id))
    for owner, tasks in seen.items():
        if not owner:
            yield Hit(dag.line, shown(dag), f"no owner is set for {_listed(tasks)}")
        elif not re.fullmatch(agreed.settings.owner, owner):
            yield Hit(dag.line, shown(dag), f"the owner {owner!r} is none that may be set here")


def _listed(names: list[str], most: int = 3) -> str:
    told = ", ".join(names[:most])
    return f"{told} and {len(names) - most} more" if len(names) > most else told


def _purpose(dag: DagFacts, agreed: Agreed) -> Iterator[Hit]:  # noqa: ARG001  as all checks
    given = [dag.given("description"), dag.given("doc_md")]
    if all(each is MISSING or each is None or each == "" for each in given):
        yield Hit(dag.line, shown(dag), "has neither description nor doc_md")


RULES: Final = (
    Convention(
        id="PO101",
        goes_by=("dag_id",),
        title="DAG's id breaks the site's pattern",
        why=(
            "The id stands in URLs, metrics, logs and alerts. One pattern for all of them makes ids "
            "searchable, and keeps out characters that a metrics backend silently replaces."
        ),
        severity=Severity.WARNING,
        bad=sample(dag_id='"Daily-Weather.v2"'),
        good=sample(),
        fix="rename it before its first run; `dag_display_name` takes any text. A DAG that has run keeps "
        "its history under the old id, so give it a waiver or a noqa instead",
        on_dag=_dag_id,
    ),
    Convention(
        id="PO102",
        goes_by=("task_id",),
        title="Task's id breaks the site's pattern",
        why="It stands in URLs, metrics and the archive's manifests, beside those of all other DAGs.",
        severity=Severity.WARNING,
        bad=sample(LOAD.replace("@task", '@task(task_id="Load-It")')),
        good=sample(LOAD.replace("@task", '@task(task_id="load_it")')),
        fix="rename it; `task_display_name` takes any text",
        on_task=_task_id,
    ),
    Convention(
        id="PO103",
        goes_by=("tag",),
        title="DAG without tags, or with odd ones",
        why="Tags are how people filter hundreds of DAGs; `Sales`, `sales` and `SALES` are three filters.",
        severity=Severity.WARNING,
        bad=sample(tags='["Weather Desk"]'),
        good=sample(tags='["weather-desk"]'),
        fix="tag it by subject and team, in the spelling that is in use",
        on_dag=_tags,
    ),
    Convention(
        id="PO104",
        goes_by=("owner",),
        title="Task without an owner",
        why=(
            "Whoever is on call must know whom to ask. Airflow's default `airflow` is nobody, and "
            "alerts that route by owner go nowhere."
        ),
        bad=sample(default_args='{"retries": 2}'),
        good=sample(),
        fix="set `owner` in `default_args` to the team that answers for it",
        on_dag=_owner,
    ),
    Convention(
        id="PO105",
        title="DAG that does not say what it is for",
        why="Whoever is woken by it sees a name and a failure, and no purpose.",
        severity=Severity.WARNING,
        bad=sample(description=None),
        good=sample(),
        fix="give it a description in one sentence, and `doc_md` where more is to be said",
        on_dag=_purpose,
    ),
)
