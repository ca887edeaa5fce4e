"""Airflow's cluster policies: conventions that are kept, and notifiers attached, when a DAG is parsed.

Airflow loads this module in every process, by the entry point ``airflow.policy``; nothing of it is
imported or read before the first DAG is parsed. ``[conventions.rules]`` of ``platform.toml`` says for
each rule whether it refuses a DAG, warns, mends it, or does nothing, which is the default;
``[notify] attach`` whether every task and DAG tells people how it ended.

Source: https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/cluster-policies.html
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

from airflow.policies import hookimpl

if TYPE_CHECKING:
    from platform_ops.conventions import Agreed, Convention, Hit
    from platform_ops.settings.loading import Loaded

__all__ = ["dag_policy", "task_policy"]

SWITCH: Final = "PLATFORM_OPS_POLICIES"
"""Environment variable that turns all of it off where it is ``off``, as the linter's own process does."""

log = logging.getLogger(__name__)


_LAST: Final[list[Any]] = [lambda: None, None]  # Any: the last DAG, weakly, and its plan


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is done here, ready for the next DAG."""

    agreed: Agreed | None
    on_dags: tuple[tuple[Convention, str], ...]
    on_tasks: tuple[tuple[Convention, str], ...]
    docs_url: str
    notify: bool


@hookimpl
def dag_policy(dag: Any) -> None:  # Any: Airflow's DAG
    """Hold a DAG against the rules on DAGs that this site has its policy keep, and have it tell its end.

    :param dag: As Airflow has just built it.
    """
    plan = _plan()
    _LAST[:] = [ref(dag), plan]
    if plan is not None and plan.notify:
        from platform_ops.notify.attach import attach_to_dag

        attach_to_dag(dag)
    if plan is not None and plan.on_dags:
        from platform_ops.conventions.loaded import LoadedDag

        facts = LoadedDag(dag)
        _keep(plan, plan.on_dags, dag, facts, "on_dag")


@hookimpl
def task_policy(task: Any) -> None:  # Any: an operator, mapped or not
    """Hold a task against the rules on tasks that this site keeps, or mend it, and have it tell its end.

    :param task: As Airflow has just built it.
    """
    # Airflow gives the tasks of a DAG right after the DAG: the settings are looked up once for all.
    last, plan = _LAST
    if not task.has_dag() or last() is not task.dag:
        plan = _plan()
    if plan is not None and plan.notify:
        from platform_ops.notify.attach import attach_to_task

        attach_to_task(task)
    if plan is not None and plan.on_tasks:
        from platform_ops.conventions.loaded import LoadedTask

        _keep(plan, plan.on_tasks, task, LoadedTask(task, None), "on_task")


def _keep(
    plan: _Plan,
    rules: Iterable[tuple[Convention, str]],
    thing: Any,  # Any: Airflow's DAG or operator
    facts: Any,  # Any: the same, as rules see it
    check: str,
) -> None:
    refused: list[str] = []
    agreed = plan.agreed
    if agreed is None:  # notifiers alone
        return
    for rule, action in rules:
        mend = rule.mend_dag if check == "on_dag" else rule.mend_task
        find = getattr(rule, check)
        try:
            if action == "mutate" and mend is not None and find is None:
                mend(thing, agreed)  # it looks for itself whether there is anything to do
                continue
            hits = list(find(facts, agreed)) if find is not None else []
            if hits and action == "mutate" and mend is not None:
                mend(thing, agreed)
                continue
        except Exception:
            # A fault in one rule must not take every DAG of the site away.
            log.exception("%s (%s) could not be checked, and is passed over", rule.id, rule.title)
            continue
        told = [_told(plan, rule, hit) for hit in hits]
        if action == "error":
            refused += told
        else:
            for each in told:
                log.warning("%s", each)
    if refused:
        from airflow.exceptions import AirflowClusterPolicyViolation

        raise AirflowClusterPolicyViolation("\n".join(refused))


def _told(plan: _Plan, rule: Convention, hit: Hit) -> str:
    advice = hit.fix or rule.fix
    link = f" See {plan.docs_url}/reference/rules/{rule.id}.html" if plan.docs_url else ""
    fix = f" To mend it: {advice}." if advice else ""
    return f"{rule.id} {rule.title}: {hit.object}: {hit.message}.{fix}{link}"


def _plan() -> _Plan | None:
    """What the settings ask for; None where they cannot be read, which is logged once as an error."""
    if os.environ.get(SWITCH) == "off":
        return None
    from airflow.configuration import conf

    from platform_ops import settings

    try:
        found = settings.load(conf.get("platform_ops", "config", fallback=None) or None)
        return _plan_of(found)
    except Exception as err:  # noqa: BLE001  whatever is wrong with the settings, DAGs must stay
        _say_once(str(err) or type(err).__name__)
        return None


@lru_cache(maxsize=1)
def _plan_of_settings(found: _Key) -> _Plan | None:
    settings = found.loaded.settings
    actions = {name: each.policy for name, each in settings.conventions.rules.items()}
    attach, docs_url = settings.notify.attach, settings.docs.base_url or ""
    if all(action == "off" for action in actions.values()):
        # And no rule is imported.
        return _Plan(None, (), (), docs_url, notify=True) if attach else None
    from platform_ops.conventions import agreed_by, chosen

    taken = [
        (rule, actions[rule.id])
        for rule in chosen(settings.conventions)
        if actions.get(rule.id, "off") != "off"
    ]
    return _Plan(
        agreed_by(settings),
        tuple(each for each in taken if each[0].on_dag or each[0].mend_dag),
        tuple(each for each in taken if each[0].on_task or each[0].mend_task),
        docs_url,
        attach,
    )


class _Key:
    """Settings, told apart by identity: the same file is parsed once, and hashing it would cost more."""

    __slots__ = ("loaded",)

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.loaded is self.loaded

    def __hash__(self) -> int:
        return id(self.loaded)


def _plan_of(found: Loaded) -> _Plan | None:
    return _plan_of_settings(_Key(found))


@lru_cache(maxsize=8)
def _say_once(message: str) -> None:
    log.error(
        "the conventions of platform_ops are not kept on this site, since its settings cannot be used: %s",
        message,
    )
