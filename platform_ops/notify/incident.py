"""Since when, how often, and whether anybody has to hear of it now: rules without a clock or a store.

Each takes the state that a :class:`~platform_ops.notify.journal.Journal` holds, and gives the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from platform_ops.settings import SEVERITIES, Severity

if TYPE_CHECKING:
    from platform_ops.notify.journal import State

__all__ = ["Admission", "Standing", "admit", "fail", "is_over", "recover", "untold"]

_OPEN: Final = 1000
"""Instances of a mapped task that are remembered one by one."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How things are with one subject.

    :param tell: Whether it is time for a message.
    :param count: Failures since it worked last, of which ``untold`` since the last message.
    :param open: Instances that fail at the moment.
    """

    tell: bool
    since_utc: datetime
    count: int
    untold: int
    severity: Severity
    open: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a channel takes one more message.

    :param admitted: It does.
    :param last: It is the last one of the window.
    :param left_out: Messages that were left out in the window before.
    """

    admitted: bool
    last: bool = False
    left_out: int = 0
    until_utc: datetime | None = None


def fail(
    state: State,
    now: datetime,
    window: timedelta,
    *,
    critical_after: int,
    severity: Severity = "error",
    index: int = -1,
) -> tuple[State, Standing]:
    """One more failure.

    It is told when it is the first, when it becomes more severe, or when a window has passed since.

    :param severity: Of the first.
    :param index: Of the instance of a mapped task.
    """
    count = int(state.get("count", 0)) + 1
    since = _time(state.get("since")) or now
    grave: Severity = "critical" if count >= critical_after else severity
    told_at, told_as = _time(state.get("told_at")), state.get("told_as")
    worse = told_as in SEVERITIES and SEVERITIES.index(grave) > SEVERITIES.index(told_as)
    tell = told_at is None or worse or now - told_at >= window
    failing = sorted({*state.get("open", ()), index})[:_OPEN]
    standing = Standing(
        tell, since, count, count - int(state.get("told", 0)), grave, tuple(failing)
    )
    following: dict[str, Any] = {  # Any: JSON values
        "since": since.isoformat(),
        "count": count,
        "open": failing,
        "told_at": state.get("told_at"),
        "told_as": told_as,
        "told": state.get("told", 0),
    }
    if tell:
        following |= {"told_at": now.isoformat(), "told_as": grave, "told": count}
    return following, standing


def recover(state: State, index: int = -1) -> tuple[State, Standing | None]:
    """It works: nothing to say where it had not failed, or where nobody heard of that.

    :param index: Which instance of a mapped task works; the others may still fail.
    """
    if not state.get("count"):
        return state, None
    failing = [each for each in state.get("open", ()) if each != index]
    if failing:
        return {**state, "open": failing}, None
    since = _time(state.get("since"))
    if since is None or not state.get("told_at"):
        return {"count": 0}, None
    return {"count": 0}, Standing(True, since, int(state["count"]), 0, "info")


def is_over(state: State, now: datetime, window: timedelta) -> bool:
    """Whether a window has passed since it was told last."""
    told_at = _time(state.get("told_at"))
    return told_at is not None and now - told_at >= window


def untold(state: State, before: Standing) -> tuple[State, None]:
    """The message reached nobody: the next failure is told, however soon it comes."""
    if state.get("count") != before.count:
        return state, None  # another one has been told since
    return {**state, "told_at": None, "told": before.count - before.untold}, None


def admit(state: State, now: datetime, window: timedelta, limit: int) -> tuple[State, Admission]:
    """One more message for a channel.

    :param limit: Messages in one window, which begins with the first of them.
    """
    began, sent = _time(state.get("began")), int(state.get("sent", 0))
    left_out = int(state.get("left_out", 0))
    if began is None or now - began >= window:
        fresh = {"began": now.isoformat(), "sent": 1, "left_out": 0}
        return fresh, Admission(True, limit == 1, left_out, now + window)
    until = began + window
    if sent >= limit:
        return {**state, "left_out": left_out + 1}, Admission(False, until_utc=until)
    return {**state, "sent": sent + 1}, Admission(True, sent + 1 == limit, until_utc=until)


def _time(text: Any) -> datetime | None:  # Any: a JSON value
    return datetime.fromisoformat(text) if isinstance(text, str) else None
