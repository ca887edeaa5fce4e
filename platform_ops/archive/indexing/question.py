"""Questions to the index, and their answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from platform_ops.archive.indexing.listing import range_of
from platform_ops.archive.indexing.rows import (
    MANIFEST_COLUMNS,
    checksum,
    digest_of,
    microseconds,
    moment,
    storable,
)
from platform_ops.archive.indexing.tables import Damaged
from platform_ops.entity import Entity, Slot
from platform_ops.errors import PlatformError
from platform_ops.url_scheme import Template

__all__ = ["Answer", "Hit", "Question"]

# A cross join keeps its order: from the few lists that are at fault, not from all manifests.
UNREAD: Final = """
    SELECT manifests.key, lists.fault FROM lists CROSS JOIN manifests ON id = manifest
    WHERE lists.fault > '' AND manifests.key > ? AND manifests.key < ? AND gone_us IS NULL
"""

SHORTEST_DIGEST: Final = 6
"""Hex digits from which the start of a digest is taken for it."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One revision, as the index knows it.

    :param key: Of its manifest.
    :param slot: None where the manifest is damaged.
    :param sha256: Digest over its payloads; ``manifest_sha256`` is that of the manifest's own bytes.
    :param bodies: What came; a pack holds many.
    :param fault: What is wrong with the manifest.
    :param removed: Whether its payloads expired or were erased: a tombstone says when and why.
    """

    key: str
    slot: Slot | None
    revision: int | None
    dag_id: str | None
    task_id: str | None
    run_id: str | None
    map_index: int | None
    try_number: int | None
    committed_at_utc: datetime | None
    size_bytes: int | None
    rows: int | None
    bodies: int | None
    sha256: str | None
    manifest_sha256: str
    fault: str | None = None
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What the index knew.

    :param hits: Revisions, by entity, time and revision.
    :param faulty: Damaged manifests below what was asked about, and those with a pack whose list is
        damaged: whether they fit, nobody knows.
    :param lost: Manifests below it that an earlier refresh has seen, and the last one has not.
    :param as_of_utc: When the store was last listed; None where it never was to the end.
    """

    hits: list[Hit]
    faulty: list[Hit]
    lost: list[Hit]
    as_of_utc: datetime | None


class _Condition(NamedTuple):
    sql: str
    values: tuple[Any, ...]  # Any: texts, numbers, digests


@dataclass(frozen=True, slots=True)
class Question:
    """Which revisions are wanted: all that is given must hold.

    :param run: The run's id.
    :param sha256: Digest of a payload, of all payloads of a revision, or of a manifest's own bytes; six
        digits of its start or more.
    :param url: What was asked of the source, redacted as the manifest keeps it; ``*`` stands for any
        letters.
    :param fingerprint: Of the request; six digits of its start or more.
    :param source: Of any of its entities.
    :param name: Of a body, in a pack as well; ``*`` stands for any letters.
    """

    entity: Entity | None = None
    since: datetime | None = None
    until: datetime | None = None
    run: str | None = None
    dag: str | None = None
    task: str | None = None
    sha256: str | None = None
    url: str | None = None
    fingerprint: str | None = None
    source: str | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        for name in ("sha256", "fingerprint"):
            _check_digest(name, getattr(self, name))

    def prefixes(self, templates: Iterable[Template]) -> list[str]:
        """Below which folders the answer lies: those of the entity under every template."""
        if self.entity is None:
            return [""]
        return sorted({template.folder_of(self.entity) for template in templates})

    def ask(
        self,
        connection: sqlite3.Connection,
        as_of_utc: datetime | None,
        prefixes: Sequence[str] = ("",),
    ) -> Answer:
        """Look it up.

        :raises Damaged: A row is not as it was written.
        """
        conditions = list(self._conditions())
        hits = _select(
            connection,
            [_Condition("gone_us IS NULL AND fault IS NULL", ()), *conditions],
            "source, entity, time_us, partition_key, map_key, team, revision, key",
        )
        faulty = [
            hit
            for prefix in prefixes
            for hit in _select(
                connection, [_below(prefix, "fault"), _Condition("gone_us IS NULL", ())]
            )
        ]
        if (self.sha256, self.fingerprint, self.url, self.name) != (None,) * 4:
            faulty += [hit for prefix in prefixes for hit in _unread(connection, prefix)]
        lost = [hit for prefix in prefixes for hit in Question.lost(connection, prefix)]
        return Answer(hits, faulty, lost, as_of_utc)

    @staticmethod
    def lost(connection: sqlite3.Connection, prefix: str) -> list[Hit]:
        """What was found gone below a prefix of the slot folders."""
        return _select(connection, [_below(prefix, "gone_us")])

    def _conditions(self) -> Iterator[_Condition]:
        plain = {"run_id": self.run, "dag_id": self.dag, "task_id": self.task}
        plain["source"] = self.source
        if self.entity is not None:
            plain |= {"source": self.entity.source, "entity": self.entity.name}
        for column, value in plain.items():
            if value is not None:
                yield _Condition(f"{column} = ?", (storable(value),))
        for comparison, time in ((">=", self.since), ("<", self.until)):
            if time is not None:
                yield _Condition(f"time_us {comparison} ?", (microseconds(time),))
        if self.sha256 is not None:
            yield _any_of(
                _starts("sha256", self.sha256),
                _starts("manifest_sha256", self.sha256),
                _among(_starts("sha256", self.sha256)),
            )
        if self.fingerprint is not None:
            yield _among(_starts("fingerprint", self.fingerprint))
        for column, pattern in (("url", self.url), ("name", self.name)):
            if pattern is not None:
                yield _among(_matches(column, pattern))


def _unread(connection: sqlite3.Connection, prefix: str) -> Iterator[Hit]:
    """Revisions with a pack whose list could not be read: nobody knows what is in it."""
    first, end = range_of(prefix)
    found = connection.execute(UNREAD, (first, end)).fetchall()
    for key, fault in found:
        for hit in _select(connection, [_Condition("key = ?", (key,))]):
            if not hit.removed:
                yield replace(hit, fault=fault)


def _any_of(*conditions: _Condition) -> _Condition:
    sql = " OR ".join(each.sql for each in conditions)
    return _Condition(f"({sql})", tuple(value for each in conditions for value in each.values))


def _among(condition: _Condition) -> _Condition:
    """Manifests with a payload for which this holds."""
    sql = f"id IN (SELECT manifest FROM payloads WHERE {condition.sql})"  # noqa: S608  # names of ours
    return _Condition(sql, condition.values)


def _matches(column: str, pattern: str) -> _Condition:
    if "*" not in pattern:
        return _Condition(f"{column} = ?", (storable(pattern),))
    # Of GLOB's letters the star alone is ours: a URL may hold the others.
    escaped = "".join(f"[{each}]" if each in "?[" else each for each in storable(pattern) or "")
    return _Condition(f"{column} GLOB ?", (escaped,))


def _starts(column: str, digits: str) -> _Condition:
    whole = digest_of(digits.lower())
    if isinstance(whole, bytes):
        return _Condition(f"{column} = ?", (whole,))
    first, last = (bytes.fromhex(digits.lower().ljust(64, each)) for each in "0f")
    return _Condition(f"{column} BETWEEN ? AND ?", (first, last))


def _check_digest(name: str, digits: str | None) -> None:
    hexadecimal = digits is None or set(digits.lower()) <= set("0123456789abcdef")
    if digits is not None and not (hexadecimal and SHORTEST_DIGEST <= len(digits) <= 64):
        raise PlatformError(
            f"{name}={digits!r} is no digest; give {SHORTEST_DIGEST} to 64 hex digits of its start"
        )


def _below(prefix: str, column: str) -> _Condition:
    return _Condition(f"key > ? AND key < ? AND {column} IS NOT NULL", range_of(prefix))


def _select(
    connection: sqlite3.Connection, conditions: Sequence[_Condition], order: str = "key"
) -> list[Hit]:
    where = " AND ".join(each.sql for each in conditions)
    values = [value for each in conditions for value in each.values]
    columns = ", ".join(MANIFEST_COLUMNS)
    sql = f"""
        SELECT {columns}, key IN (SELECT key FROM tombstones)
        FROM manifests WHERE {where} ORDER BY {order}
    """  # noqa: S608  # names of ours
    return [_hit(row) for row in connection.execute(sql, values)]


def _hit(row: tuple[Any, ...]) -> Hit:  # Any: as in a row
    *columns, removed = row
    if checksum(tuple(columns[:-1])) != columns[-1]:
        raise Damaged("a row is not as it was written")
    found = dict(zip(MANIFEST_COLUMNS, columns, strict=True))
    return Hit(
        key=found["key"],
        slot=_slot(found),
        committed_at_utc=None if found["committed_us"] is None else moment(found["committed_us"]),
        sha256=_hex(found["sha256"]),
        manifest_sha256=_hex(found["manifest_sha256"]) or "",
        removed=bool(removed),
        **{name: found[name] for name in _AS_THEY_ARE},
    )


_AS_THEY_ARE: Final = (
    *("revision", "dag_id", "task_id", "run_id", "map_index", "try_number"),
    *("size_bytes", "rows", "bodies", "fault"),
)


def _slot(found: dict[str, Any]) -> Slot | None:  # Any: as in a row
    if found["source"] is None:
        return None
    entity = Entity(found["source"], found["entity"])
    keys = (found["partition_key"], found["map_key"], found["team"])
    return Slot(entity, moment(found["time_us"]), *keys)


def _hex(digest: bytes | str | None) -> str | None:
    return digest.hex() if isinstance(digest, bytes) else digest
