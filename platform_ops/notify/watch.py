"""The archive watched for what no task can tell of: slots that are overdue, and odd amounts.

A task that never runs fails no callback, and one whose site lets an odd delivery pass succeeds. So one DAG
of the site looks at every entity with a schedule, and at what arrived of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseOperator

from platform_ops import archive
from platform_ops.entity import Entity
from platform_ops.ingest import site_settings
from platform_ops.notify.context import airflow_url
from platform_ops.notify.journal import State
from platform_ops.notify.lateness import Odd, Overdue, arrived_message, late_message, odd_message
from platform_ops.notify.message import Message
from platform_ops.notify.office import journal, send
from platform_ops.settings import EntitySettings, Settings

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["ArchiveWatchOperator"]

_TOLD: Final = 100


class ArchiveWatchOperator(BaseOperator):
    """Look at every entity of the archive, and tell people what is overdue, came at last, or is odd.

    What is overdue is told once, again when more of it is, and once more when all of it has arrived. An odd
    amount is told where the entity's ``on_small`` or ``on_large`` lets it pass with a warning or skips it;
    one that fails its task is told by the task.

    :param days: How far back a slot may lie that is told as overdue or odd.
    :raises ArchiveUnavailable: The store is out of reach.
    """

    def __init__(self, *, days: int = 2, **kwargs: Any) -> None:  # Any: BaseOperator's own
        super().__init__(**kwargs)
        self.days = days

    def execute(self, context: Context) -> dict[str, int]:  # noqa: ARG002  # the base class's signature
        """Look, and tell; the counts of what was found go to XCom."""
        site, now = site_settings(), datetime.now(UTC)
        since = now - timedelta(days=self.days)
        entities = list(site.entities())
        found = {"odd": 0, "messages": 0}
        for entity in entities:
            if site.entity(entity).schedule is not None:
                found["messages"] += _tell_overdue(entity, since, now, site)
            for odd in _odd(entity, since, now, site):
                found["odd"] += 1
                found["messages"] += _tell_odd(odd, now, site)
        self.log.info("%d entities: %s", len(entities), found)
        return found


def _missing(
    entity: Entity, since: datetime, site: Settings
) -> tuple[datetime, dict[str, datetime], set[str]]:
    """From when on anything was expected; by when each missing slot was due; and which are recent."""
    status = archive.status(entity, settings=site)
    missing = [each for each in status.arrivals if each.state == "missing"]
    due = {each.time_utc.isoformat(): each.due_utc or each.time_utc for each in missing}
    recent = {each.time_utc.isoformat() for each in missing if each.time_utc >= since}
    return status.since, due, recent


def _odd(entity: Entity, since: datetime, now: datetime, site: Settings) -> Iterator[Odd]:
    agreed = site.entity(entity)
    if all(how == "accept" for _, how in _reactions(agreed)):
        return
    name = str(entity)
    for manifest in archive.find(entity, since, now, site):
        url = archive.refer(manifest).manifest_url
        for remark in manifest.remarks:
            if remark.check in ("small", "large"):
                time = manifest.slot.time_utc
                yield Odd(name, time, manifest.revision, remark.check, remark.message, url)
    skipped = [each for each, how in _reactions(agreed) if how == "skip"]
    for kept in archive.evidence(name, settings=site) if skipped else ():
        if kept.check in skipped and kept.slot.time_utc >= since:
            yield Odd(name, kept.slot.time_utc, 0, kept.check, kept.message, None)


def _reactions(agreed: EntitySettings) -> tuple[tuple[str, str], ...]:
    return ("small", agreed.on_small), ("large", agreed.on_large)


@dataclass(frozen=True, slots=True)
class _Step:
    """What to tell of an entity's lateness: of these slots, or that all that was told has arrived."""

    late: tuple[str, ...] = ()
    arrived: bool = False
    since_utc: datetime | None = None


def _tell_overdue(entity: Entity, since: datetime, now: datetime, site: Settings) -> int:
    """Tell what is new, and what is over; how many messages went out."""
    first, due, recent = _missing(entity, since, site)

    def change(state: State) -> tuple[State, _Step]:
        told = list(state.get("late", ()))
        began = datetime.fromisoformat(state["since"]) if told else None
        still = [each for each in told if each in due]
        if recent - set(told):
            late = sorted({*still, *recent})[-_TOLD:]
            began = began or due[late[0]]
            return {"late": late, "since": began.isoformat()}, _Step(tuple(late), since_utc=began)
        if still:
            return {"late": still, "since": state["since"]}, _Step()
        # What is too old to be expected any more has not arrived: nobody is told that it did.
        arrived = any(datetime.fromisoformat(each) >= first for each in told)
        return {}, _Step(arrived=arrived, since_utc=began)

    memory = journal(site, "entities", str(entity), "late")
    before = memory.read()
    step = memory.step(change)
    if step.arrived:
        return _send(
            arrived_message(str(entity), step.since_utc or now, now, site, airflow_url()), site
        )
    if not step.late:
        return 0
    times = tuple(map(datetime.fromisoformat, step.late))
    overdue = Overdue(str(entity), times, due[step.late[0]])
    sent = _send(late_message(overdue, now, site, airflow_url(), step.since_utc), site)
    if not sent:
        memory.step(lambda _: (before, None))  # nobody heard of it: the next look tells it
    return sent


def _tell_odd(odd: Odd, now: datetime, site: Settings) -> int:
    key = f"{odd.time_utc.isoformat()} {odd.revision} {odd.check}"

    def change(state: State) -> tuple[State, bool]:
        told = list(state.get("told", ()))
        return (state, False) if key in told else ({"told": [*told, key][-_TOLD:]}, True)

    def undo(state: State) -> tuple[State, None]:
        return {"told": [each for each in state.get("told", ()) if each != key]}, None

    memory = journal(site, "entities", odd.entity, "odd")
    if not memory.step(change):
        return 0
    sent = _send(odd_message(odd, now, site, airflow_url()), site)
    if not sent:
        memory.step(undo)
    return sent


def _send(message: Message, site: Settings) -> int:
    if message.kind not in site.notify.tell:
        return 1  # nobody wants it: as good as told
    channels = site.channels(message.subject.team, message.severity)
    return int(not channels or send(message, channels, site))
