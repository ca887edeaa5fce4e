"""Publish into a folder that a web server serves.

Builds lie out of sight, and a version is a symbolic link to one::

    .builds/0.1.0@3f2a91bc04de/     the pages
    0.1.0 -> .builds/0.1.0@3f2a91bc04de
    latest -> 0.1.0
    index.html  versions.json

A link or a file is replaced by one rename, so that a reader meets the old build or the new one,
whole. The build that was replaced stays until the next time, for readers who are in it.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Final

from platform_ops.errors import PublishError
from platform_ops.sphinx_ext.publish.edit import Edit
from platform_ops.sphinx_ext.publish.site import Site
from platform_ops.sphinx_ext.publish.versions import (
    INDEX,
    LISTING,
    Version,
    from_json,
    front,
    redirect,
    to_json,
)

__all__ = ["Folder"]

_BUILDS: Final = ".builds"
_NEW: Final = ".new-"
"""Marks what is not finished; whoever publishes next removes what a dead process has left."""


class Folder:
    """A folder that holds versions; it is made where it is missing."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> bytes | None:
        """One published file."""
        return _read(self._root / path)

    def change(self, edit: Edit) -> tuple[Version, ...]:
        """Make a change by renames alone.

        :raises PublishError: The folder cannot be written, or holds something else under that name.
        """
        root = self._root
        try:
            (root / _BUILDS).mkdir(parents=True, exist_ok=True)
            with _alone(root):
                return self._change(edit)
        except OSError as err:
            raise PublishError(
                f"{root}: {err.strerror or err} ({err.filename}); it must be writable, know symbolic links, "
                "and have space for one more version"
            ) from err

    def _change(self, edit: Edit) -> tuple[Version, ...]:
        root = self._root
        known = from_json(_read(root / LISTING), str(root / LISTING))
        entries = edit.apply(known, f"{edit.version}/")
        aliases = {alias: entry.version for entry in entries for alias in entry.aliases}
        _check_free(root, {edit.version, *aliases} - {""})
        build = self._build(edit)
        prepared = [(_linked(root, target), root / alias) for alias, target in aliases.items()]
        prepared += [
            (_written(root, data), root / name) for name, data in edit.root_files(entries).items()
        ]
        prepared += [
            (_written(root, redirect(front(entries).url)), root / INDEX),
            (_written(root, to_json(entries)), root / LISTING),
        ]
        if build is not None:
            prepared.insert(0, (_linked(root, f"{_BUILDS}/{build.name}"), root / edit.version))
        for new, place in prepared:  # renames alone: what could fail for want of space is done
            new.replace(place)
        _forget(root, known, entries)
        if build is not None:
            _sweep(root, edit.version, build)
        return entries

    def _build(self, edit: Edit) -> Path | None:
        """The build that the version shall lead to; None where no version changes."""
        builds = self._root / _BUILDS
        if edit.site is not None:
            return _stage(edit.site, builds, edit.version)
        if not edit.back:
            return None
        current = (self._root / edit.version).resolve()
        others = [path for path in builds.glob(f"{edit.version}@*") if path.resolve() != current]
        if not others:
            raise PublishError(
                f"{self._root}: no earlier build of {edit.version} is kept; publish it again from its source"
            )
        return max(others, key=lambda path: path.stat().st_mtime)


def _forget(root: Path, known: Sequence[Version], entries: Sequence[Version]) -> None:
    """Remove the links and builds of what is listed no more, even where a process died before."""
    listed = {entry.version for entry in entries}
    names = listed | {alias for entry in entries for alias in entry.aliases}
    gone = {name for entry in known for name in (entry.version, *entry.aliases)} - names
    for path in root.iterdir():
        if path.is_symlink() and path.name not in names:
            ours = path.readlink().parts[:1] == (_BUILDS,)
            if path.name in gone or ours:
                path.unlink()
    for build in (root / _BUILDS).glob("*@*"):
        if build.name.rpartition("@")[0] not in listed:
            _remove(build.rename(build.with_name(f"{_NEW}{token_hex(6)}")))


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Wait for any other publisher of this folder; the lock ends with the process that holds it."""
    with (root / _BUILDS / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in [*root.glob(f"{_NEW}*"), *(root / _BUILDS).glob(f"{_NEW}*")]:
            _remove(left)
        yield


def _check_free(root: Path, names: set[str]) -> None:
    for name in sorted(names):
        path = root / name
        if path.exists() and not path.is_symlink():
            raise PublishError(
                f"{path}: is not a link that publish has made; move it away, and publish again"
            )


def _stage(site: Site, builds: Path, version: str) -> Path:
    build = builds / f"{version}@{site.digest()}"
    if not build.exists():
        new = builds / f"{_NEW}{token_hex(6)}"
        for file in site.files:
            target = new / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(site.path(file), target)
        new.rename(build)
    return build


def _linked(root: Path, target: str) -> Path:
    new = root / f"{_NEW}{token_hex(6)}"
    new.symlink_to(target, target_is_directory=True)
    return new


def _written(root: Path, data: bytes) -> Path:
    new = root / f"{_NEW}{token_hex(6)}"
    new.write_bytes(data)
    return new


def _sweep(root: Path, version: str, build: Path) -> None:
    """Remove this version's builds but the one that is served and the newest before it."""
    others = [path for path in (root / _BUILDS).glob(f"{version}@*") if path != build]
    others.sort(key=lambda path: path.stat().st_mtime)
    for path in others[:-1]:
        _remove(
            path.rename(path.with_name(f"{_NEW}{token_hex(6)}"))
        )  # half a build must not keep its name


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _read(path: Path) -> bytes | None:
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return None
