"""What a listing of the store says against what the index knows: both in the order of their keys."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from typing import Final

from platform_ops.archive.indexing.rows import Listed, microseconds
from platform_ops.archive.stores.store import Entry, Store, locate
from platform_ops.errors import ArchiveUnavailable

__all__ = ["MANIFEST_KEY", "Changes", "as_listed", "manifests", "range_of"]

MANIFEST_KEY: Final = re.compile(r"meta/(?P<folder>[!-~]+)/[0-9]{6,}\.json")
"""Keys that a manifest may have; whatever else lies below ``meta/`` is none."""

_AT_ONCE: Final = 5_000

_Known = tuple[str, int, "int | None", int, "int | None"]
"""Key, size and time as they were listed; the row's id, and when it was found gone."""


class Changes:
    """The difference, found while it is read from.

    :param prefix: Of the slot folders; all of the archive where empty.
    """

    def __init__(self, connection: sqlite3.Connection, store: Store, prefix: str) -> None:
        self.listed = 0
        self.gone: list[int] = []
        self.replaced: dict[str, int] = {}
        """Keys whose row is out of date, by the row's id."""
        self._connection = connection
        self._store = store
        self._prefix = prefix

    def to_read(self) -> Iterator[Listed]:
        """Manifests that are new, or not as they were; the rest is known once it is exhausted."""
        known = self._known()
        row = next(known, None)
        for listed in manifests(self._store, self._prefix):
            self.listed += 1
            while row is not None and row[0] < listed[0]:
                self._miss(row)
                row = next(known, None)
            if row is None or row[0] != listed[0]:
                yield listed
                continue
            if row[4] is not None or row[:3] != listed:
                self.replaced[listed[0]] = row[3]
                yield listed
            row = next(known, None)
        while row is not None:
            self._miss(row)
            row = next(known, None)

    def _miss(self, row: _Known) -> None:
        if row[4] is None:
            self.gone.append(row[3])

    def _known(self) -> Iterator[_Known]:
        """The index's rows, some at a time: rows are written meanwhile, and not to be met here."""
        (last,) = self._connection.execute("SELECT max(id) FROM manifests").fetchone()
        first, end = range_of(self._prefix)
        while last is not None:
            found = self._connection.execute(
                "SELECT key, stored_bytes, stored_us, id, gone_us FROM manifests "
                "WHERE key > ? AND key < ? AND id <= ? ORDER BY key LIMIT ?",
                (first, end, last, _AT_ONCE),
            ).fetchall()
            yield from found
            if len(found) < _AT_ONCE:
                return
            first = found[-1][0]


def manifests(store: Store, prefix: str) -> Iterator[Listed]:
    """What the store lists below a prefix of the slot folders, manifests alone, by key.

    :raises ArchiveUnavailable: The store failed, or lists out of order.
    """
    before = ""
    for entry in store.entries(f"meta/{prefix}".rstrip("/")):
        key = entry.key
        if not MANIFEST_KEY.fullmatch(key):
            continue
        if key <= before:
            raise ArchiveUnavailable(
                f"{locate(store, key)}: listed after {before}; a store that lists out of "
                "order cannot be indexed"
            )
        before = key
        yield as_listed(entry)


def as_listed(entry: Entry) -> Listed:
    """What the index keeps of a listing."""
    time = entry.modified_utc
    return entry.key, entry.size_bytes, None if time is None else microseconds(time)


def range_of(prefix: str) -> tuple[str, str]:
    """Between which keys the manifests below a prefix of the slot folders are."""
    folder = f"meta/{prefix}".rstrip("/")
    return f"{folder}/", f"{folder}0"  # "0" comes next after "/"
