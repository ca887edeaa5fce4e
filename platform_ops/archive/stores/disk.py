"""The archive on a local disk: create-only by hard link, durable by fsync of file and folders.

Source: link(2), fsync(2), and the order that SQLite's "Atomic Commit" and restic's local backend keep.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from threading import local
from typing import Final

from platform_ops.archive.stores.ahead import write_ahead
from platform_ops.archive.stores.store import READ_CHUNK_BYTES, Entry, Level
from platform_ops.errors import (
    ArchiveCorrupt,
    ArchiveError,
    ArchiveUnavailable,
    ArchiveUnwritable,
    NotArchived,
)

__all__ = ["DiskStore"]

READ_SMALL_BYTES = 1 << 16

TEMP = ".tmp"
"""Folder of unfinished files below the root: one filesystem, so that a link can publish them."""

BYTES_BETWEEN_SYNCS = 16 << 20
"""Bytes after which the disk is told to start: the last sync then has little left to wait for."""
BYTES_UNSYNCED_AT_MOST = 64 << 20
"""Bytes after which whoever writes waits for a disk that is slower than the source."""

_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EAGAIN, errno.ENFILE, errno.EMFILE}


class DiskStore:
    """Objects as files below one folder.

    :param folder: Absolute path; made with the first write.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._root = str(folder).rstrip("/")
        self._durable: set[Path] = set()

    @property
    def url(self) -> str:
        return f"file://{self.folder}".rstrip("/")

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        # Texts, not paths: a listing passes here once for each of a million files.
        for path, key in _files(self._name(prefix), f"{prefix}/" if prefix else ""):
            if key > after and (found := _entry(path, key)) is not None:
                yield found

    def level(self, prefix: str) -> Level:
        below = sorted(_below(self._name(prefix)), key=lambda each: each.name)
        entries = (self.stat(f"{prefix}/{each.name}") for each in below if not each.is_dir())
        return Level(
            tuple(each.name for each in below if each.is_dir()),
            tuple(entry for entry in entries if entry is not None),
        )

    def stat(self, key: str) -> Entry | None:
        return _entry(self._name(key), key)

    def read(self, key: str) -> bytes:
        path = self._name(key)
        try:
            return _content(path)
        except FileNotFoundError as err:
            raise NotArchived(f"file://{path}: no such object") from err
        except OSError as err:
            raise _archive_error(path, err) from err

    def chunks(self, key: str, start: int = 0) -> Iterator[bytes]:
        path = self._name(key)
        try:
            with open(path, "rb", buffering=0) as file:
                file.seek(start)
                while chunk := file.read(READ_CHUNK_BYTES):
                    yield chunk
        except FileNotFoundError as err:
            raise NotArchived(f"file://{path}: no such object") from err
        except OSError as err:
            raise _archive_error(path, err) from err

    def span(self, key: str, start: int, size_bytes: int) -> bytes:
        path = self._name(key)
        try:
            with open(path, "rb", buffering=0) as file:
                file.seek(start)
                return file.read(size_bytes)
        except FileNotFoundError as err:
            raise NotArchived(f"file://{path}: no such object") from err
        except OSError as err:
            raise _archive_error(path, err) from err

    def _path(self, key: str) -> Path:
        return Path(self._name(key))

    def _name(self, key: str) -> str:
        # Keys are ours, but a manifest is a file that somebody may have written by hand.
        if ".." in key.split("/") or key.startswith("/") or "\0" in key:
            raise ArchiveCorrupt(f"{key!r} leaves the archive's root {self.url}")
        return f"{self._root}/{key}" if key else self._root

    def digest(self, key: str) -> tuple[str, int]:
        path = self._name(key)
        digest, size_bytes = hashlib.sha256(), 0
        buffer = _buffer.view
        try:
            with open(path, "rb", buffering=0) as file:
                while read := file.readinto(buffer):
                    digest.update(buffer[:read])
                    size_bytes += read
        except FileNotFoundError as err:
            raise NotArchived(f"file://{path}: no such object") from err
        except OSError as err:
            raise _archive_error(path, err) from err
        return digest.hexdigest(), size_bytes

    def create(self, key: str, data: bytes) -> bool:
        try:
            self._publish(self._path(key), [data])
        except _Occupied:
            return False
        return True

    def replace(self, key: str, data: bytes) -> None:
        self._publish(self._path(key), [data], _rename)

    def upload(self, key: str, chunks: Iterable[bytes]) -> None:
        path = self._path(key)
        try:
            self._publish(path, chunks)
        except _Occupied:
            raise ArchiveCorrupt(
                f"file://{path}: something else is there already; on a file system that folds case, "
                "give parts names that differ in more than that"
            ) from None

    def delete(self, key: str) -> None:
        path = self._path(key)
        with _storage_errors(path), suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)
            _sync_folder(path.parent)
        # A folder that holds nothing is nothing in the archive; the next writer is about to fill
        # that of temporary files.
        if path.parent != self.folder / TEMP:
            with suppress(OSError):
                path.parent.rmdir()

    def _publish(
        self, path: Path, chunks: Iterable[bytes], put: Callable[[Path, Path], None] | None = None
    ) -> None:
        """Write beside, make durable, then let the file appear under its name, or not at all."""
        with _storage_errors(self.folder):
            self._make_folders(self.folder / TEMP)
            temp = self.folder / TEMP / f"{os.getpid()}-{token_hex(8)}"
            descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            _fill(descriptor, path, chunks)
            with _storage_errors(path):
                self._make_folders(path.parent)
                (put or _link)(temp, path)
        finally:
            with suppress(OSError):
                os.unlink(temp)

    def _make_folders(self, folder: Path) -> None:
        """Like ``mkdir -p``; when it returns, each folder's name is durable in its parent.

        A folder that is there already may be a rival's, or one of a try that was killed: its name
        is synced all the same, once per process.
        """
        if folder in self._durable and folder.is_dir():
            return
        if folder != self.folder and folder.is_relative_to(self.folder):
            self._make_folders(folder.parent)
            with suppress(FileExistsError):
                folder.mkdir()
            _sync_folder(folder.parent)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            with suppress(PermissionError):  # the folder above the root may be another user's
                _sync_folder(folder.parent)
        self._durable.add(folder)


class _Buffer(local):
    """What a thread reads into: a new piece of memory for each read costs more than a tenth."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(READ_CHUNK_BYTES))


_buffer: Final = _Buffer()


class _Occupied(Exception):
    """The name is taken; no :class:`FileExistsError`, which a source may raise as well."""


def _fill(descriptor: int, path: Path, chunks: Iterable[bytes]) -> None:
    """Write every chunk and make them durable; errors of the source pass through unchanged."""
    try:
        with ThreadPoolExecutor(1, "archive-sync") as thread:  # it starts with the first task
            syncs = _Syncs(descriptor, thread)

            def write(batch: Sequence[bytes]) -> None:
                with _storage_errors(path):
                    for chunk in batch:
                        _write_all(descriptor, chunk)
                    syncs.wrote(sum(map(len, batch)))

            write_ahead(chunks, write)
            with _storage_errors(path):
                syncs.settle()
                os.fsync(descriptor)
    finally:
        with _storage_errors(path):
            os.close(descriptor)


class _Syncs:
    """Lets the disk work while more is written: one sync at a time, of what was written before it.

    :param thread: Of one worker, which is waited for before the descriptor is closed.
    """

    def __init__(self, descriptor: int, thread: ThreadPoolExecutor) -> None:
        self._descriptor, self._thread = descriptor, thread
        self._running: Future[None] | None = None
        self._unsynced_bytes = 0

    def wrote(self, size_bytes: int) -> None:
        """Start the next sync where enough was written; wait for one that falls far behind."""
        self._unsynced_bytes += size_bytes
        if self._unsynced_bytes < BYTES_BETWEEN_SYNCS:
            return
        if (
            self._running is None
            or self._running.done()
            or self._unsynced_bytes >= BYTES_UNSYNCED_AT_MOST
        ):
            self.settle()
            self._running = self._thread.submit(os.fdatasync, self._descriptor)
            self._unsynced_bytes = 0

    def settle(self) -> None:
        """Wait for the sync that runs: the kernel tells an error once, and it may have told it there."""
        if self._running is not None:
            self._running.result()


def _link(temp: Path, path: Path) -> None:
    try:
        os.link(temp, path)
    except FileExistsError:
        raise _Occupied from None
    finally:
        # A rival's name too: what is built on it must not outlive it.
        _sync_folder(path.parent)


def _rename(temp: Path, path: Path) -> None:
    os.rename(temp, path)
    _sync_folder(path.parent)


def _write_all(descriptor: int, chunk: bytes) -> None:
    # A single write may take less than it is given: near a full disk, or past 2 GiB.
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _modified(found: os.stat_result) -> datetime | None:
    """The file's time; none where it says nothing, as after a restore that lost it."""
    try:
        return datetime.fromtimestamp(found.st_mtime, UTC) if found.st_mtime > 0 else None
    except (OverflowError, ValueError, OSError):
        return None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _below(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as err:
        raise _archive_error(folder, err) from err


def _files(folder: str, key: str) -> Iterator[tuple[str, str]]:
    """Path and key of every file below the folder, by key: as an object store lists them.

    :param key: What the keys below the folder begin with.
    """
    # A folder sorts by its name with the slash, since that is how keys compare.
    names = sorted(f"{each.name}/" if each.is_dir() else each.name for each in _below(folder))
    for name in names:
        if name.endswith("/"):
            yield from _files(f"{folder}/{name[:-1]}", f"{key}{name}")
        else:
            yield f"{folder}/{name}", f"{key}{name}"


def _content(path: str) -> bytes:
    # Past a file object, which asks the system twice as much for a small file.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        chunks = []
        while chunk := os.read(descriptor, READ_SMALL_BYTES):
            chunks.append(chunk)
        return b"".join(chunks)
    finally:
        os.close(descriptor)


def _entry(path: str, key: str) -> Entry | None:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as err:
        raise _archive_error(path, err) from err
    return Entry(key, found.st_size, _modified(found))


@contextmanager
def _storage_errors(path: Path | str) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        raise _archive_error(path, err) from err


def _archive_error(path: Path | str, err: OSError) -> ArchiveError:
    fault = f"file://{path}: {err.strerror}"
    if err.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ArchiveUnavailable(
            f"{fault}; make room below the archive's root (space, quota, limits), then retry"
        )
    if err.errno in _PASSING:
        return ArchiveUnavailable(fault)
    if err.errno in (errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP):
        return ArchiveUnwritable(
            f"{fault}; the root must be one filesystem with hard links, writable by the worker "
            "(platform-ops doctor tells)"
        )
    return ArchiveUnwritable(
        f"{fault}; the archive's root must be a folder that the worker's user may read and write"
    )
