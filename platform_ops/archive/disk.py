"""The archive on a local disk: create-only by hard link, durable by fsync of file and folders.

Source: link(2), fsync(2), and the order that SQLite's "Atomic Commit" and restic's local backend keep.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from platform_ops.archive.store import READ_CHUNK_BYTES, Entry, Level
from platform_ops.errors import (
    ArchiveCorrupt,
    ArchiveError,
    ArchiveUnavailable,
    ArchiveUnwritable,
    NotArchived,
)

__all__ = ["DiskStore"]

TEMP = ".tmp"
"""Folder of unfinished files below the root: one filesystem, so that a link can publish them."""

_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EAGAIN, errno.ENFILE, errno.EMFILE}


class DiskStore:
    """Objects as files below one folder.

    :param folder: Absolute path; made with the first write.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @property
    def url(self) -> str:
        return f"file://{self.folder}".rstrip("/")

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        for path in _files(self._path(prefix)):
            key = path.relative_to(self.folder).as_posix()
            if key > after:
                yield Entry(key, path.stat().st_size)

    def level(self, prefix: str) -> Level:
        folder = self._path(prefix)
        try:
            with os.scandir(folder) as found:
                below = sorted(found, key=lambda each: each.name)
        except FileNotFoundError:
            return Level((), ())
        return Level(
            tuple(each.name for each in below if each.is_dir()),
            tuple(
                Entry(f"{prefix}/{each.name}", each.stat().st_size)
                for each in below
                if each.is_file()
            ),
        )

    def stat(self, key: str) -> Entry | None:
        try:
            return Entry(key, os.stat(self._path(key)).st_size)
        except FileNotFoundError:
            return None

    def read(self, key: str) -> bytes:
        return b"".join(self.chunks(key))

    def chunks(self, key: str, start: int = 0) -> Iterator[bytes]:
        path = self._path(key)
        try:
            with open(path, "rb", buffering=0) as file:
                file.seek(start)
                while chunk := file.read(READ_CHUNK_BYTES):
                    yield chunk
        except FileNotFoundError as err:
            raise NotArchived(f"file://{path}: no such object") from err
        except OSError as err:
            raise _archive_error(path, err) from err

    def _path(self, key: str) -> Path:
        # Keys are ours, but a manifest is a file that somebody may have written by hand.
        if ".." in key.split("/") or key.startswith("/"):
            raise ArchiveCorrupt(f"{key!r} leaves the archive's root {self.url}")
        return self.folder / key

    def create(self, key: str, data: bytes) -> bool:
        try:
            self.upload(key, [data])
        except FileExistsError:
            return False
        return True

    def upload(self, key: str, chunks: Iterable[bytes]) -> None:
        path = self._path(key)
        with _storage_errors(self.folder):
            _make_folders(self.folder / TEMP)
            temp = self.folder / TEMP / f"{os.getpid()}-{token_hex(8)}"
            descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            try:
                for chunk in chunks:
                    with _storage_errors(path):
                        _write_all(descriptor, chunk)
                with _storage_errors(path):
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            with _storage_errors(path):
                _make_folders(path.parent)
                os.link(temp, path)
                _sync_folder(path.parent)
        finally:
            with suppress(OSError):
                os.unlink(temp)


def _write_all(descriptor: int, chunk: bytes) -> None:
    # A single write may take less than it is given: near a full disk, or past 2 GiB.
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _make_folders(folder: Path) -> None:
    """Like ``mkdir -p``, with each new folder's name durable in its parent."""
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir()
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(folder: Path) -> Iterator[Path]:
    """Every file below the folder, in the order of its key: as an object store lists them."""
    try:
        with os.scandir(folder) as found:
            # A folder sorts by its name with the slash, since that is how keys compare.
            names = sorted(each.name + "/" * each.is_dir() for each in found)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        if name.endswith("/"):
            yield from _files(folder / name)
        else:
            yield folder / name


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise
    except OSError as err:
        raise _archive_error(path, err) from err


def _archive_error(path: Path, err: OSError) -> ArchiveError:
    fault = f"file://{path}: {err.strerror}"
    if err.errno in (errno.ENOSPC, errno.EDQUOT):
        return ArchiveUnavailable(f"{fault}; free space below the archive's root, then retry")
    if err.errno in _PASSING:
        return ArchiveUnavailable(fault)
    if err.errno in (errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP):
        return ArchiveUnwritable(
            f"{fault}; the root must be one filesystem with hard links, writable by the worker "
            "(platform-ops doctor tells)"
        )
    return ArchiveUnwritable(f"{fault}; make the archive's root writable by the worker's user")
