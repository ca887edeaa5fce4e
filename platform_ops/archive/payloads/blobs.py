"""Stored objects as a reader meets them: gone without a word, or removed on purpose and by whom."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

from platform_ops.archive.records.excisions import why_gone
from platform_ops.archive.records.tombstones import removal
from platform_ops.archive.stores.store import Store
from platform_ops.entity import Blob
from platform_ops.errors import NotArchived

__all__ = ["BlobFile", "chunks", "span", "whole"]


def chunks(store: Store, key: str) -> Iterator[bytes]:
    """All of an object, piece by piece.

    :raises Removed: It expired or was erased.
    :raises NotArchived: It is gone, and nothing says why.
    """
    with _reasons(store, key):
        yield from store.chunks(key)


def span(store: Store, key: str, start: int, size_bytes: int) -> bytes:
    """A part of an object; less where it ends before."""
    with _reasons(store, key):
        return store.span(key, start, size_bytes)


def whole(store: Store, key: str) -> bytes:
    """All of a small object."""
    with _reasons(store, key):
        return store.read(key)


class BlobFile(io.RawIOBase):
    """An object as a file that can be sought in: only what is read is asked for."""

    def __init__(self, store: Store, blob: Blob) -> None:
        self._store = store
        self._blob = blob
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._blob.size_bytes}
        self._position = max(0, base[whence] + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's WriteableBuffer is private
        size = min(len(buffer), max(0, self._blob.size_bytes - self._position))
        data = span(self._store, self._blob.key, self._position, size) if size else b""
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


@contextmanager
def _reasons(store: Store, key: str) -> Iterator[None]:
    try:
        yield
    except NotArchived as err:
        if (why := removal(store, key) or why_gone(store, key)) is not None:
            raise why from err
        raise NotArchived(
            f"{err}, though a manifest names it, and nothing says that it was removed; restore it "
            "from a copy (platform-ops archive verify names all that is missing)"
        ) from err
