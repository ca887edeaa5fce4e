"""Publish under the URL of an object store, which knows neither links nor renames.

A version that is new has its pages at their final address, which nothing names yet. A version that
was there before gets a prefix of its own beside it::

    main/…                  one redirect for each page, to the build
    main@3f2a91bc04de/…     the build that ``versions.json`` names
    index.html  versions.json

So every address that was ever given out leads into a build that is whole, before, while and after
the redirects change one by one; the build that was replaced stays until the next time.
``versions.json`` names the new build once all of it is there, and replaces only the listing that was
read. ``objects.inv``, which other sites read by its name, is copied beside the redirects.
"""

from __future__ import annotations

import mimetypes
import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, cast

from platform_ops.errors import ExtraMissing, PublishError
from platform_ops.sphinx_ext.publish.edit import Edit
from platform_ops.sphinx_ext.publish.site import Site
from platform_ops.sphinx_ext.publish.versions import (
    INDEX,
    LISTING,
    NOT_FOUND,
    Version,
    from_json,
    front,
    redirect,
    to_json,
)

if TYPE_CHECKING:
    from obstore import Attributes, PutMode
    from obstore.store import ObjectStore

__all__ = ["ObjectStorePrefix"]

_ATTEMPTS: Final = 5
_AT_ONCE: Final = 16
_INVENTORY: Final = "objects.inv"


class ObjectStorePrefix:
    """A prefix of an object store that holds versions; credentials come from the environment.

    :raises ExtraMissing: obstore is not installed.
    :raises PublishError: There is no such kind of store.
    """

    def __init__(self, url: str) -> None:
        try:
            from obstore.store import from_url
        except ModuleNotFoundError as err:
            raise ExtraMissing("obstore", "s3", f"publishing to {url}") from err
        self._url = url
        with self._explained():
            # An endpoint without TLS is one that the environment names, such as a server on loopback.
            self._store = _Store(from_url(url, client_options={"allow_http": True}), url)

    def read(self, path: str) -> bytes | None:
        """One published file."""
        with self._explained():
            return self._store.read(path)

    def change(self, edit: Edit) -> tuple[Version, ...]:
        """Make a change, of which readers see the new listing last.

        :raises PublishError: The store refuses, or others publish there without end.
        """
        with self._explained():
            return self._store.change(edit)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError, ValueError) as err:
            said = " ".join(str(err).split())
            raise PublishError(
                f"{self._url}: {said}; check the URL, the credentials in the environment, and that they "
                "may list, read, write and delete there"
            ) from err


class _Store:
    def __init__(self, client: ObjectStore, url: str) -> None:
        self._client = client
        self._url = url

    def read(self, path: str) -> bytes | None:
        try:
            return bytes(self._client.get(path).bytes())
        except FileNotFoundError:
            return None

    def change(self, edit: Edit) -> tuple[Version, ...]:
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        known, _ = self._listing()
        prefix = self._prefix(edit, known)
        for _ in range(_ATTEMPTS):
            known, condition = self._listing()
            entries = edit.apply(known, prefix)
            self._put(INDEX, redirect(front(entries).url))
            try:
                self._put(LISTING, to_json(entries), condition)
            except (AlreadyExistsError, PreconditionError):
                continue  # someone else has published meanwhile: list theirs as well
            for name, data in edit.root_files(entries).items():
                self._put(name, data)
            self._lead_to(edit, prefix, known, entries)
            return entries
        raise PublishError(
            f"{self._url}: {_ATTEMPTS} times in a row others were faster; publish again"
        )

    def _prefix(self, edit: Edit, known: Sequence[Version]) -> str:
        """Where this change's pages are, which may have to be brought there first."""
        if edit.site is not None:
            return self._upload(edit.site, edit.version, known)
        if not edit.back:
            return ""
        kept = [entry.previous for entry in known if entry.version == edit.version]
        if not any(kept):
            raise PublishError(
                f"{self._url}: no earlier build of {edit.version} is kept; publish it again from its source"
            )
        return kept[0]

    def _listing(self) -> tuple[tuple[Version, ...], PutMode]:
        """Read ``versions.json``, and the condition under which it may be replaced."""
        try:
            found = self._client.get(LISTING)
        except FileNotFoundError:
            return (), "create"
        tags = {name: found.meta[name] for name in ("e_tag", "version")}  # stores have one, or both
        condition = cast("PutMode", {name: tag for name, tag in tags.items() if tag is not None})
        return from_json(bytes(found.bytes()), posixpath.join(self._url, LISTING)), condition

    def _upload(self, site: Site, version: str, known: Sequence[Version]) -> str:
        """Upload the pages where no reader looks yet; return the prefix."""
        listed = any(entry.version == version for entry in known)
        prefix = f"{version}@{site.digest()}/" if listed else f"{version}/"
        self._each(lambda file: self._put(prefix + file, site.path(file).read_bytes()), site.files)
        left = set(self._files(prefix)) - set(site.files)  # by an attempt that died
        self._delete(prefix + file for file in left)
        return prefix

    def _lead_to(
        self, edit: Edit, prefix: str, known: Sequence[Version], entries: Sequence[Version]
    ) -> None:
        """Let stable addresses and aliases lead to the build, and remove what none leads to any more."""
        if prefix and prefix != f"{edit.version}/":
            self._redirects(f"{edit.version}/", prefix, self._pages(edit, prefix, prefix))
        before = {alias: entry.url for entry in known for alias in entry.aliases}
        now = {alias: entry.url for entry in entries for alias in entry.aliases}
        for alias, target in now.items():
            if target != before.get(alias):
                self._redirects(f"{alias}/", target, self._pages(edit, prefix, target))
        versions = {entry.version for entry in entries}
        gone = {entry.version for entry in known} - versions
        for name in (before.keys() - now.keys()) | gone:
            self._delete(f"{name}/{file}" for file in self._files(f"{name}/"))
        if prefix or gone:
            listed = {url for entry in entries for url in (entry.url, entry.previous)}
            self._sweep({edit.version, *gone} - {""}, listed)

    def _pages(self, edit: Edit, prefix: str, target: str) -> Sequence[str]:
        if edit.site is not None and target == prefix:
            return edit.site.files
        return self._files(target)

    def _redirects(self, stable: str, build: str, files: Sequence[str]) -> None:
        """Write one redirect for each page of the build, then remove those of pages that are gone."""
        pages = [file for file in files if file.endswith(".html")]

        def lead(page: str) -> None:
            up = "../" * (page.count("/") + stable.count("/"))
            self._put(stable + page, redirect(f"{up}{build}{page}"))

        self._each(lead, pages)
        kept = set(pages)
        if _INVENTORY in files:
            self._put(stable + _INVENTORY, bytes(self._client.get(build + _INVENTORY).bytes()))
            kept.add(_INVENTORY)
        self._delete(stable + file for file in self._files(stable) if file not in kept)

    def _sweep(self, versions: set[str], kept: set[str]) -> None:
        found = self._client.list_with_delimiter()["common_prefixes"]
        for build in (f"{prefix}/" for prefix in found if "@" in prefix):
            if build.rpartition("@")[0] in versions and build not in kept:
                self._delete(build + file for file in self._files(build))

    def _files(self, prefix: str) -> list[str]:
        start = len(prefix)
        return [meta["path"][start:] for batch in self._client.list(prefix) for meta in batch]

    def _put(self, key: str, body: bytes, mode: PutMode = "overwrite") -> None:
        media_type = mimetypes.guess_type(key)[0] or "application/octet-stream"
        attributes: Attributes = {"Content-Type": media_type}
        if key in {INDEX, LISTING, NOT_FOUND}:
            attributes["Cache-Control"] = "no-cache"
        self._client.put(key, body, attributes=attributes, mode=mode, use_multipart=False)

    def _delete(self, keys: Iterable[str]) -> None:
        if found := list(keys):
            self._client.delete(found)

    def _each(self, act: Callable[[str], None], files: Iterable[str]) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(act, files):
                pass
