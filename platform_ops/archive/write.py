"""The commit protocol: payloads first, the manifest last, nothing ever overwritten (ADR 0003).

A crash before the manifest leaves an orphan that no reader sees; a crash after it leaves a commit
whose effects a retry redoes. Rivals are told apart by a token in the payload folder, and settled by
the one create-only put of the manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from secrets import token_bytes
from types import TracebackType
from typing import Literal, Self

from platform_ops.archive import read
from platform_ops.archive.store import Store, locate, put_once
from platform_ops.archive.tombstones import tombstone_at
from platform_ops.entity import (
    Manifest,
    Part,
    Payload,
    Reference,
    RunIdentity,
    Slot,
    content_digest,
)
from platform_ops.errors import (
    ArchiveConflict,
    ArchiveUnavailable,
    PlatformError,
    SourceTruncated,
)
from platform_ops.url_scheme import Template, manifest_key, payload_key, template_key

__all__ = ["Commit", "Outcome", "Policy", "Session"]

Policy = Literal["revise", "reuse", "fail"]

_COMMIT_ATTEMPTS = 100
"""Rivals beat a writer at most once each; past this many something else is wrong."""


class Outcome(StrEnum):
    """How a session ended."""

    CREATED = "created"
    """A revision that was not there before."""
    UNCHANGED = "unchanged"
    """A new revision whose payloads are those of the revision before."""
    ADOPTED = "adopted"
    """This run, or a rival with equal bytes, had committed already."""
    REUSED = "reused"
    """Policy ``reuse``, and the slot was filled."""
    REPLAYED = "replayed"
    """Read from the archive on request; the source was not asked."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A revision that is visible, and how it came to be.

    :param conflicts: Rivals that took a revision number first.
    """

    manifest: Manifest
    reference: Reference
    outcome: Outcome
    conflicts: int = 0


@dataclass(slots=True)
class Session:
    """One capture of one slot, from the first byte to the commit mark.

    Leaving the ``with`` block without an error commits; leaving it with one commits nothing.
    Where :attr:`commit` is set on entry, there is nothing to fetch.

    :param slot: What these bytes are.
    :param run: Which try of which task writes.
    :param policy: What to do where the slot holds another run's revision.
    :param retention_days: Recorded in the manifest for ``expire``.
    :param versions: Versions of the software at work, recorded in the manifest.
    :raises ArchiveConflict: Policy ``fail``, and the slot holds another run's revision.
    """

    store: Store
    template: Template
    slot: Slot
    run: RunIdentity
    policy: Policy = "revise"
    retention_days: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    commit: Commit | None = field(default=None, init=False)
    _folder: str = field(default="", init=False)
    _token: str = field(default="", init=False)
    _head: Manifest | None = field(default=None, init=False)
    _lender: Manifest | None = field(default=None, init=False)
    _payloads: list[Payload] = field(default_factory=list, init=False)
    _taken: set[str] = field(default_factory=set, init=False)
    _started_at: datetime = field(default_factory=lambda: datetime.now(UTC), init=False)

    def __enter__(self) -> Self:
        self._folder = self.template.render(self.slot)
        self._token = _token(self.run)
        for manifest in read.revisions(self.store, self._folder, self.slot):
            self._head = self._head or manifest
            if manifest.run.is_retry_of(self.run):
                self.commit = self._settled(manifest, Outcome.ADOPTED)
                return self
        # One whose payloads expired or were erased fills no slot.
        filled = self.policy != "revise" and self._head is not None and not self._buried(self._head)
        if self._head is not None and filled and self.policy == "reuse":
            self.commit = self._settled(self._head, Outcome.REUSED)
        if self._head is not None and filled and self.policy == "fail":
            raise self._conflict(self._head)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        err: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and self.commit is None:
            self.commit = self._commit()

    def write(self, part: Part) -> Payload:
        """Store one payload verbatim; it stays invisible until the session commits.

        Where :attr:`commit` is set, the body is left alone and the committed payload is the answer.

        :raises SourceTruncated: The body ended before the announced length, or went past it.
        :raises ArchiveUnavailable: The store failed; nothing of this payload remains visible.
        """
        if self.commit is not None:
            return self._committed(self.commit.manifest, part.name)
        if any(payload.name == part.name for payload in self._payloads):
            raise PlatformError(
                f"{self.slot}: two parts are named {part.name!r}; name each part differently"
            )
        revision = self._head.revision + 1 if self._head else 1
        key = payload_key(self._folder, revision, self._token, part.name, self._taken)
        self._taken.add(key.lower())
        body = _Measured(part)
        try:
            self.store.upload(key, body.chunks(self._stored_key))
        except _AlreadyStored as stored:
            key = stored.key
        self._payloads.append(body.payload(key))
        return self._payloads[-1]

    def _committed(self, manifest: Manifest, name: str) -> Payload:
        for payload in manifest.payloads:
            if payload.name == name:
                return payload
        names = ", ".join(payload.name for payload in manifest.payloads) or "none"
        raise PlatformError(
            f"{self.slot}: revision {manifest.revision} is committed and has no part {name!r} "
            f"(it has: {names}); write only where session.commit is None"
        )

    def _stored_key(self, sha256: str, size_bytes: int) -> str | None:
        """Where the revision before holds the same bytes; a payload that was lost is no such place."""
        head = self._head
        for payload in head.payloads if head else ():
            if payload.sha256 == sha256:
                found = self.store.stat(payload.key)
                if found is not None and found.size_bytes == size_bytes and self._lends(head):
                    return payload.key
        return None

    def _lends(self, head: Manifest | None) -> bool:
        if head is not self._lender and head is not None and not self._buried(head):
            self._lender = head
        return head is self._lender

    def _require_lender(self) -> None:
        """Refuse to name a payload that is about to be removed with the revision that held it."""
        if self._lender is not None and self._buried(self._lender):
            raise ArchiveUnavailable(
                f"{self.slot}: revision {self._lender.revision}, which holds the same bytes, is being "
                "removed; a retry stores them anew"
            )

    def _buried(self, manifest: Manifest) -> bool:
        key = manifest_key(self._folder, manifest.revision)
        return tombstone_at(self.store, key) is not None

    def _commit(self) -> Commit:
        manifest = self._manifest(self._head)
        if self._head is None or self._head.template != self.template.text:
            self._register_template()
        for conflicts in range(_COMMIT_ATTEMPTS):
            key = manifest_key(self._folder, manifest.revision)
            self._require_lender()
            if put_once(self.store, key, manifest.to_json()):
                unchanged = self._head is not None and self._head.sha256 == manifest.sha256
                outcome = Outcome.UNCHANGED if unchanged else Outcome.CREATED
                return self._settled(manifest, outcome, conflicts)
            rival = read.manifest_at(self.store, key, self.slot)
            same = rival.sha256 == manifest.sha256 or rival.run.is_retry_of(self.run)
            if same or self.policy == "reuse":
                return self._settled(rival, Outcome.ADOPTED, conflicts + 1)
            if self.policy == "fail":
                raise self._conflict(rival)
            self._head = rival
            manifest = self._manifest(rival)
        raise ArchiveUnavailable(
            f"{self.slot}: lost to {_COMMIT_ATTEMPTS} rival writers; retry later"
        )

    def _manifest(self, head: Manifest | None) -> Manifest:
        return Manifest(
            slot=self.slot,
            revision=head.revision + 1 if head else 1,
            token=self._token,
            run=self.run,
            template=self.template.text,
            payloads=tuple(self._payloads),
            sha256=content_digest(self._payloads),
            started_at_utc=self._started_at,
            committed_at_utc=datetime.now(UTC),
            previous_sha256=read.manifest_digest(head) if head else None,
            retention_days=self.retention_days,
            versions=self.versions,
        )

    def _register_template(self) -> None:
        key = template_key(self.template.text)
        # Looked up first: it is there but for the first commit under a template.
        if self.store.stat(key) is None:
            put_once(self.store, key, self.template.text.encode())

    def _settled(self, manifest: Manifest, outcome: Outcome, conflicts: int = 0) -> Commit:
        return Commit(manifest, read.reference(self.store, manifest), outcome, conflicts)

    def _conflict(self, manifest: Manifest) -> ArchiveConflict:
        url = locate(self.store, manifest_key(self._folder, manifest.revision))
        return ArchiveConflict(
            f"{self.slot}: revision {manifest.revision} of run {manifest.run.run_id!r} is there "
            f"({url}), and the policy is 'fail'; use 'revise' or 'reuse', or another partition key"
        )


class _AlreadyStored(Exception):
    """Ends an upload whose bytes the revision before holds already."""

    def __init__(self, key: str) -> None:
        self.key = key


class _Measured:
    """The body of a part, hashed and counted as it passes."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._sha256 = hashlib.sha256()
        self._size_bytes = 0

    def chunks(self, stored: Callable[[str, int], str | None]) -> Iterator[bytes]:
        """The body; ends with an error where the upload must not be completed.

        :param stored: From digest and size to the key that holds these bytes already.
        """
        announced = self._part.size_bytes
        for piece in self._part.body:
            # The same object, unless a source hands out a buffer, which it may fill anew while a
            # store still reads it.
            chunk = bytes(piece)
            self._sha256.update(chunk)
            self._size_bytes += len(chunk)
            if announced is not None and self._size_bytes > announced:
                break
            yield chunk
        if announced is not None and self._size_bytes != announced:
            raise SourceTruncated(
                f"{self._part.origin.url}: {self._part.name} ended after {self._size_bytes} of the "
                f"{announced} bytes that the source announced; nothing of it was kept"
            )
        if (key := stored(self._sha256.hexdigest(), self._size_bytes)) is not None:
            raise _AlreadyStored(key)

    def payload(self, key: str) -> Payload:
        part = self._part
        return Payload(
            key=key,
            name=part.name,
            size_bytes=self._size_bytes,
            sha256=self._sha256.hexdigest(),
            media_type=part.media_type,
            origin=part.origin,
            codec=part.codec,
            rows=part.rows() if callable(part.rows) else part.rows,
            schema_sha256=(
                part.schema_sha256() if callable(part.schema_sha256) else part.schema_sha256
            ),
        )


def _token(run: RunIdentity) -> str:
    """Twelve hex digits that no other writer has: not even a second start of the same try."""
    identity = f"{run.dag_id}\0{run.task_id}\0{run.run_id}\0{run.map_index}\0{run.try_number}\0"
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass") + token_bytes(16)).hexdigest()[
        :12
    ]
