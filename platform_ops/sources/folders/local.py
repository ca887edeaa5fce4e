"""A folder of this machine, or one that is mounted.

Source: https://docs.python.org/3/library/os.html#os.scandir
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG

from platform_ops.errors import SourceRejected, SourceUnavailable
from platform_ops.sources.folders import CHUNK_BYTES, Folder, RemoteFile, shown

__all__ = ["LocalFolder"]


class LocalFolder(Folder):
    """Files of this machine. Symbolic links are left alone: they may lead anywhere."""

    def __init__(self) -> None:
        super().__init__("file://")

    def files(self, below: str, *, deep: bool) -> Iterator[RemoteFile]:
        with _errors(below):
            try:
                entries = sorted(os.scandir(below), key=lambda entry: entry.name)
            except FileNotFoundError:
                return
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if deep:
                        yield from self.files(entry.path, deep=True)
                elif entry.is_file(follow_symlinks=False) and (found := self.stat(entry.path)):
                    yield found

    def stat(self, path: str) -> RemoteFile | None:
        with _errors(path):
            try:
                found = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                return None
        if not S_ISREG(found.st_mode):
            return None
        modified = datetime.fromtimestamp(found.st_mtime_ns // 1000 / 1e6, UTC)
        return RemoteFile(path, found.st_size, modified)

    def read(self, file: RemoteFile, offset: int = 0) -> Iterator[bytes]:
        left = file.size_bytes - offset
        with _errors(file.path), Path(file.path).open("rb", buffering=0) as body:
            body.seek(offset)
            while left and (chunk := body.read(min(left, CHUNK_BYTES))):
                left -= len(chunk)
                yield chunk

    def move(self, path: str, target: str) -> None:
        with _errors(path):
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)  # across file systems too

    def delete(self, path: str) -> None:
        with _errors(path):
            Path(path).unlink(missing_ok=True)


@contextmanager
def _errors(path: str) -> Iterator[None]:
    """Turn the system's errors into ours."""
    try:
        yield
    except PermissionError as err:
        raise SourceRejected(
            f"{shown(path)}: {err.strerror}; give the worker's user the right to it"
        ) from err
    except (OSError, ValueError) as err:
        reason = err.strerror if isinstance(err, OSError) else "no path of this system"
        raise SourceUnavailable(f"{shown(path)}: {reason or type(err).__name__}") from err
