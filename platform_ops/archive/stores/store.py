"""The one door to storage: what a store must promise, and which one serves a URL.

A store knows keys and bytes, nothing of slots or manifests. Its promises carry the commit protocol
(ADR 0003): ``create`` never overwrites, ``upload`` is invisible until it is whole and durable, and an
exception from the chunks leaves nothing under the key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from time import sleep
from typing import Final, Protocol

from platform_ops.archive import credentials
from platform_ops.archive.credentials import Credentials
from platform_ops.archive.stores.services import SERVICES, encrypted
from platform_ops.errors import ArchiveUnavailable, ConfigError, NotArchived

__all__ = ["Entry", "Level", "Store", "at", "locate", "put_once"]

READ_CHUNK_BYTES: Final = 1 << 20
_PUT_ATTEMPTS: Final = 5
_PUT_PAUSE_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored object: its key below the root, and its size in bytes.

    :param modified_utc: When its bytes were stored, as the store tells it; None where it cannot.
    """

    key: str
    size_bytes: int
    modified_utc: datetime | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the tree: names of folders, sorted, and objects by key."""

    folders: tuple[str, ...]
    entries: tuple[Entry, ...]


class Store(Protocol):
    """Bytes under keys, below one root URL."""

    @property
    def url(self) -> str:
        """The root, without a final slash."""

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """Every object whose key starts with the folder ``prefix``, by key; none is no error.

        :param after: Leave out keys up to and including this one.
        """

    def level(self, prefix: str) -> Level:
        """What is directly below the folder ``prefix``, and no deeper."""

    def stat(self, key: str) -> Entry | None:
        """The object under the key, or None."""

    def read(self, key: str) -> bytes:
        """The whole object.

        :raises NotArchived: There is none.
        """

    def chunks(self, key: str, start: int = 0) -> Iterator[bytes]:
        """The object's bytes from ``start``, in chunks of up to 1 MiB.

        :raises NotArchived: There is none.
        """

    def digest(self, key: str) -> tuple[str, int]:
        """SHA-256 in hex and length of the object as it is stored, read as fast as it goes.

        :raises NotArchived: There is none.
        """

    def span(self, key: str, start: int, size_bytes: int) -> bytes:
        """A part of the object, and nothing else of it; less where the object ends before.

        :raises NotArchived: There is none.
        """

    def create(self, key: str, data: bytes) -> bool:
        """Put a small object, durably, where none is; False where one is already.

        :raises ArchiveUnavailable: The outcome is unknown: read the key to learn it.
        """

    def replace(self, key: str, data: bytes) -> None:
        """Put a small object, durably, in place of the one that is there, which is whole until then.

        For the redaction of a manifest alone: nothing else is ever written over (ADR 0009).
        """

    def upload(self, key: str, chunks: Iterable[bytes]) -> None:
        """Stream an object of any size to a key that no other writer uses.

        :raises ArchiveUnavailable: Nothing is under the key; so it is with any error from
            ``chunks``, which passes through unchanged.
        """

    def delete(self, key: str) -> None:
        """Remove the object, durably; none is no error. For keeping alone: writers never do (ADR 0003)."""


def locate(store: Store, key: str) -> str:
    """The URL of a key: keys enter as they are, since fsspec and engines decode no ``%XX`` either."""
    return f"{store.url}/{key}"


def put_once(store: Store, key: str, data: bytes) -> bool:
    """Put a small object where none is; whether the key then holds these bytes.

    :raises ArchiveUnavailable: The store neither takes it nor has another.
    """
    for attempt in range(_PUT_ATTEMPTS):
        try:
            if store.create(key, data):
                return True
        except ArchiveUnavailable:
            # The reply may be lost while the write was done: the key itself knows.
            if store.stat(key) is None:
                raise
        # A client that retried by itself meets its own first write here.
        with suppress(NotArchived):
            return store.read(key) == data
        # S3 answers 409 while another put is under way, which may come to nothing.
        sleep(_PUT_PAUSE_S * 2**attempt)
    raise ArchiveUnavailable(
        f"{locate(store, key)}: the store neither takes this object nor has another; retry later"
    )


def at(
    root: str,
    connection: str | None = None,
    encryption: str | None = None,
    kms_key: str | None = None,
) -> Store:
    """The store for a root URL: ``file:///…``, ``s3://…``, ``gs://…`` or ``abfs://…``.

    :param connection: Name to look the credentials up by; the environment's serve without one.
    :param encryption: How S3 is told to encrypt what is written, and ``kms_key`` by which key.
    :raises ConfigError: Another scheme, or a connection where nothing can resolve it.
    """
    return opened(root, connection, encryption, kms_key, credentials.in_use())


@lru_cache(maxsize=32)
def opened(
    root: str,
    connection: str | None,
    encryption: str | None,
    kms_key: str | None,
    resolve: Credentials | None,
) -> Store:
    # Not urlsplit: "#" and "?" are letters of a folder's name like any other.
    scheme, _, path = root.partition("://")
    if scheme == "file":
        from platform_ops.archive.stores.disk import DiskStore

        return DiskStore(path or "/")
    if scheme in SERVICES:
        from platform_ops.archive.stores.objects import ObjectStore

        options = {
            **credentials.options(connection, scheme, resolve),
            **encrypted(encryption, kms_key),
        }
        return ObjectStore(root, options)
    raise ConfigError(f"{root!r}: no store for {scheme!r}; right are: file, {', '.join(SERVICES)}")
