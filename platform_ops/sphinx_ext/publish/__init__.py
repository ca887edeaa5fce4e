"""Publish a built site as one version, beside the versions that are there.

::

    python -m platform_ops.sphinx_ext.publish add docs/_build/html DESTINATION --version 1.2.3 --alias stable

The destination is a folder, a branch of a git repository (``git+REPOSITORY#BRANCH``), or the URL of
an object store (``s3://bucket/prefix``). Readers see a change whole or not at all; the other versions
stay as they are. ``versions.json`` lists them, ``index.html`` leads to what ``stable`` leads to, else
to the newest release, and the version switcher of the pages reads the former
(:mod:`platform_ops.sphinx_ext.switcher`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from platform_ops.errors import PublishError
from platform_ops.sphinx_ext.publish.edit import Destination, Edit
from platform_ops.sphinx_ext.publish.folder import Folder
from platform_ops.sphinx_ext.publish.git import Branch
from platform_ops.sphinx_ext.publish.object_store import ObjectStorePrefix
from platform_ops.sphinx_ext.publish.site import Site
from platform_ops.sphinx_ext.publish.versions import (
    LISTING,
    Version,
    added,
    check_name,
    from_json,
    pointed,
    removed,
)

__all__ = ["Version", "fetch", "point", "publish", "published", "remove", "roll_back"]

_GIT = "git+"


def publish(
    site: Path, destination: str, version: str, aliases: Sequence[str] = ()
) -> tuple[Version, ...]:
    """Publish the pages in ``site`` as ``version``, and return all versions that are then there.

    :param site: The folder that Sphinx's HTML builder has written.
    :param destination: A folder, ``git+REPOSITORY#BRANCH``, or an object store's URL.
    :param version: A folder's name; digits and dots make it a release, such as ``1.2.3``.
    :param aliases: Other names for it; ``latest`` goes to the newest release, whichever is published,
        and ``stable`` goes to a release that is the newest.
    :raises PublishError: Nothing that a reader sees has changed; the message says why.
    :raises ExtraMissing: An object store needs obstore.
    """
    pages = Site(site)
    version, aliases = check_name(version), [check_name(alias) for alias in aliases]

    def apply(known: Sequence[Version], url: str) -> tuple[Version, ...]:
        return added(known, version, url, aliases)

    return _at(destination).change(Edit(f"Publish {version}", apply, version, pages))


def remove(destination: str, version: str) -> tuple[Version, ...]:
    """Take a version away, with every name that leads to it alone; return those that stay.

    :raises PublishError: It is not there, or it is the only one.
    """
    version = check_name(version)
    apply = partial(_ignoring_url, partial(removed, version=version))
    return _at(destination).change(Edit(f"Remove {version}", apply))


def point(destination: str, alias: str, version: str) -> tuple[Version, ...]:
    """Let an alias lead to a version: ``stable`` to an older release, say, until the next one.

    :raises PublishError: There is no such version, or the alias follows a rule of its own.
    """
    alias, version = check_name(alias), check_name(version)
    apply = partial(_ignoring_url, partial(pointed, alias=alias, version=version))
    return _at(destination).change(Edit(f"Point {alias} to {version}", apply))


def roll_back(destination: str, version: str) -> tuple[Version, ...]:
    """Show the build of a version that was there before the last one; once more undoes that.

    :raises PublishError: The version is not there, or no earlier build of it is kept.
    """
    version = check_name(version)

    def apply(known: Sequence[Version], url: str) -> tuple[Version, ...]:
        if version not in {entry.version for entry in known}:
            raise PublishError(f"{version!r} is not published here")
        return added(known, version, url)

    return _at(destination).change(Edit(f"Roll back {version}", apply, version, back=True))


def published(destination: str) -> tuple[Version, ...]:
    """All versions that are there."""
    return from_json(_at(destination).read(LISTING), f"{destination}: {LISTING}")


def fetch(destination: str, name: str, file: str) -> bytes | None:
    """One file of a published version, such as its ``catalog.json``; None where there is none.

    :param name: A version or an alias.
    """
    place = _at(destination)
    entries = from_json(place.read(LISTING), f"{destination}: {LISTING}")
    found = next((each for each in entries if name in (each.version, *each.aliases)), None)
    return place.read(found.url + file) if found else None


def _ignoring_url(
    change: Callable[[Sequence[Version]], tuple[Version, ...]], known: Sequence[Version], _url: str
) -> tuple[Version, ...]:
    return change(known)


def _at(destination: str) -> Destination:
    if destination.startswith(_GIT):
        repository, _, branch = destination.removeprefix(_GIT).rpartition("#")
        if not repository:
            raise PublishError(
                "git+REPOSITORY#BRANCH: the branch is missing; such as git+.#gh-pages"
            )
        return Branch(repository, branch)
    scheme = urlsplit(destination).scheme
    if scheme == "file":
        return Folder(Path(unquote(urlsplit(destination).path)))
    if "://" in destination:
        return ObjectStorePrefix(destination.rstrip("/"))
    return Folder(Path(destination))
