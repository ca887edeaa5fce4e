"""Whether a root keeps what the commit protocol stands on: tried for real, not guessed (ADR 0003).

On disk the trial leaves nothing behind. In an object store it leaves one small object: writers need no
right to delete, so the trial does not take one for granted.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Final, Literal

from platform_ops.archive.stores.disk import DiskStore
from platform_ops.archive.stores.store import Store, locate
from platform_ops.errors import ArchiveError

__all__ = ["Shortfall", "is_local", "probe"]

Lack = Literal["unwritable", "links", "overwrites", "fsync", "case", "unreachable"]

TRIAL: Final = ".doctor/create-only"
_CONTENT: Final = b"platform-ops doctor tries here whether what exists can be overwritten.\n"
_REMOTE_FILE_SYSTEMS: Final = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "smb3"}
)


@dataclass(frozen=True, slots=True)
class Shortfall:
    """One thing that a root does not offer.

    :param lack: ``unwritable`` or ``unreachable``; no hard ``links``; a create-only write that
        ``overwrites``; no durable ``fsync``; names that differ in ``case`` alone are one.
    :param url: Where it was tried.
    """

    lack: Lack
    url: str
    message: str


def probe(store: Store) -> Iterator[Shortfall]:
    """Try the root, and yield what it lacks."""
    if isinstance(store, DiskStore):
        yield from _probe_disk(store.folder)
    else:
        yield from _probe_objects(store)


def is_local(store: Store) -> bool:
    """Whether only this machine sees the root, as far as its file system tells."""
    return isinstance(store, DiskStore) and not _is_remote(_file_system(store.folder))


def _probe_disk(root: Path) -> Iterator[Shortfall]:
    try:
        with _trial_folder(root) as folder:
            first, second = folder / "first", folder / "second"
            yield from _write_durably(first)
            yield from _link(first, second)
            if (folder / "FIRST").exists():
                yield Shortfall(
                    "case",
                    f"file://{root}",
                    "FIRST and first are the same file on this file system",
                )
    except OSError as err:
        yield Shortfall("unwritable", f"file://{err.filename or root}", str(err.strerror))


def _write_durably(file: Path) -> Iterator[Shortfall]:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.write(descriptor, _CONTENT)
        yield from _sync(descriptor, file)
    finally:
        os.close(descriptor)
    descriptor = os.open(file.parent, os.O_RDONLY)
    try:
        yield from _sync(descriptor, file.parent)
    finally:
        os.close(descriptor)


def _sync(descriptor: int, path: Path) -> Iterator[Shortfall]:
    try:
        os.fsync(descriptor)
    except OSError as err:
        yield Shortfall("fsync", f"file://{path}", f"fsync: {err.strerror}")


def _link(source: Path, target: Path) -> Iterator[Shortfall]:
    try:
        os.link(source, target)
    except OSError as err:
        if err.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        yield Shortfall("links", f"file://{target}", f"link: {err.strerror}")
        return
    try:
        os.link(source, target)
    except FileExistsError:
        return
    yield Shortfall("overwrites", f"file://{target}", "a second link took the name of the first")


@contextmanager
def _trial_folder(root: Path) -> Iterator[Path]:
    """A folder of our own below the root; it goes again, with every parent that it needed."""
    folder = root / ".doctor" / token_hex(8)
    made = [each for each in [folder, *folder.parents] if not each.exists()]
    try:
        folder.mkdir(parents=True)
        yield folder
    finally:
        for name in ("first", "second"):
            with suppress(OSError):
                (folder / name).unlink()
        for each in made:
            with suppress(OSError):  # not empty: somebody else writes here meanwhile
                each.rmdir()


def _probe_objects(store: Store) -> Iterator[Shortfall]:
    url = locate(store, TRIAL)
    try:
        store.create(TRIAL, _CONTENT)
        overwritten = store.create(TRIAL, _CONTENT)
    except ArchiveError as err:
        yield Shortfall("unreachable", url, str(err))
        return
    if overwritten:
        yield Shortfall(
            "overwrites", url, "a create-only put (If-None-Match: *) overwrote an object"
        )


def _file_system(folder: Path) -> str:
    """Type of the file system that holds the folder, or will; empty where the system does not say."""
    best, kind = -1, ""
    with suppress(OSError):
        # Source: proc_mounts(5); blanks in a mount point are written \\040.
        for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
            _, mount, found, *_ = line.split(" ")
            point = Path(mount.replace("\\040", " "))
            if folder.resolve().is_relative_to(point) and len(point.parts) >= best:
                best, kind = len(point.parts), found
    return kind


def _is_remote(kind: str) -> bool:
    return kind in _REMOTE_FILE_SYSTEMS or kind.startswith("fuse.")
