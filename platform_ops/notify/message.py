"""What is told: one value, whatever it was made from and wherever it goes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from platform_ops.settings import Kind, Severity

__all__ = ["EMOJI", "Fact", "Link", "Message", "Subject", "span_text", "time_text"]

EMOJI: Final[dict[Kind, str]] = {
    "success": "✅",
    "failure": "❌",
    "critical": "🚨",
    "recovered": "💚",
    "late": "⏰",
    "volume-anomaly": "📉",
}
"""What stands in front of a title, so that a glance is enough."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a message: a word, and what there is to say under it."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """Where to read on."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What a message is about, for machines; what does not apply is None.

    :param map_indexes: Instances of a mapped task that fail at the moment.
    """

    dag_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    try_number: int | None = None
    map_indexes: tuple[int, ...] = ()
    entity: str | None = None
    slot_time_utc: datetime | None = None
    team: str | None = None
    owner: str | None = None

    @property
    def name(self) -> str:
        """In one word, for people."""
        if self.entity is not None and self.dag_id is None:
            return self.entity
        return f"{self.dag_id}.{self.task_id}" if self.task_id else str(self.dag_id)


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that happened.

    :param title: In half a line.
    :param text: In a sentence or two.
    :param at_utc: When it was noticed.
    :param since_utc: Since when it is so.
    :param count: How often it happened since then.
    :param facts: What, where, since when, how often.
    :param links: To the log, the documentation and the archive.
    """

    kind: Kind
    severity: Severity
    title: str
    text: str
    subject: Subject
    at_utc: datetime
    since_utc: datetime | None = None
    count: int = 1
    facts: Sequence[Fact] = ()
    links: Sequence[Link] = field(default=())

    @property
    def thread(self) -> str:
        """The same for all that is told of one subject from its first failure to its recovery."""
        since = self.since_utc.isoformat() if self.since_utc else ""
        about = self.subject
        return _digest(about.dag_id, about.task_id, about.entity, since)

    @property
    def id(self) -> str:
        """The same for each attempt to deliver it."""
        return _digest(self.thread, self.kind, self.count, self.at_utc.isoformat())


def time_text(moment: datetime) -> str:
    """A time as people read it, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def span_text(span: timedelta) -> str:
    """A length of time in its two largest units."""
    minutes = int(span.total_seconds() // 60)
    if minutes < 1:
        return "less than a minute"
    parts = [
        (minutes // 1440, "day"),
        (minutes // 60 % 24, "hour"),
        (minutes % 60, "minute"),
    ]
    told = [f"{many} {unit}{'' if many == 1 else 's'}" for many, unit in parts if many]
    return " ".join(told[:2])


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]
