"""Fetching files once each: which are ready, which are new, and each to its end through broken lines."""

from __future__ import annotations

import hashlib
import logging
import mimetypes
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import groupby
from posixpath import basename, dirname
from typing import TYPE_CHECKING, Final, Literal

from platform_ops import archive
from platform_ops.entity import Entity, Origin, Part
from platform_ops.errors import (
    ConfigError,
    SourceChanged,
    SourceRejected,
    SourceTruncated,
    SourceUnavailable,
)
from platform_ops.sources.folders import Folder, RemoteFile, shown
from platform_ops.sources.folders.selection import Selection, safe_name

if TYPE_CHECKING:
    from platform_ops.settings import Settings

__all__ = ["Checksum", "Readiness", "Transfer", "Watch", "ready", "unknown"]

log = logging.getLogger("platform_ops.sources.files")

Checksum = Literal["sha256", "md5"]
_DIGEST: Final = re.compile(r"\\?([0-9a-fA-F]{32,64})(?:\s|$)")
_CHECKSUM_LIMIT_BYTES: Final = 1 << 16
_TYPES: Final = mimetypes.MimeTypes()
"""Python's own table: the machine's files would name one payload differently on each worker."""
_PAUSES_S: Final = (0.2, 1.0, 5.0)


@dataclass(frozen=True, slots=True)
class Readiness:
    """What has to be so before a file counts as there.

    :param stable_s: Seconds that its size and time must not change.
    :param done: Name of the marker beside it; ``{name}`` and ``{stem}`` stand for the file's own.
    :param checksum: Kind of the checksum file beside it, which is named like it and the kind.
    :raises ConfigError: A name has other fields than these.
    """

    stable_s: float = 0.0
    done: str | None = None
    checksum: Checksum | None = None

    def __post_init__(self) -> None:
        if self.checksum not in (None, "sha256", "md5"):
            raise ConfigError(f"checksum={self.checksum!r} does not exist; right are: sha256, md5")
        try:
            self.companions("folder/name.txt")
        except (KeyError, IndexError, ValueError) as err:
            raise ConfigError(f"done={self.done!r}: its fields are {{name}} and {{stem}}") from err

    def companions(self, path: str) -> list[str]:
        """Paths of the files that must lie beside one."""
        name = basename(path)
        named = []
        if self.done is not None:
            named.append(self.done.format(name=name, stem=name.partition(".")[0]))
        if self.checksum is not None:
            named.append(f"{name}.{self.checksum}")
        folder = path.removesuffix(name)
        return [folder + each for each in named]


def ready(
    folder: Folder, selection: Selection, readiness: Readiness, skip: Iterable[str] = ()
) -> list[RemoteFile]:
    """The files that are meant and whole, oldest first.

    :param skip: Paths of folders whose files are never meant.
    """
    skipped = tuple(f"{each.rstrip('/')}/" for each in skip)
    found = {
        each.path: each for each in selection.found(folder) if not each.path.startswith(skipped)
    }
    beside = {path for each in found for path in readiness.companions(each)}
    meant = {path: each for path, each in found.items() if path not in beside}
    if readiness.stable_s and meant:
        time.sleep(readiness.stable_s)
        meant = _unchanged(meant, {each.path: each for each in selection.found(folder)})
    if beside:
        there = _paths_beside(folder, meant)
        meant = {
            path: each
            for path, each in meant.items()
            if there.issuperset(readiness.companions(path))
        }
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return sorted(meant.values(), key=lambda each: (each.modified_utc or epoch, each.path))


def _unchanged(
    before: Mapping[str, RemoteFile], now: Mapping[str, RemoteFile]
) -> dict[str, RemoteFile]:
    moving = sorted(path for path, each in before.items() if now.get(path) != each)
    for path in moving:
        log.info("%s is still being written; left for later", shown(path))
    return {path: each for path, each in before.items() if path not in moving}


def _paths_beside(folder: Folder, files: Iterable[str]) -> set[str]:
    """Everything in the folders of these files, by one listing each."""
    folders = [name for name, _ in groupby(sorted(map(dirname, files)))]
    return {each.path for name in folders for each in folder.files(name, deep=False)}


def unknown(
    folder: Folder, files: list[RemoteFile], entity: Entity, site: Settings
) -> list[RemoteFile]:
    """Those of the files whose version no revision of the entity holds or has held.

    One that a damaged manifest may have held counts as new: to take it twice loses nothing.
    """
    if not files:
        return []
    from platform_ops.archive.place import templates_of

    index, prefixes = archive.index(site), archive.Question(entity).prefixes(templates_of(site))
    for prefix in prefixes:
        index.refresh(prefix)
    asked = [archive.Question(entity, fingerprint=folder.version(each)) for each in files]
    answers = [index.find(each, prefixes) for each in asked]
    new = [file for file, answer in zip(files, answers, strict=True) if not answer.hits]
    if new and (faulty := answers[0].faulty):
        log.warning(
            "%d files count as new, and nobody knows whether this held one: %s",
            len(new),
            faulty[0].fault,
        )
    return new


class Watch:
    """Looks again and again, and knows how long each file has been as it is.

    :param new_only: Whether versions that the entity holds do not count.
    """

    def __init__(self, readiness: Readiness, entity: Entity, *, new_only: bool) -> None:
        self._stable_s = readiness.stable_s
        self._readiness = replace(readiness, stable_s=0.0)
        self._entity, self._new_only = entity, new_only
        self._seen: dict[RemoteFile, float] = {}

    def look(self, folder: Folder, selection: Selection, site: Settings) -> int:
        """How many files are there, new, whole, and have not changed for as long as they must not."""
        found, now = ready(folder, selection, self._readiness), time.monotonic()
        if self._new_only:
            found = unknown(folder, found, self._entity, site)
        self._seen = {each: self._seen.get(each, now) for each in found}
        return sum(now - since >= self._stable_s for since in self._seen.values())


class Transfer:
    """One file on its way: resumed where a line breaks, and refused where it is not what it was.

    :param name: Its name within the revision.
    :param attempts: Lines in a row that may break without a byte before it is given up.
    :param max_bytes: Largest file that is taken.
    """

    def __init__(
        self,
        folder: Folder,
        file: RemoteFile,
        name: str,
        entity: Entity,
        *,
        attempts: int,
        max_bytes: int | None = None,
        checksum: Checksum | None = None,
    ) -> None:
        self._folder, self._file, self._entity = folder, file, entity
        self.name = name
        self._attempts = attempts
        self._max_bytes = max_bytes
        self._checksum = checksum

    @property
    def url(self) -> str:
        return self._folder.url(self._file.path)

    def part(self) -> Part:
        """The file as a part; its body is read as the part is written.

        :raises SourceRejected: It is larger than it may be.
        """
        size_bytes = self._file.size_bytes
        if self._max_bytes is not None and size_bytes > self._max_bytes:
            raise SourceRejected(
                f"{self.url}: has {size_bytes} bytes, and max_bytes allows {self._max_bytes}; "
                "nothing of it was read"
            )
        media_type, coding = _TYPES.guess_type(self.name)
        if coding not in (None, "gzip"):
            media_type = coding = None
        return Part(
            name=safe_name(self.name),
            body=self.body(),
            origin=Origin(
                url=self.url,
                fingerprint=self._folder.version(self._file),
                headers=self._described(),
                fetched_at_utc=datetime.now(UTC),
            ),
            media_type=media_type or "application/octet-stream",
            codec=coding,
            size_bytes=size_bytes,
        )

    def body(self) -> Iterator[bytes]:
        """The bytes; ends with an error where they are not those of the version that was listed.

        :raises SourceChanged: The file is another now, or not what its checksum says.
        """
        announced = self._announced() if self._checksum else None
        digest = hashlib.new(self._checksum or "sha256", usedforsecurity=False)
        received = 0
        for chunk in self._resumed():
            received += len(chunk)
            if announced is not None:
                digest.update(chunk)
            yield chunk
        self._check_same()
        if received != self._file.size_bytes:
            raise SourceTruncated(
                f"{self.url}: ended after {received} of {self._file.size_bytes} bytes; nothing of it "
                "was kept"
            )
        if announced is not None and digest.hexdigest() != announced:
            raise SourceChanged(
                f"{self.url}: is not what its .{self._checksum} file says; nothing of it was kept. "
                "A retry helps once the sender has sent both again"
            )

    def _resumed(self) -> Iterator[bytes]:
        received = broken = 0
        while True:
            try:
                for chunk in self._folder.read(self._file, received):
                    received += len(chunk)
                    broken = 0
                    yield chunk
            except SourceChanged:
                raise
            except SourceUnavailable:
                from platform_ops import metrics

                self._folder.close()
                broken += 1
                if broken >= self._attempts:
                    raise
                metrics.emit(metrics.RETRIES, 1, self._entity)
                time.sleep(_PAUSES_S[min(broken, len(_PAUSES_S)) - 1])
                self._check_same()
            else:
                return

    def _check_same(self) -> None:
        now = self._folder.stat(self._file.path)
        if now is None or self._folder.version(now) != self._folder.version(self._file):
            state = "is gone" if now is None else f"has {now.size_bytes} bytes and another time now"
            raise SourceChanged(
                f"{self.url}: changed while it was read ({state}); nothing of it was kept"
            )

    def _announced(self) -> str:
        path = f"{self._file.path}.{self._checksum}"
        found = self._folder.stat(path)
        if found is None:
            raise SourceChanged(f"{self._folder.url(path)}: the checksum file is gone")
        if found.size_bytes <= _CHECKSUM_LIMIT_BYTES:
            text = b"".join(self._folder.read(found)).decode("utf-8", "replace")
            hit = _DIGEST.match(text.lstrip("\ufeff \t\r\n"))
            if (
                hit
                and len(hit[1])
                == hashlib.new(str(self._checksum), usedforsecurity=False).digest_size * 2
            ):
                return hit[1].lower()
        raise SourceRejected(
            f"{self._folder.url(path)}: holds no {self._checksum} in hex at its begin, as "
            f"{self._checksum}sum writes it"
        )

    def _described(self) -> dict[str, str]:
        file = self._file
        told = {"content-length": str(file.size_bytes)}
        if file.modified_utc is not None:
            told["last-modified"] = format_datetime(file.modified_utc, usegmt=True)
        if file.etag is not None:
            told["etag"] = file.etag
        return told
