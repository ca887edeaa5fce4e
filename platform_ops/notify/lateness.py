"""Messages on what the archive lacks or finds odd: no task tells of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from platform_ops.entity import Entity
from platform_ops.links import revision_page
from platform_ops.notify.context import links_to
from platform_ops.notify.message import Fact, Link, Message, Subject, span_text, time_text
from platform_ops.settings import Settings

__all__ = ["Odd", "Overdue", "arrived_message", "late_message", "odd_message"]


@dataclass(frozen=True, slots=True)
class Overdue:
    """An entity of which slots should be there, and are not.

    :param times: Of the slots, in order.
    :param due_utc: By when the first of them should have been there.
    """

    entity: str
    times: tuple[datetime, ...]
    due_utc: datetime


@dataclass(frozen=True, slots=True)
class Odd:
    """A delivery of an odd amount.

    :param check: ``small`` or ``large``.
    :param message: What a check said of it, in words.
    :param manifest_url: Of the revision; None of one that was refused.
    """

    entity: str
    time_utc: datetime
    revision: int
    check: str
    message: str
    manifest_url: str | None


def _subject(entity: str, time: datetime | None, site: Settings) -> Subject:
    found = Entity.parse(entity)
    source = site.sources.get(found.source)
    declared = site.declared(found)
    owner = (declared.owner if declared else None) or (source.owner if source else None)
    team = owner if owner in site.teams else site.notify.default_team
    return Subject(entity=entity, slot_time_utc=time, owner=owner, team=team)


def late_message(
    overdue: Overdue, now: datetime, site: Settings, base_url: str, since: datetime | None = None
) -> Message:
    """The message on slots that are overdue.

    :param base_url: Airflow's own address.
    :param since: When the first of them was due that nobody has seen since.
    """
    about = _subject(overdue.entity, overdue.times[0], site)
    began = since or overdue.due_utc
    declared = site.declared(Entity.parse(overdue.entity))
    many = len(overdue.times)
    title = f"{overdue.entity} is late" if many == 1 else f"{overdue.entity}: {many} slots are late"
    return Message(
        "late",
        "warning",
        title,
        f"The slot of {time_text(overdue.times[0])} was due by {time_text(overdue.due_utc)}.",
        about,
        now,
        began,
        many,
        tuple(
            _facts(
                about,
                ("Where", "the archive"),
                ("Schedule", (declared.schedule if declared else None) or ""),
                ("Since", f"{time_text(began)} ({span_text(now - began)})"),
                (
                    "How often",
                    f"{many} slots: {_listed(overdue.times)}" if many > 1 else "one slot",
                ),
            )
        ),
        tuple(links_to(about, site, base_url)),
    )


def arrived_message(
    entity: str, since: datetime, now: datetime, site: Settings, base_url: str
) -> Message:
    """The message on slots that were overdue and have arrived."""
    about = _subject(entity, None, site)
    return Message(
        "recovered",
        "info",
        f"{entity} has arrived",
        f"Nothing of it is overdue any more; something was for {span_text(now - since)}.",
        about,
        now,
        since,
        0,
        tuple(_facts(about, ("Where", "the archive"), ("Since", time_text(since)))),
        tuple(links_to(about, site, base_url)),
    )


def odd_message(odd: Odd, now: datetime, site: Settings, base_url: str) -> Message:
    """The message on a delivery of an odd amount."""
    about = _subject(odd.entity, odd.time_utc, site)
    what = "smaller" if odd.check == "small" else "larger"
    kept = "taken in" if odd.revision else "refused, and kept as evidence"
    return Message(
        "volume-anomaly",
        "warning",
        f"{odd.entity} is far {what} than usual",
        odd.message,
        about,
        now,
        odd.time_utc,
        1,
        tuple(
            _facts(
                about,
                ("Where", f"slot of {time_text(odd.time_utc)}"),
                ("What became of it", f"{kept}, revision {odd.revision}" if odd.revision else kept),
                ("Since", time_text(odd.time_utc)),
            )
        ),
        tuple(_links(odd, about, site, base_url)),
    )


def _links(odd: Odd, about: Subject, site: Settings, base_url: str) -> Iterator[Link]:
    if odd.manifest_url:
        yield Link("Revision", revision_page(base_url, odd.manifest_url))
    yield from links_to(about, site, base_url)


def _facts(about: Subject, *facts: tuple[str, str]) -> Iterator[Fact]:
    yield Fact("What", f"entity {about.entity}")
    yield from (Fact(label, text) for label, text in facts if text)
    if about.owner:
        yield Fact("Owner", about.owner)


def _listed(times: Iterable[datetime]) -> str:
    told = [time_text(each) for each in times]
    more = f" and {len(told) - 5} more" if len(told) > 5 else ""
    return f"{', '.join(told[:5])}{more}"
