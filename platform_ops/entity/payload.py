"""Bytes on their way in, and the same as committed: a part, its origin, and the payload it becomes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

__all__ = [
    "Blob",
    "Members",
    "Origin",
    "Part",
    "Payload",
    "Stored",
    "content_digest",
    "digest_line",
]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a payload came from, as the source told it, with every secret already left out.

    :param url: Redacted URL or address; user, password and signed parameters never enter.
    :param method: Verb or statement kind, such as ``GET``.
    :param fingerprint: SHA-256 in hex over what was asked for; equal requests have equal ones.
    :param status: Answer code of the protocol, where it has one.
    :param headers: The answer's headers that are on the allowlist, names in lower case.
    :param fetched_at_utc: When the first byte arrived.
    """

    url: str
    method: str = "GET"
    fingerprint: str | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    fetched_at_utc: datetime | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One payload on its way in.

    :param name: File name below the revision's folder, such as ``page-0001.json``.
    :param body: Shape ``(chunks,)``, read once and lazily; each chunk up to 64 MiB.
    :param media_type: RFC 6838 type of the bytes as they came.
    :param codec: Content coding that the bytes still carry (``gzip``), if any.
    :param size_bytes: Length that the source announced; another length is an error.
    :param rows: Records in the body, where the source knows; or what tells it once the body was read.
    :param schema_sha256: Digest of the columns' names and types, likewise.
    :param watermark: How far the source was read, in the source's own terms, likewise: what the next
        capture goes on from. Of several parts the last one that tells counts.
    """

    name: str
    body: Iterable[bytes]
    origin: Origin
    media_type: str = "application/octet-stream"
    codec: str | None = None
    size_bytes: int | None = None
    rows: int | Callable[[], int | None] | None = None
    schema_sha256: str | Callable[[], str | None] | None = None
    watermark: str | Callable[[], str | None] | None = None

    def rows_read(self) -> int | None:
        """The records that the body held, now that it was read."""
        return self.rows() if callable(self.rows) else self.rows

    def schema_read(self) -> str | None:
        """The digest of its columns, now that it was read."""
        return self.schema_sha256() if callable(self.schema_sha256) else self.schema_sha256

    def watermark_read(self) -> str | None:
        """How far the source was read, now that the body was."""
        return self.watermark() if callable(self.watermark) else self.watermark


@dataclass(frozen=True, slots=True)
class Blob:
    """One object that a manifest commits to, as it lies in the store."""

    key: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Stored:
    """How a payload lies in the store, where it is not kept as it came.

    :param codec: ``gzip`` or ``zstd`` where the archive compressed it, ``zip`` for a pack.
    :param sha256: Hex digest of the object as it is stored.
    """

    codec: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Members:
    """The list of a pack's bodies: an object beside the pack, JSON lines in gzip (ADR 0008).

    :param count: Bodies in the pack.
    :param first: The lowest of their names, and ``last`` the highest: which pack to look into; both are
        empty once a body was erased.
    """

    key: str
    size_bytes: int
    sha256: str
    count: int
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Payload:
    """One payload as committed: a body, or a pack of many small ones.

    :param key: Key below the archive's root; revisions with equal bytes share one.
    :param size_bytes: Length of the bytes as they came; of a pack's bodies together.
    :param sha256: Hex digest of the bytes as they came; of a pack what ``sha256sum * | sha256sum``
        prints where its bodies lie. It does not depend on how they are stored.
    :param codec: Content coding that the bytes as they came still carry.
    :param stored: How it is stored, where that differs; ``key`` then holds those bytes.
    :param members: Where a pack lists its bodies; None for a body alone.
    """

    key: str
    name: str
    size_bytes: int
    sha256: str
    media_type: str
    origin: Origin
    codec: str | None = None
    rows: int | None = None
    schema_sha256: str | None = None
    stored: Stored | None = None
    members: Members | None = None

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """Every object that holds a part of it: what must be there, kept, and left as it is."""
        held = self.stored or self
        body = Blob(self.key, held.size_bytes, held.sha256)
        listed = self.members
        if listed is None:
            return (body,)
        return (body, Blob(listed.key, listed.size_bytes, listed.sha256))


class _Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...


def content_digest(bodies: Iterable[_Named]) -> str:
    """SHA-256 over the lines ``<sha256>  <name>`` of all bodies, in order.

    It is what ``sha256sum * | sha256sum`` prints in a folder that holds these bodies alone under
    their names, so that anyone can check it with stock tools.
    """
    digest = hashlib.sha256()
    for each in bodies:
        digest.update(digest_line(each.name, each.sha256))
    return digest.hexdigest()


def digest_line(name: str, sha256: str) -> bytes:
    """One body's line, as GNU ``sha256sum`` writes it."""
    # A name that could end the line is escaped, and the line marked.
    escaped = name.replace("\\", r"\\").replace("\n", r"\n").replace("\r", r"\r")
    mark = "" if escaped == name else "\\"
    return f"{mark}{sha256}  {escaped}\n".encode("utf-8", "surrogatepass")
