"""A folder elsewhere, whatever protocol reaches it: list it, look at a file, read on, move, delete.

Each adapter below turns its library's errors into ours, and connects when it is first asked; after an
error it has let go of its connection, so that the next call connects anew.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final
from urllib.parse import quote, unquote

from platform_ops.errors import SourceRejected

__all__ = ["CHUNK_BYTES", "TIMEOUT_S", "Folder", "RemoteFile", "child", "shown"]

CHUNK_BYTES: Final = 1 << 20
TIMEOUT_S: Final = 60.0
"""Longest wait for the next bytes of a source."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file as its system described it: the same values mean the same version.

    :param path: Whole path, or key. Bytes that are no UTF-8 are kept as lone surrogates.
    :param modified_utc: As exactly as the system says it.
    :param etag: The object store's mark of a version, quotes included.
    """

    path: str
    size_bytes: int
    modified_utc: datetime | None
    etag: str | None = None


class Folder(ABC):
    """What is done to files elsewhere; paths are whole ones.

    :param address: Scheme, host and port, or bucket; no user and no secret.
    """

    root: ClassVar[str] = "/"
    """What every path begins with, and an address leaves out."""

    def __init__(self, address: str) -> None:
        self.address = address

    @abstractmethod
    def files(self, below: str, *, deep: bool) -> Iterator[RemoteFile]:
        """Files in a folder, in any order; nothing where the folder does not exist.

        :param deep: Those of its subfolders too.
        :raises SourceError: It cannot be listed.
        """

    @abstractmethod
    def stat(self, path: str) -> RemoteFile | None:
        """The file as it is now; None where there is none."""

    @abstractmethod
    def read(self, file: RemoteFile, offset: int = 0) -> Iterator[bytes]:
        """Its bytes from an offset up to the size that it was listed with.

        :raises SourceUnavailable: The connection broke off, or was silent for too long.
        """

    @abstractmethod
    def move(self, path: str, target: str) -> None:
        """Give a file another path; folders on the way are made."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Remove a file; one that is gone already is no error."""

    def absolute(self, path: str) -> str:
        """The whole path of one that may be relative to where a login starts."""
        return path if path.startswith(self.root) else self.root + path

    def close(self) -> None:  # noqa: B027  # not every adapter holds one
        """Let go of the connection; the next call connects anew."""

    def url(self, path: str) -> str:
        """What stands for a file in a manifest; :meth:`path_of` reads it back."""
        raw = path.removeprefix(self.root).encode("utf-8", "surrogateescape")
        return f"{self.address}/{quote(raw)}"

    def path_of(self, url: str) -> str | None:
        """The path behind a URL of this folder's; None where it is of another place."""
        prefix = f"{self.address}/"
        if not url.startswith(prefix):
            return None
        return self.root + unquote(url.removeprefix(prefix), errors="surrogateescape")

    def version(self, file: RemoteFile) -> str:
        """SHA-256 over where it is, its size, and its ETag or time: equal versions have equal ones."""
        # Not both: where there are ETags, a listing tells the time more exactly than a look at one.
        time = file.modified_utc.isoformat() if file.modified_utc else ""
        mark = file.etag.strip('"') if file.etag else time
        text = f"{self.url(file.path)}\n{file.size_bytes}\n{mark}"
        return hashlib.sha256(text.encode()).hexdigest()


def child(folder: str, name: str) -> str:
    """The path of what a listing names.

    :raises SourceRejected: No file can have this name, so that whoever lists it lies.
    """
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise SourceRejected(
            f"{shown(folder)}: the listing names {shown(name)}, which would leave the folder; "
            "nothing was fetched, so look at that server"
        )
    return f"{folder.rstrip('/')}/{name}"


def shown(path: str) -> str:
    """A path in a message: one line, whatever it holds."""
    return ascii(path) if not path.isprintable() else repr(path)
