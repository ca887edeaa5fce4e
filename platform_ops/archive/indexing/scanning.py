"""An index made anew from manifests on disk: folders are listed and read by several processes at once.

Whoever knows nothing yet has nothing to compare a listing with, so that no process has to list all.
Rows come in the order in which they are found, folder by folder.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from queue import Full, Queue
from typing import Final

from platform_ops.archive.indexing import reading
from platform_ops.archive.indexing.listing import MANIFEST_KEY, as_listed, manifests
from platform_ops.archive.indexing.processes import Reader, read
from platform_ops.archive.indexing.rows import Listed, Row
from platform_ops.archive.stores.store import Store

__all__ = ["rows"]

_FOLDERS_AT_ONCE: Final = 50
_AT_LEAST: Final = 50
"""Folders on one level from which they are enough to be shared out."""
_ENOUGH: Final = 1_000
"""Folders on one level that need not be taken apart: each holds little of the archive."""
_WAITING: Final = 8
"""Answers that may wait for the index, for each process."""
_LOOK_S: Final = 0.2

Found = list[Row] | BaseException | None
"""Rows; or that a thread has failed, or is at its end."""


def rows(store: Store, prefix: str) -> Iterator[list[Row]]:
    """The rows of every manifest below a prefix of the slot folders, some at a time.

    :raises ArchiveUnavailable: The store failed; what came before is right.
    """
    cores = os.cpu_count() or 1
    if not store.url.startswith("file://") or cores == 1:
        return reading.rows(store, manifests(store, prefix))
    few = list(islice(manifests(store, prefix), reading.PROCESSES_FROM))
    if len(few) < reading.PROCESSES_FROM:
        return reading.rows(store, few)
    return _shared_out(store, _Folders(store, prefix), cores)


class _Folders:
    """The folders of slots in batches, for threads to take; and manifests that stand above them."""

    def __init__(self, store: Store, prefix: str) -> None:
        self.above: list[Listed] = []
        self._store = store
        self._lock = threading.Lock()
        folders = [prefix]
        while folders and len(folders) < _AT_LEAST:
            folders = list(self._deeper(folders))
        self._remaining = iter(folders) if len(folders) >= _ENOUGH else self._deeper(folders)

    def take(self) -> list[str]:
        """The next batch; an empty one at the end."""
        with self._lock:
            return list(islice(self._remaining, _FOLDERS_AT_ONCE))

    def _deeper(self, folders: Iterable[str]) -> Iterator[str]:
        for folder in folders:
            level = self._store.level(f"meta/{folder}".rstrip("/"))
            self.above += [as_listed(each) for each in level.entries if _is_manifest(each.key)]
            yield from (f"{folder}/{name}".lstrip("/") for name in level.folders)


def _is_manifest(key: str) -> bool:
    return MANIFEST_KEY.fullmatch(key) is not None


def _shared_out(store: Store, folders: _Folders, cores: int) -> Iterator[list[Row]]:
    found: Queue[Found] = Queue(_WAITING * cores)
    ended = threading.Event()
    threads = [
        threading.Thread(target=_work, args=(store, folders, found, ended), name="archive-index")
        for _ in range(cores)
    ]
    for each in threads:
        each.start()
    try:
        for _ in threads:
            while (batch := found.get()) is not None:
                if isinstance(batch, BaseException):
                    raise batch
                yield batch
        if above := read(store, folders.above):
            yield above
    finally:
        ended.set()
        for each in threads:
            each.join()


def _work(store: Store, folders: _Folders, found: Queue[Found], ended: threading.Event) -> None:
    """One thread: asks its process for one batch of folders after the other."""
    reader = Reader(store)
    try:
        while not ended.is_set() and (batch := folders.take()):
            for each in reader.scan(batch):
                if not _put(found, each, ended):
                    return
        _put(found, None, ended)
    except BaseException as err:  # noqa: BLE001  # raised where the rows are asked for
        _put(found, err, ended)
    finally:
        reader.stop()


def _put(found: Queue[Found], each: Found, ended: threading.Event) -> bool:
    """Hand it over; False where nobody asks any more."""
    while not ended.is_set():
        try:
            found.put(each, timeout=_LOOK_S)
        except Full:
            continue
        return True
    return False
