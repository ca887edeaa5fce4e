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
from platform_ops.sphinx_ext.publish.site import Site
from platform_ops.sphinx_ext.publish.versions import (
    INDEX,
    LISTING,
    Version,
    added,
    from_json,
    redirect,
    to_json,
)

__all__ = ["publish_to_folder"]

_BUILDS: Final = ".builds"
_NEW: Final = ".new-"
"""Marks what is not finished; whoever publishes next removes what a dead process has left."""


def publish_to_folder(
    site: Site, root: Path, version: str, aliases: Sequence[str]
) -> tuple[Version, ...]:
    """Publish the site as one version below ``root``, which is made where it is missing.

    :raises PublishError: The folder cannot be written, or holds something else under that name.
    """
    try:
        (root / _BUILDS).mkdir(parents=True, exist_ok=True)
        with _alone(root):
            known = from_json(_read(root / LISTING), str(root / LISTING))
            entries = added(known, version, f"{version}/", aliases)
            aliases_now = {alias: entry.version for entry in entries for alias in entry.aliases}
            _check_free(root, {version, *aliases_now})
            build = _stage(site, root / _BUILDS, version)
            prepared = [
                (_linked(root, f"{_BUILDS}/{build.name}"), root / version),
                *((_linked(root, target), root / alias) for alias, target in aliases_now.items()),
                (_written(root, redirect(entries[0].url)), root / INDEX),
                (_written(root, to_json(entries)), root / LISTING),
            ]
            for new, place in prepared:  # renames alone: what could fail for want of space is done
                new.replace(place)
            for alias in {alias for entry in known for alias in entry.aliases} - aliases_now.keys():
                (root / alias).unlink(missing_ok=True)
            _sweep(root, version, build)
    except OSError as err:
        raise PublishError(
            f"{root}: {err.strerror or err} ({err.filename}); it must be writable, know symbolic links, "
            "and have space for one more version"
        ) from err
    return entries


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
