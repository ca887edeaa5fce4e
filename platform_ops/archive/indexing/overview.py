"""Each entity in a line: what a list of all of them shows, without a row of each revision."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from platform_ops.archive.indexing.rows import moment, storable
from platform_ops.entity import Entity

__all__ = ["Overview", "overview"]


_ALL: Final = """
    SELECT source, entity, count(*), total(size_bytes), min(time_us), max(time_us), max(committed_us)
    FROM manifests WHERE gone_us IS NULL AND fault IS NULL GROUP BY source, entity ORDER BY 1, 2
"""
_ONE: Final = _ALL.replace("GROUP BY", "AND source = ? AND entity = ? GROUP BY")


@dataclass(frozen=True, slots=True)
class Overview:
    """An entity as a whole, as the index knows it; damaged and lost manifests do not count.

    :param first_utc: Time of its first slot, and ``last_utc`` of its last.
    :param arrived_utc: When its newest revision was committed, of whichever slot.
    """

    entity: Entity
    revisions: int
    size_bytes: int
    first_utc: datetime
    last_utc: datetime
    arrived_utc: datetime


def overview(connection: sqlite3.Connection, entity: Entity | None) -> list[Overview]:
    """Every entity, or the one that is named, by name."""
    names = () if entity is None else (storable(entity.source), storable(entity.name))
    found = connection.execute(_ONE if names else _ALL, names)
    return [
        Overview(Entity(*row[:2]), row[2], int(row[3]), *map(moment, row[4:]))
        for row in found.fetchall()
    ]
