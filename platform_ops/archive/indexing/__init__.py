"""The index: what every manifest says, in one SQLite file, for questions that the tree cannot answer.

It is never authoritative, and may be deleted at any time: a listing of the store and the manifests make
it anew. Every answer says as of when it is. Revisions are immutable, so a listing tells which manifests
came, went or were touched, and only those are read.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from platform_ops.archive.indexing import reading, scanning, tables
from platform_ops.archive.indexing.listing import MANIFEST_KEY, Changes, range_of
from platform_ops.archive.indexing.overview import Overview, overview
from platform_ops.archive.indexing.question import Answer, Hit, Question
from platform_ops.archive.indexing.rows import (
    MANIFEST_COLUMNS,
    PAYLOAD_COLUMNS,
    Row,
    microseconds,
    moment,
)
from platform_ops.archive.records import read, tombstones
from platform_ops.archive.stores.store import Store
from platform_ops.entity import Entity, Manifest
from platform_ops.errors import ArchiveCorrupt
from platform_ops.url_scheme import Template

__all__ = ["Answer", "Hit", "Index", "Overview", "Question", "Refreshed"]

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Progress = Callable[[int, int], None]
"""Called now and then with the number of manifests listed, and of those read, so far."""

_INSERT_MANIFEST: Final = (
    f"INSERT INTO manifests (id, {', '.join(MANIFEST_COLUMNS)}) "  # noqa: S608  # names of ours
    f"VALUES (?{', ?' * len(MANIFEST_COLUMNS)})"
)
_INSERT_PAYLOAD: Final = (
    f"INSERT INTO payloads (manifest, {', '.join(PAYLOAD_COLUMNS)}) "  # noqa: S608  # names of ours
    f"VALUES (?{', ?' * len(PAYLOAD_COLUMNS)})"
)
_COMMIT_EVERY: Final = 100_000
"""Manifests after which what was read stays, should the process be killed."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh found.

    :param read: Manifests that are new, or were touched since.
    :param gone: Manifests that were there at an earlier refresh, and are not now.
    """

    listed: int
    read: int
    gone: int


class Index:
    """The index of one store, in one file.

    :param path: Of the file; made where there is none.
    """

    def __init__(self, store: Store, path: Path) -> None:
        self.path = path
        self._store = store

    @property
    def root(self) -> str:
        """URL of the store that it is of."""
        return self._store.url

    @classmethod
    def at(cls, store: Store, folder: str | Path) -> Index:
        """The index of a store, in a folder that may hold those of others too."""
        name = hashlib.sha256(store.url.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return cls(store, Path(folder).expanduser() / f"{name}.sqlite")

    def as_of(self, prefix: str = "") -> datetime | None:
        """When all below a prefix of the slot folders was last listed; None where it never was."""
        return self._with(lambda connection: _as_of(connection, prefix))

    def refresh(self, prefix: str = "", progress: Progress | None = None) -> Refreshed:
        """List the store below a prefix of the slot folders, and read what the index does not know.

        A file that cannot be used is made anew.

        :param prefix: Such as ``v1/weather``; all of the archive where empty.
        :raises ArchiveUnavailable: The store failed; what was read so far is not read again.
        """
        with tables.alone(self.path):
            return self._with(lambda connection: self._refresh(connection, prefix, progress))

    def find(self, question: Question, prefixes: Iterable[str] = ("",)) -> Answer:
        """What the index knows, as of its last refresh.

        :param prefixes: Of the slot folders in question, for the time of the answer.
        """
        below = tuple(prefixes)

        def ask(connection: sqlite3.Connection) -> Answer:
            times = [_as_of(connection, prefix) for prefix in below]
            known = [time for time in times if time is not None]
            return question.ask(connection, min(known) if len(known) == len(times) else None, below)

        return self._with(ask)

    def overview(self, entity: Entity | None = None) -> list[Overview]:
        """What the index knows of each entity as a whole, by name; of one alone where it is named."""
        return self._with(lambda connection: overview(connection, entity))

    def manifests(self, question: Question, templates: Iterable[Template]) -> list[Manifest]:
        """Refresh what is in question, look it up, and read what is found.

        :param templates: Those that this root was written with.
        :raises ArchiveCorrupt: A manifest that may be meant is damaged.
        """
        prefixes = question.prefixes(templates)
        for prefix in prefixes:
            self.refresh(prefix)
        answer = self.find(question, prefixes)
        for damaged in answer.faulty:
            raise ArchiveCorrupt(str(damaged.fault))
        return [read.manifest_at(self._store, hit.key) for hit in answer.hits]

    def lost(self, prefix: str = "") -> list[Hit]:
        """Manifests that were there at an earlier refresh, and at the last one no more.

        Nothing that keeps the archive ever takes a manifest away, so each of these was lost or deleted
        by other means. A chain shows a gap, but no missing end: of the newest manifest of a slot this
        is the only trace that nobody had to ask for, and it goes with the index.
        """
        return self._with(lambda connection: Question.lost(connection, prefix))

    def _with(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        try:
            return self._try(work)
        except tables.Damaged as err:
            log.warning("%s: the index is made anew: %s", self.path, err)
            tables.remove(self.path)
            return self._try(work)

    def _try(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        connection = tables.connect(self.path, self._store.url)
        with closing(connection), tables.told(self.path):
            return work(connection)

    def _refresh(
        self, connection: sqlite3.Connection, prefix: str, progress: Progress | None
    ) -> Refreshed:
        started = datetime.now(UTC)
        tables.check(connection)
        known = connection.execute("SELECT 1 FROM manifests LIMIT 1").fetchone()
        if known:
            tables.index_columns(connection)  # a first refresh that was killed has left none
        connection.execute("BEGIN IMMEDIATE")
        changes = Changes(connection, self._store, prefix)
        batches = (
            reading.rows(self._store, changes.to_read())
            if known
            else scanning.rows(self._store, prefix)
        )
        count = 0
        for rows in batches:
            insert(connection, rows, changes.replaced)
            if (count + len(rows)) // _COMMIT_EVERY > count // _COMMIT_EVERY:
                connection.execute("COMMIT")
                connection.execute("BEGIN IMMEDIATE")
            count += len(rows)
            if progress:
                progress(changes.listed if known else count, count)
        gone = [(microseconds(started), row_id) for row_id in changes.gone]
        connection.executemany("UPDATE manifests SET gone_us = ? WHERE id = ?", gone)
        _bury(connection, self._store, prefix)
        _read_lists(connection, self._store, prefix)
        note(connection, prefix, started)
        connection.execute("COMMIT")
        tables.index_columns(connection)
        return Refreshed(changes.listed if known else count, count, len(gone))


def insert(connection: sqlite3.Connection, rows: list[Row], replaced: dict[str, int]) -> None:
    """Write rows, and take out those that they replace.

    :param replaced: Ids of rows that are out of date, by key; those written are taken from it.
    """
    (last,) = connection.execute("SELECT max(id) FROM manifests").fetchone()
    numbered = list(enumerate(rows, start=(last or 0) + 1))
    former = [(replaced.pop(row[0][0]),) for row in rows if row[0][0] in replaced]
    if former:
        connection.executemany("DELETE FROM payloads WHERE manifest = ?", former)
        connection.executemany("DELETE FROM lists WHERE manifest = ?", former)
        connection.executemany("DELETE FROM manifests WHERE id = ?", former)
    connection.executemany(_INSERT_MANIFEST, ((number, *row[0]) for number, row in numbered))
    connection.executemany(
        _INSERT_PAYLOAD, ((number, *each) for number, row in numbered for each in row[1])
    )
    connection.executemany(
        "INSERT INTO lists VALUES (?, ?, ?, '?')",
        ((number, *each) for number, row in numbered for each in row[2]),
    )


def _read_lists(connection: sqlite3.Connection, store: Store, prefix: str) -> None:
    """Know the bodies of packs that came since, or whose lists could not be read before."""
    unread = connection.execute(
        "SELECT lists.rowid, manifest, lists.key, lists.sha256 FROM lists "
        "CROSS JOIN manifests ON id = manifest "  # in this order: few lists are unread
        "WHERE lists.fault IS NOT NULL AND gone_us IS NULL AND manifests.key > ? AND manifests.key < ? "
        "AND manifests.key NOT IN (SELECT key FROM tombstones)",
        range_of(prefix),
    ).fetchall()
    count = 0
    for (row_id, manifest, _, _), bodies, fault in reading.bodies(store, unread):
        connection.executemany(_INSERT_PAYLOAD, ((manifest, *each) for each in bodies))
        connection.execute("UPDATE lists SET fault = ? WHERE rowid = ?", (fault or None, row_id))
        if (count + len(bodies)) // _COMMIT_EVERY > count // _COMMIT_EVERY:
            connection.execute("COMMIT")
            connection.execute("BEGIN IMMEDIATE")
        count += len(bodies)


def _bury(connection: sqlite3.Connection, store: Store, prefix: str) -> None:
    """Know the manifests that have a tombstone, by a listing of those: they are few."""
    connection.execute("DELETE FROM tombstones WHERE key > ? AND key < ?", range_of(prefix))
    listed = store.entries(f"{tombstones.TREE}/{prefix}".rstrip("/"))
    keys = (f"meta/{entry.key.removeprefix(f'{tombstones.TREE}/')}" for entry in listed)
    known = [(key,) for key in keys if MANIFEST_KEY.fullmatch(key)]
    connection.executemany("INSERT INTO tombstones VALUES (?)", known)


def note(connection: sqlite3.Connection, prefix: str, at: datetime) -> None:
    """Write down that all below the prefix was listed, which says it of every deeper one too."""
    below = f"{prefix}/" if prefix else ""
    connection.execute("DELETE FROM refreshes WHERE substr(prefix, 1, ?) = ?", (len(below), below))
    connection.execute("INSERT OR REPLACE INTO refreshes VALUES (?, ?)", (prefix, microseconds(at)))


def _as_of(connection: sqlite3.Connection, prefix: str) -> datetime | None:
    steps = prefix.split("/") if prefix else []
    covering = ["", *("/".join(steps[: end + 1]) for end in range(len(steps)))]
    marks = ", ".join("?" * len(covering))
    (stamp,) = connection.execute(
        f"SELECT max(at_us) FROM refreshes WHERE prefix IN ({marks})",  # noqa: S608  # marks alone
        covering,
    ).fetchone()
    return None if stamp is None else moment(stamp)
