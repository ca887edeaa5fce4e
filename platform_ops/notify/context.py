"""From what Airflow hands a callback to the message: facts, links, and who answers for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from platform_ops.errors import DeliveryRefused, PlatformError
from platform_ops.links import entity_page
from platform_ops.notify.incident import Standing
from platform_ops.notify.message import Fact, Link, Message, Subject, span_text, time_text
from platform_ops.redaction import safe_url
from platform_ops.settings import KINDS

if TYPE_CHECKING:
    from airflow.sdk import Context

    from platform_ops.settings import Kind, Settings, Severity

__all__ = ["Ended", "Happening", "airflow_url", "happening", "links_to", "message_of"]

Ended = Literal["success", "failure"]

_ERROR: Final = 400
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"<>]+")
_REASONS: Final = {
    "task_failure": "A task of it failed.",
    "timed_out": "It ran for longer than its dagrun_timeout.",
    "all_tasks_deadlocked": "None of its tasks can go on.",
}
"""Airflow's words for why a run failed."""


@dataclass(frozen=True, slots=True)
class Happening:
    """What a callback was called for.

    :param ended: How the task or the run ended.
    :param index: Of an instance of a mapped task; -1 where there is one alone.
    :param error: What was raised, as far as it may be told.
    :param refused: What a check of the delivery's volume said.
    :param grave: Whether the first failure is critical already.
    """

    ended: Ended
    subject: Subject
    index: int
    error: str
    refused: str
    grave: bool
    log_url: str
    airflow_url: str
    operator: str

    @property
    def key(self) -> tuple[str, str]:
        """What failures are counted by."""
        return self.subject.dag_id or "", self.subject.task_id or ""


def happening(context: Context, ended: Ended | None, site: Settings) -> Happening:
    """Read a callback's context: a task's, or a DAG's, which has a reason.

    :param ended: None to find out by the context.
    """
    given: dict[str, Any] = dict(context)  # Any: Airflow's own
    dag, instance = given.get("dag"), given.get("ti")
    reason = str(given.get("reason") or "")
    of_run = bool(reason)
    task = None if of_run else given.get("task")
    if ended is None:
        ended = _ended(reason, instance, given.get("exception"))
    owner = str(getattr(task, "owner", None) or getattr(dag, "owner", None) or "")
    tags = {str(each) for each in getattr(dag, "tags", None) or ()}
    index = -1 if of_run else getattr(instance, "map_index", None)
    error = given.get("exception")
    subject = Subject(
        dag_id=str(getattr(dag, "dag_id", "") or getattr(instance, "dag_id", "")),
        task_id=None if of_run else getattr(instance, "task_id", None),
        run_id=given.get("run_id"),
        try_number=None if of_run else getattr(instance, "try_number", None),
        entity=_entity(task),
        team=_team(site, getattr(given.get("dag_run"), "team_name", None), owner, tags),
        owner=owner or None,
    )
    return Happening(
        ended,
        subject,
        -1 if index is None else index,
        _REASONS.get(reason, reason) if of_run else _told(error),
        _volume(error),
        site.notify.critical_tag in tags,
        _log_url(instance, subject),
        airflow_url(),
        "" if task is None else type(task).__name__,
    )


def message_of(seen: Happening, standing: Standing, now: datetime, site: Settings) -> Message:
    """The message on something that ended, by how things stand with it."""
    kind, severity = _kind(seen, standing)
    about = replace(seen.subject, map_indexes=tuple(each for each in standing.open if each >= 0))
    title, text = _words(kind, seen, standing, now)
    return Message(
        kind,
        severity,
        title,
        text,
        about,
        now,
        standing.since_utc,
        standing.count,
        tuple(_facts(kind, seen, standing, now)),
        tuple(_links(seen, about, site)),
    )


def _kind(seen: Happening, standing: Standing) -> tuple[Kind, Severity]:
    if seen.ended == "success":
        kind: Kind = "recovered" if standing.count else "success"
    elif standing.severity == "critical":
        kind = "critical"
    else:
        kind = "volume-anomaly" if seen.refused else "failure"
    return kind, KINDS[kind][0]


def _words(kind: Kind, seen: Happening, standing: Standing, now: datetime) -> tuple[str, str]:
    name = seen.subject.name
    if kind == "success":
        return f"{name} succeeded", "All went well."
    lasted = span_text(now - standing.since_utc)
    if kind == "recovered":
        return (
            f"{name} works again",
            f"It had failed {_times(standing.count)} within {lasted}.",
        )
    text = seen.refused or seen.error or "It failed, and Airflow does not say why."
    if standing.count > 1:
        title = f"{name} failed {_times(standing.count)} in a row"
    else:
        title = f"{name} took in an odd amount" if kind == "volume-anomaly" else f"{name} failed"
    return title, text


def _facts(kind: Kind, seen: Happening, standing: Standing, now: datetime) -> Iterator[Fact]:
    about = seen.subject
    what = f"task {about.task_id}" if about.task_id else "the whole run"
    yield Fact("What", f"{what} ({seen.operator})" if seen.operator else what)
    instance = f", instance {seen.index}" if seen.index >= 0 else ""
    tried = f", try {about.try_number}" if about.try_number else ""
    yield Fact("Where", f"DAG {about.dag_id}, run {about.run_id}{instance}{tried}")
    if about.entity:
        yield Fact("Entity", about.entity)
    if kind != "success":
        lasted = span_text(now - standing.since_utc)
        yield Fact("Since", f"{time_text(standing.since_utc)} ({lasted})")
        new = (
            f", {standing.untold} since the last message"
            if 1 < standing.untold < standing.count
            else ""
        )
        yield Fact("How often", f"{_times(standing.count)}{new}")
    if len(standing.open) > 1:
        yield Fact("Instances", f"{len(standing.open)} fail at the moment")
    if about.owner:
        yield Fact("Owner", about.owner)


def _links(seen: Happening, about: Subject, site: Settings) -> Iterator[Link]:
    if seen.log_url:
        yield Link("Log" if about.task_id else "Run", seen.log_url)
    yield from links_to(about, site, seen.airflow_url)


def airflow_url() -> str:
    """The address of Airflow itself."""
    from airflow.sdk import conf

    return str(conf.get("api", "base_url", fallback=None) or "http://localhost:8080").rstrip("/")


def links_to(about: Subject, site: Settings, base_url: str) -> Iterator[Link]:
    """Links to the documentation's page and to the archive's, of a DAG or of an entity.

    :param base_url: Airflow's own address.
    """
    if site.docs.base_url and (about.dag_id or about.entity):
        plural, name = ("dags", about.dag_id) if about.dag_id else ("entities", about.entity)
        page = f"reference/{plural}/{quote(str(name))}.html"
        yield Link("Docs", f"{site.docs.base_url}/{page}")
    if about.entity:
        yield Link("Archive", entity_page(base_url, about.entity))


def _log_url(instance: Any, subject: Subject) -> str:  # Any: Airflow's task instance, or None
    if instance is not None and subject.task_id is not None:
        return str(getattr(instance, "log_url", "") or "")
    if not subject.dag_id or not subject.run_id:
        return ""
    return f"{airflow_url()}/dags/{quote(subject.dag_id)}/runs/{quote(subject.run_id)}"


def _ended(reason: str, instance: Any, error: Any) -> Ended:  # Any: Airflow's
    if reason:
        return "success" if reason == "success" else "failure"
    state = str(getattr(getattr(instance, "state", None), "value", ""))
    return "success" if state == "success" and error is None else "failure"


def _entity(task: Any) -> str | None:  # Any: an operator, or None
    entity = getattr(task, "entity", None)
    return str(entity) if isinstance(entity, str) and "." in entity else None


def _team(site: Settings, named: str | None, owner: str, tags: Iterable[str]) -> str | None:
    """Airflow's own team, else the owner, else a tag ``team:…``: the first that the site knows."""
    tagged = (each.removeprefix("team:") for each in sorted(tags) if each.startswith("team:"))
    known = (each for each in (named, owner, *tagged) if each in site.teams)
    return next(known, named or site.notify.default_team)


def _told(error: Any) -> str:  # Any: an exception, a text or None
    """What was raised, without what Airflow or a URL's form says is a secret."""
    from airflow.sdk.log import redact  # type: ignore[attr-defined]  # public, and not in its __all__

    if error is None:
        return ""
    text = str(error).strip()
    # Airflow wraps what the platform raises for good: its text then begins with the class already.
    wrapped = isinstance(getattr(error, "__cause__", None), PlatformError)
    named = text if isinstance(error, str) or wrapped else f"{type(error).__name__}: {text}"
    masked = _URL.sub(lambda hit: safe_url(hit[0]), str(redact(named)))
    first = " ".join(masked.split())
    return first if len(first) <= _ERROR else f"{first[:_ERROR]}…"


def _volume(error: Any) -> str:  # Any: as above
    cause = getattr(error, "__cause__", None)
    if isinstance(cause, DeliveryRefused) and cause.check in ("small", "large"):
        return str(cause)
    return ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
