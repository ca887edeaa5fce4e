"""What a site agreed to take in, from whom, and what arrived: rows that its own code hands out.

The catalogue knows nothing of how they were found. ``airflow_catalog["entities"]`` names a callable
that returns :class:`Published`; whoever keeps an agreement anywhere can write one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Arrival", "Column", "DataSource", "Entity", "Published"]


@dataclass(frozen=True, slots=True)
class DataSource:
    """A system that data comes from.

    :param url: Where people read about it.
    """

    name: str
    description: str = ""
    owner: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of what arrived last."""

    name: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one day holds.

    :param day: ISO date of the data, not of its arrival.
    :param captures: How many were committed.
    """

    day: str
    captures: int
    size_bytes: int
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Entity:
    """One thing that arrives from a source.

    :param name: Full, such as ``weather.forecast``.
    :param source: The name of its :class:`DataSource`.
    :param asset: URI or name of the Airflow asset that stands for it.
    :param url_pattern: Where a capture lands, with placeholders in braces.
    :param url_example: The same for a real one: the newest, else the next.
    :param last_arrived: ISO time of the newest commit; empty where nothing arrived or no one asked.
    :param reachable: Whether what arrived could be asked for when this was written.
    :param format: Media type of the newest payload.
    :param columns: Of the newest payload, where its format has any.
    :param arrivals: By day, the oldest first.
    """

    name: str
    source: str
    description: str = ""
    owner: str = ""
    sensitivity: str = ""
    retention: str = ""
    asset: str = ""
    url_pattern: str = ""
    url_example: str = ""
    reachable: bool = False
    last_arrived: str = ""
    format: str = ""
    columns: tuple[Column, ...] = ()
    arrivals: tuple[Arrival, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """What the callable hands out.

    :param files: What it read besides its own code: the rows are read again when one changes.
    :param live: True where the rows also depend on something that no file shows, such as an
        archive; they are then read again by every build.
    """

    sources: tuple[DataSource, ...] = ()
    entities: tuple[Entity, ...] = ()
    files: tuple[str, ...] = field(default=())
    live: bool = False
