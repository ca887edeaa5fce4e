"""The index's file: its tables, how it is opened, and how one is told that is damaged or foreign."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from platform_ops.archive.indexing.rows import MANIFEST_COLUMNS, PAYLOAD_COLUMNS
from platform_ops.errors import ArchiveUnavailable, ConfigError

__all__ = ["Damaged", "alone", "check", "connect", "index_columns", "remove", "told"]

_FORMAT: Final = 2
"""Raised with any change to the tables: an index of another format is made anew."""
_APPLICATION: Final = 0x504F4958  # POIX: whose file this is, for file(1) and for us
_PATIENCE_S: Final = 60.0

_TABLES: Final = f"""
CREATE TABLE manifests (id INTEGER PRIMARY KEY, gone_us INTEGER, {", ".join(MANIFEST_COLUMNS)});
CREATE TABLE payloads (manifest INTEGER NOT NULL, {", ".join(PAYLOAD_COLUMNS)});
CREATE TABLE lists (manifest INTEGER NOT NULL, key TEXT NOT NULL, sha256 TEXT NOT NULL, fault TEXT);
CREATE TABLE tombstones (key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE refreshes (prefix TEXT PRIMARY KEY, at_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE root (url TEXT NOT NULL);
"""

_INDICES: Final = """
CREATE UNIQUE INDEX IF NOT EXISTS by_key ON manifests (key);
CREATE INDEX IF NOT EXISTS by_slot ON manifests (source, entity, time_us);
CREATE INDEX IF NOT EXISTS by_time ON manifests (time_us);
CREATE INDEX IF NOT EXISTS by_run ON manifests (run_id);
CREATE INDEX IF NOT EXISTS by_task ON manifests (dag_id, task_id, time_us);
CREATE INDEX IF NOT EXISTS by_sha256 ON manifests (sha256);
CREATE INDEX IF NOT EXISTS by_manifest_sha256 ON manifests (manifest_sha256);
CREATE INDEX IF NOT EXISTS faulty ON manifests (key) WHERE fault IS NOT NULL;
CREATE INDEX IF NOT EXISTS gone ON manifests (key) WHERE gone_us IS NOT NULL;
CREATE INDEX IF NOT EXISTS payloads_of ON payloads (manifest);
CREATE INDEX IF NOT EXISTS payloads_by_sha256 ON payloads (sha256);
CREATE INDEX IF NOT EXISTS payloads_by_fingerprint ON payloads (fingerprint);
CREATE INDEX IF NOT EXISTS payloads_by_url ON payloads (url);
CREATE INDEX IF NOT EXISTS payloads_by_name ON payloads (name);
CREATE INDEX IF NOT EXISTS lists_of ON lists (manifest);
CREATE INDEX IF NOT EXISTS unread ON lists (manifest) WHERE fault IS NOT NULL;
"""


class Damaged(Exception):
    """The file is no index, not this archive's, of another format, or broken: make it anew."""


def connect(path: Path, root: str) -> sqlite3.Connection:
    """Open the index of an archive, or make an empty one.

    :raises Damaged: What is there cannot be used.
    :raises ConfigError: The folder cannot be written to.
    """
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None)
    try:
        with told(path):
            _prepare(connection, root)
    except BaseException:
        connection.close()
        raise
    return connection


def index_columns(connection: sqlite3.Connection) -> None:
    """Make the indices, where they are missing: after the first rows, which costs a third."""
    connection.executescript(_INDICES)


def remove(path: Path) -> None:
    """Delete an index; the journal last, which SQLite ignores beside no file or an empty one."""
    for each in (path, path.with_name(f"{path.name}-journal")):
        each.unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait for whoever else refreshes this index: a refresh commits now and then, and must not mix."""
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(f"{path.name}.lock").open("ab")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go of with the file, and with the process
        yield


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Say of SQLite's errors whether the file is broken, busy, or out of reach."""
    try:
        yield
    except sqlite3.OperationalError as err:
        code = getattr(err, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise ArchiveUnavailable(
                f"{path}: another process has been refreshing the index for {_PATIENCE_S:.0f} s; retry"
            ) from err
        if code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_IOERR):
            raise Damaged(str(err)) from err
        raise _out_of_reach(path, err) from err
    except (sqlite3.DatabaseError, UnicodeDecodeError) as err:  # the latter: a text that rotted
        raise Damaged(str(err)) from err
    except OSError as err:
        raise _out_of_reach(path, err) from err


def _out_of_reach(path: Path, err: Exception) -> ConfigError:
    return ConfigError(
        f"{path}: the index cannot be written ({err}); set archive.index in platform.toml, or "
        "PLATFORM_OPS__ARCHIVE__INDEX, to a folder on a local disk with room"
    )


def _prepare(connection: sqlite3.Connection, root: str) -> None:
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA cache_size = -65536")
    if _is_empty(connection):  # whoever only reads does not wait for whoever refreshes
        connection.execute("BEGIN IMMEDIATE")
        if _is_empty(connection):
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_FORMAT}")
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute("INSERT INTO root VALUES (?)", (root,))
        connection.execute("COMMIT")
    if _says(connection) != (_APPLICATION, _FORMAT, root):
        raise Damaged("it is another archive's, or of another format")


def _is_empty(connection: sqlite3.Connection) -> bool:
    (size,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return bool(size == 0)


def _says(connection: sqlite3.Connection) -> tuple[int, int, str]:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (url,) = connection.execute("SELECT url FROM root").fetchone()
    return application, version, url


def check(connection: sqlite3.Connection) -> None:
    """Look through the whole file, indices against rows: what a question alone might not notice.

    :raises Damaged: Something does not fit.
    """
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise Damaged(str(found))
