"""Publish a built site as one version, beside the versions that are there.

::

    python -m platform_ops.sphinx_ext.publish docs/_build/html DESTINATION --version 1.2.3 --alias latest

The destination is a folder, a branch of a git repository (``git+REPOSITORY#BRANCH``), or the URL of
an object store (``s3://bucket/prefix``). Readers see the new version whole or not at all; the others
stay as they are. ``versions.json`` lists them, ``index.html`` leads to the newest release, and the
version switcher of the pages reads the former (:mod:`platform_ops.sphinx_ext.switcher`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from platform_ops.errors import PublishError
from platform_ops.sphinx_ext.publish.folder import publish_to_folder
from platform_ops.sphinx_ext.publish.git import publish_to_branch
from platform_ops.sphinx_ext.publish.object_store import publish_to_object_store
from platform_ops.sphinx_ext.publish.site import Site
from platform_ops.sphinx_ext.publish.versions import Version, check_name

__all__ = ["Version", "publish"]

_GIT = "git+"


def publish(
    site: Path, destination: str, version: str, aliases: Sequence[str] = ()
) -> tuple[Version, ...]:
    """Publish the pages in ``site`` as ``version``, and return all versions that are then there.

    :param site: The folder that Sphinx's HTML builder has written.
    :param destination: A folder, ``git+REPOSITORY#BRANCH``, or an object store's URL.
    :param version: A folder's name; digits and dots make it a release, such as ``1.2.3``.
    :param aliases: Other names for it; ``latest`` goes to the newest release, whichever is published.
    :raises PublishError: Nothing that a reader sees has changed; the message says why.
    :raises ExtraMissing: An object store needs obstore.
    """
    pages = Site(site)
    version, aliases = check_name(version), [check_name(alias) for alias in aliases]
    if destination.startswith(_GIT):
        repository, _, branch = destination.removeprefix(_GIT).rpartition("#")
        if not repository:
            raise PublishError(
                "git+REPOSITORY#BRANCH: the branch is missing; such as git+.#gh-pages"
            )
        return publish_to_branch(pages, repository, branch, version, aliases)
    scheme = urlsplit(destination).scheme
    if scheme == "file":
        return publish_to_folder(pages, Path(unquote(urlsplit(destination).path)), version, aliases)
    if "://" in destination:
        return publish_to_object_store(pages, destination.rstrip("/"), version, aliases)
    return publish_to_folder(pages, Path(destination), version, aliases)
