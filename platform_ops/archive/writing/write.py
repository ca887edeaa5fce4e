"""The commit protocol: payloads first, the manifest last, nothing ever overwritten (ADR 0003).

A crash before the manifest leaves an orphan that no reader sees; a crash after it leaves a commit
whose effects a retry redoes. Rivals are told apart by a token in the payload folder, and settled by
the one create-only put of the manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import token_bytes
from types import TracebackType
from typing import Self

from platform_ops.archive.outcome import Commit, Outcome
from platform_ops.archive.payloads import content
from platform_ops.archive.payloads.codec import require
from platform_ops.archive.payloads.pack import Member
from platform_ops.archive.records import excisions, read
from platform_ops.archive.records.tombstones import tombstone_at
from platform_ops.archive.stores.store import Store, locate, put_once
from platform_ops.archive.upkeep import refused
from platform_ops.archive.upkeep.refused import Evidence
from platform_ops.archive.writing.inspection import Acceptance, Inspection
from platform_ops.archive.writing.intake import Intake
from platform_ops.archive.writing.withhold import Withholding
from platform_ops.entity import (
    Manifest,
    Part,
    Payload,
    RunIdentity,
    Slot,
    Stored,
    content_digest,
)
from platform_ops.errors import (
    ArchiveConflict,
    ArchiveError,
    ArchiveUnavailable,
    DeliveryRefused,
    NotArchived,
    PlatformError,
    SourceError,
    SourceTruncated,
)
from platform_ops.settings import Codec, OnExisting
from platform_ops.url_scheme import Template, manifest_key, payload_key, template_key

__all__ = ["Session"]

_COMMIT_ATTEMPTS = 100
"""Rivals beat a writer at most once each; past this many something else is wrong."""


@dataclass(slots=True)
class Session:
    """One capture of one slot, from the first byte to the commit mark.

    Leaving the ``with`` block without an error commits; leaving it with one commits nothing.
    Where :attr:`commit` is set on entry, there is nothing to fetch.

    :param slot: What these bytes are.
    :param run: Which try of which task writes.
    :param policy: What to do where the slot holds another run's revision.
    :param codec: How to store the bytes; what gains nothing from it is stored as it came.
    :param pack: Whether small bodies share one object.
    :param redact: Fields of JSON bodies to leave out; see ``platform_ops.archive.writing.withhold``.
    :param acceptance: What the entity's deliveries meet that are empty, malformed or unlike those before.
    :param encryption: What the store was told to encrypt by; recorded in the manifest.
    :param retention_days: Recorded in the manifest for ``expire``.
    :param versions: Versions of the software at work, recorded in the manifest.
    :raises ArchiveConflict: Policy ``fail``, and the slot holds another run's revision.
    """

    store: Store
    template: Template
    slot: Slot
    run: RunIdentity
    policy: OnExisting = "revise"
    codec: Codec = "none"
    pack: bool = False
    redact: tuple[str, ...] = ()
    acceptance: Acceptance = field(default_factory=Acceptance)
    encryption: str | None = None
    retention_days: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    commit: Commit | None = field(default=None, init=False)
    _folder: str = field(default="", init=False)
    _token: str = field(default="", init=False)
    _head: Manifest | None = field(default=None, init=False)
    _lender: Manifest | None = field(default=None, init=False)
    _intake: Intake = field(init=False)
    _withheld: Withholding = field(init=False)
    _inspection: Inspection = field(init=False)
    _lendable: dict[str, Payload] = field(default_factory=dict, init=False)
    _payloads: tuple[Payload, ...] = field(default=(), init=False)
    _watermark: str | None = field(default=None, init=False)
    _started_at: datetime = field(default_factory=lambda: datetime.now(UTC), init=False)

    def __enter__(self) -> Self:
        self._folder = self.template.render(self.slot)
        self._token = _token(self.run)
        require(self.codec)
        self._withheld = Withholding(self.redact)
        self._inspection = Inspection(self.slot, self.acceptance)
        self._intake = Intake(
            self.slot,
            self.store,
            self._key_of,
            self._lent,
            self.codec,
            self._inspection,
            pack=self.pack,
        )
        for manifest in read.revisions(self.store, self._folder, self.slot):
            self._head = self._head or manifest
            if manifest.run.is_retry_of(self.run):
                self.commit = self._settled(manifest, Outcome.ADOPTED)
                return self
        self._lendable = {each.sha256: each for each in self._head.payloads} if self._head else {}
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
        if self.commit is not None:
            return
        if kind is None:
            self._payloads = self._intake.close()
            self._inspection.conclude(self._payloads)
        refusal = self._inspection.refusal
        if refusal is not None and err in (None, refusal):
            raise self._refused(refusal) from refusal.__cause__
        if kind is None:
            self.commit = self._commit()

    def write(self, part: Part) -> Payload | Member:
        """Store one body verbatim, alone or in a pack; it stays invisible until the session commits.

        Where :attr:`commit` is set, the body is left alone and the committed one is the answer.

        :raises SourceTruncated: The body ended before the announced length, or went past it.
        :raises DeliveryRefused: The entity's policy does not let it pass; leaving the block keeps it as
            evidence.
        :raises NotRedactable: Fields are to be left out, and the body cannot be searched for them.
        :raises ArchiveUnavailable: The store failed; nothing of this body remains visible.
        """
        if self.commit is None:
            taken = self._intake.take(self._withheld.applied(part))
            self._watermark = part.watermark_read() or self._watermark
            return taken
        try:
            return content.find(self.store, self.commit.manifest, part.name).about
        except NotArchived as err:
            revision = self.commit.manifest.revision
            raise PlatformError(
                f"{err}; revision {revision} is committed: write only where session.commit is None"
            ) from err

    def _refused(self, refusal: SourceError) -> SourceError:
        """The refusal, and where what came is kept."""
        check = refusal.check if isinstance(refusal, DeliveryRefused) else "truncated"
        payloads = self._payloads or self._intake.close()
        found = Evidence(
            self.slot, self.run, self._token, check, str(refusal), payloads, datetime.now(UTC)
        )
        try:
            kept = f"kept as evidence: {refused.keep(self.store, self._folder, found)}"
        except ArchiveError as err:
            kept = f"not kept, since the archive failed too ({type(err).__name__})"
        message = f"{refusal}; what came is {kept}"
        if isinstance(refusal, DeliveryRefused):
            return DeliveryRefused(message, check, skip=refusal.skip)
        return SourceTruncated(message)

    def settle(self, manifest: Manifest) -> None:
        """End with a revision that is there, of this slot or another, since the source has none newer.

        :raises PlatformError: A body was written, or the session has committed.
        """
        if self.commit is not None or self._intake.begun:
            raise PlatformError(
                f"{self.slot}: has bodies already; say that there is nothing new before the first"
            )
        self.commit = self._settled(manifest, Outcome.NOTHING_NEW)

    def _key_of(self, name: str, taken: set[str]) -> str:
        revision = self._head.revision + 1 if self._head else 1
        return payload_key(self._folder, revision, self._token, name, taken)

    def _lent(self, sha256: str, size_bytes: int, zipped: Stored | None = None) -> Payload | None:
        """What of the revision before holds the same bytes; what was lost does not."""
        payload = self._lendable.get(sha256)
        if payload is None or payload.size_bytes != size_bytes:
            return None
        if payload.stored != zipped if zipped else payload.members is not None:
            return None
        blob = payload.blobs[0]
        found = self.store.stat(blob.key)
        there = found is not None and found.size_bytes == blob.size_bytes
        return payload if there and self._lends(self._head) else None

    def _lends(self, head: Manifest | None) -> bool:
        if head is not self._lender and head is not None and not self._is_leaving(head):
            self._lender = head
        return head is self._lender

    def _require_lender(self) -> None:
        """Refuse to name a payload that is about to be removed with the revision that held it."""
        if self._lender is not None and self._is_leaving(self._lender):
            raise ArchiveUnavailable(
                f"{self.slot}: revision {self._lender.revision}, which holds the same bytes, is being "
                "removed; a retry stores them anew"
            )

    def _buried(self, manifest: Manifest) -> bool:
        key = manifest_key(self._folder, manifest.revision)
        return tombstone_at(self.store, key) is not None

    def _is_leaving(self, manifest: Manifest) -> bool:
        """Whether its payloads, or a body in one of them, are being removed."""
        key = manifest_key(self._folder, manifest.revision)
        return self._buried(manifest) or excisions.is_due(self.store, key, manifest)

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
            payloads=self._payloads,
            sha256=content_digest(self._payloads),
            started_at_utc=self._started_at,
            committed_at_utc=datetime.now(UTC),
            previous_sha256=read.manifest_digest(head) if head else None,
            redacted=self._withheld.counts,
            watermark=self._watermark,
            remarks=tuple(self._inspection.remarks),
            encryption=self.encryption,
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


def _token(run: RunIdentity) -> str:
    """Twelve hex digits that no other writer has: not even a second start of the same try."""
    identity = f"{run.dag_id}\0{run.task_id}\0{run.run_id}\0{run.map_index}\0{run.try_number}\0"
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass") + token_bytes(16))
    return digest.hexdigest()[:12]
