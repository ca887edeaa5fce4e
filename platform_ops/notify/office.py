"""Where messages leave: remembered, counted, sent, and never at the cost of who asked for it.

Everything that waits for others (the archive's store, Slack, a mail server) runs on a thread of its own
that is left behind when its time is over: a callback holds a task's slot, or the DAG processor.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from platform_ops import archive, metrics
from platform_ops.entity import Entity
from platform_ops.errors import PlatformError
from platform_ops.notify.channels import deliver
from platform_ops.notify.incident import Admission, admit
from platform_ops.notify.journal import Journal
from platform_ops.notify.message import Fact, Message, time_text
from platform_ops.url_scheme import encode

if TYPE_CHECKING:
    from platform_ops.settings import ChannelSettings, Settings

__all__ = ["Channels", "bounded", "journal", "send"]

log = logging.getLogger("platform_ops.notify")

Channels: TypeAlias = "Mapping[str, ChannelSettings]"
Result = TypeVar("Result")

SPARE_S: Final = 0.5
"""How much longer than a channel's own timeout its thread is waited for."""


def journal(site: Settings, *place: str) -> Journal:
    """The memory of one thing, beside the archive."""
    return Journal(archive.root(site), "/".join(map(encode, place)))


def bounded(work: Callable[[], Result], timeout_s: float) -> Result:
    """Do something, or give it up once its time is over.

    :raises TimeoutError: It has not ended by then, and goes on without anybody waiting.
    """
    (outcome,) = _all_of([work], timeout_s)
    return outcome()


def send(message: Message, channels: Channels, site: Settings) -> bool:
    """Send a message over some channels, all at the same time; whether any of them took it.

    Whatever goes wrong is logged and counted, and nothing is raised.
    """
    limited = _limited(message, channels, site)
    timeout_s = site.notify.timeout_s
    outcomes = _all_of(
        [partial(deliver, each, channels[name], timeout_s) for name, each in limited.items()],
        timeout_s + SPARE_S,
    )
    arrived = False
    for name, outcome in zip(limited, outcomes, strict=True):
        try:
            outcome()
        except Exception as err:  # noqa: BLE001  whatever a channel does, the task it tells of goes on
            log.error(  # noqa: TRY400  # a traceback may show what a client was given
                "message %r did not reach channel %s: %s", message.title, name, _reason(err)
            )
            _count(name, "failed")
        else:
            arrived = True
            log.info("message %r went to channel %s", message.title, name)
            _count(name, "sent")
    return arrived


def _limited(message: Message, channels: Channels, site: Settings) -> dict[str, Message]:
    """The message as each channel gets it; without those that have had too many."""
    now = message.at_utc
    window = timedelta(minutes=site.notify.window_minutes)
    # Those on call must hear of what is critical, however much else there is to tell.
    apart = "critical" if message.severity == "critical" else "others"

    def admission(name: str) -> Admission:
        memory = journal(site, "channels", name, apart)
        return memory.step(lambda state: admit(state, now, window, site.notify.limit))

    asked = [partial(admission, name) for name in channels]
    found: dict[str, Message] = {}
    outcomes = _all_of(asked, site.notify.timeout_s)
    for name, outcome in zip(channels, outcomes, strict=True):
        try:
            allowed = outcome()
        except (PlatformError, OSError, TimeoutError) as err:
            log.warning("messages to channel %s are not counted: %s", name, _reason(err))
            allowed = Admission(True)
        if allowed.admitted:
            found[name] = _noted(message, allowed, site)
        else:
            log.warning(
                "message %r was left out of channel %s: it has had enough", message.title, name
            )
            _count(name, "left_out")
    return found


def _noted(message: Message, allowed: Admission, site: Settings) -> Message:
    notes = []
    if allowed.left_out:
        notes.append(Fact("Left out before", f"{allowed.left_out} more messages were suppressed"))
    if allowed.last and allowed.until_utc is not None:
        until = time_text(allowed.until_utc)
        limit = f"{site.notify.limit} messages in {site.notify.window_minutes} minutes"
        notes.append(Fact("Limit", f"{limit}: more are suppressed until {until}"))
    return replace(message, facts=(*message.facts, *notes))


@dataclass(slots=True)
class _Job:
    thread: threading.Thread
    result: Any = None  # Any: whatever the work gives
    error: BaseException | None = None


def _all_of(works: Iterable[Callable[[], Result]], timeout_s: float) -> list[Callable[[], Result]]:
    """Do several things at once, and wait for all of them until a time is over; what each came to."""
    jobs = [_start(work) for work in works]
    until = time.monotonic() + timeout_s
    for job in jobs:
        job.thread.join(max(0.0, until - time.monotonic()))
    return [partial(_came_to, job, timeout_s) for job in jobs]


def _start(work: Callable[[], Any]) -> _Job:  # Any: whatever the work gives
    def run() -> None:
        try:
            job.result = work()
        except BaseException as err:  # noqa: BLE001  it is raised where somebody waits for it
            job.error = err

    job = _Job(threading.Thread(target=run, daemon=True, name="platform_ops.notify"))
    job.thread.start()
    return job


def _came_to(job: _Job, timeout_s: float) -> Any:  # Any: whatever the work gives
    if job.error is not None:
        raise job.error
    if job.thread.is_alive():
        raise TimeoutError(f"no end after {timeout_s:g} s")
    return job.result


def _reason(err: BaseException) -> str:
    """What may be logged of it: errors of the platform hold no secrets, and others may."""
    if isinstance(err, (PlatformError, TimeoutError)):
        return f"{type(err).__name__}: {err}"
    return type(err).__name__


def _count(channel: str, outcome: str) -> None:
    metrics.emit(metrics.MESSAGES, 1, Entity("notify", channel), outcome=outcome)
