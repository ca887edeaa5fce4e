# https://www.rfc-editor.org/rfc/rfc9051
"""Mail by IMAP: every message that meets a search, once, with its attachments beside it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

from platform_ops import archive
from platform_ops.entity import Entity, Manifest, Origin, Part
from platform_ops.errors import ConfigError
from platform_ops.ingest import ArchivingOperator, Unchanged, entity_of, site_settings
from platform_ops.settings.choices import require_known
from platform_ops.sources import progress
from platform_ops.sources.mailboxes.mailbox import Mailbox
from platform_ops.sources.mailboxes.mime import Attachment, attachments
from platform_ops.sources.mailboxes.uids import UidSet
from platform_ops.sources.nothing import OnNothing, nothing_new

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["ArchivingImapOperator"]

Afterwards = Literal["leave", "seen", "flag", "move", "delete"]
_FLAGS: Final = {"seen": r"\Seen", "flag": r"\Flagged"}
_MESSAGE: Final = "message/rfc822"
_LIMIT_BYTES: Final = 256 << 20


class ArchivingImapOperator(ArchivingOperator):
    r"""Archive the messages of a mail folder that meet a search, each one once.

    A message is archived whole, as ``.eml``, and its attachments beside it, decoded. Nothing in the
    folder is marked by being read. What was archived before is known by UIDVALIDITY and UID, from the
    archive itself, so the search need not leave it out.

    :param imap_conn_id: Connection of Airflow's type ``imap``: host, port, login and password; in its
        extra ``use_ssl``, ``ssl_context`` and ``timeout``. With ``auth`` set to ``xoauth2`` there, the
        password is an OAuth2 access token, as Gmail and Microsoft 365 want it.
    :param folder: The mail folder.
    :param search: IMAP search keys, such as ``FROM "billing@example.com" SUBJECT "invoice"``; see RFC
        9051, section 6.4.4.
    :param attachments: Names of the attachments to archive beside the message, with ``*`` and ``?`` in
        them, in any case; several are separated by commas. None where empty.
    :param max_messages: Most messages of one run, oldest first; the next run takes the rest.
    :param max_bytes: Largest message that is accepted; a larger one fails the task before it is read.
    :param afterwards: What happens to messages once they are committed: ``leave``, ``seen`` or ``flag``
        to mark them, ``move`` or ``delete``.
    :param move_to: Folder for ``move``.
    :param on_nothing: Where no message is new: ``skip`` the task and what comes after it; ``unchanged``
        refers to the newest revision, ``fail`` is tried again, and ``accept`` makes an empty revision.
    :param attempts: Connections tried before the task gives up.
    :raises SourceRejected: Password, certificate, folder or search is wrong, or a message is too large.
    :raises SourceUnavailable: The server does not answer, or is not ready.
    :raises SourceTruncated: The connection broke off, or a message was deleted while it was read.
    """

    template_fields: Sequence[str] = (
        *ArchivingOperator.template_fields,
        "folder",
        "search",
        "attachments",
        "move_to",
        "imap_conn_id",
    )
    ui_color = "#fef3c7"

    def __init__(
        self,
        *,
        imap_conn_id: str = "imap_default",
        folder: str = "INBOX",
        search: str = "ALL",
        attachments: str = "*",
        max_messages: int | None = None,
        max_bytes: int | None = _LIMIT_BYTES,
        afterwards: Afterwards = "leave",
        move_to: str | None = None,
        on_nothing: OnNothing = "skip",
        attempts: int = 3,
        **kwargs: Any,  # Any: ArchivingOperator's own arguments
    ) -> None:
        super().__init__(**kwargs)
        require_known(afterwards=(afterwards, Afterwards), on_nothing=(on_nothing, OnNothing))
        if (afterwards == "move") is (move_to is None):
            raise ConfigError("afterwards='move' and move_to= belong together: give both, or none")
        self.imap_conn_id = imap_conn_id
        self.folder = folder
        self.search = search
        self.attachments = attachments
        self.max_messages = max_messages
        self.max_bytes = max_bytes
        self.afterwards = afterwards
        self.move_to = move_to
        self.on_nothing: OnNothing = on_nothing
        self.attempts = attempts

    def fetch(self, context: Context) -> Iterator[Part]:
        """A part for each message, and one for each of its attachments."""
        before = progress.settled(context, self)
        with self._mailbox() as mailbox:
            there = mailbox.search("ALL")
            if before is None:
                intake = self._new(context, mailbox, there)
            elif (same := _same(before, mailbox, there)) is not None:
                intake = same
            else:
                self.log.warning(
                    "%s: messages of %s are not there any more", mailbox.url, before.slot
                )
                self.acknowledge(context, before)  # where the run that committed it could not
                raise Unchanged(before)
            for uid in intake.wanted[: self.max_messages if before is None else None]:
                yield from intake.parts(uid, self.attachments.split(","), self.max_bytes)
            if before is None and not intake.taken:
                what = f"no new message in {mailbox.url}"
                yield from nothing_new(self, self.on_nothing, what)

    def acknowledge(self, context: Context, manifest: Manifest) -> None:  # noqa: ARG002  # the base class's signature
        """Mark, move or delete the messages of a revision."""
        told = progress.read(manifest.watermark)
        if self.afterwards == "leave" or not told:
            return
        taken = UidSet.parse(told["taken"])
        with ExitStack() as stack:
            mailbox = self._mailbox()
            stack.callback(mailbox.close)
            mailbox.open(writable=True)
            if told != {**told, "of": mailbox.identity, "uidvalidity": mailbox.uidvalidity}:
                self.log.warning(
                    "%s: was made anew since; its messages are left alone", mailbox.url
                )
            elif self.afterwards == "delete":
                mailbox.delete(taken)
            elif self.move_to is not None:
                mailbox.move(taken, self.move_to)
            else:
                mailbox.flag(taken, _FLAGS[self.afterwards])

    def _mailbox(self) -> Mailbox:
        if any(each in self.search for each in "\r\n\0"):
            raise ConfigError("search= holds a line break; write the search keys in one line")
        return Mailbox(self.imap_conn_id, self.folder, entity_of(self.entity), self.attempts)

    def _new(self, context: Context, mailbox: Mailbox, there: list[int]) -> _Intake:
        told = progress.earlier(context, self, mailbox.identity)
        valid = [each for each in told if each["uidvalidity"] == mailbox.uidvalidity]
        known = {
            uid
            for each in valid
            for uids in [UidSet.parse(each["uids"])]
            for uid in there
            if uid in uids
        }
        matching = there if self.search == "ALL" else mailbox.search(self.search)
        if told and not valid:
            self.log.warning(
                "%s: was made anew, with other numbers: messages are told by their bytes this time",
                mailbox.url,
            )
            known = _known_by_bytes(mailbox, matching, entity_of(self.entity), self.max_bytes)
        return _Intake(mailbox, [uid for uid in matching if uid not in known], there, known)


class _Intake:
    """What one run takes from a folder, and what will be known of the folder afterwards."""

    def __init__(
        self,
        mailbox: Mailbox,
        wanted: list[int],
        there: list[int],
        known: set[int],
    ) -> None:
        self.wanted = wanted
        self._mailbox, self._there, self._known = mailbox, there, known
        self.taken: set[int] = set()

    def parts(self, uid: int, names: Sequence[str], max_bytes: int | None) -> Iterator[Part]:
        """The message and its attachments; nothing where it is gone."""
        with tempfile.TemporaryFile() as spool:
            pieces = self._mailbox.message(uid, max_bytes)
            if pieces is None:  # deleted since the search
                return
            self.taken.add(uid)
            copied = _copied(pieces, spool)
            yield self._part(uid, f"{self._stem(uid)}.eml", copied, _MESSAGE)
            for number, found in enumerate(attachments(spool), start=1):
                if any(_matches(found, name) for name in names):
                    name = f"{self._stem(uid)}-{number:02d}-{found.name}"
                    part = found.chunks()
                    yield self._part(uid, name, part, found.media_type, found.section)

    def _stem(self, uid: int) -> str:
        return f"{self._mailbox.uidvalidity}-{uid:010d}"

    def _part(
        self,
        uid: int,
        name: str,
        body: Iterable[bytes],
        media_type: str,
        section: str | None = None,
    ) -> Part:
        url = self._mailbox.of(uid) + (f"/;SECTION={section}" if section else "")
        origin = Origin(
            url=url,
            method="FETCH",
            fingerprint=hashlib.sha256(f"FETCH\n{url}".encode()).hexdigest(),
            fetched_at_utc=datetime.now(UTC),
        )
        return Part(
            name=name,
            body=body,
            origin=origin,
            media_type=media_type,
            watermark=self._watermark,
        )

    def _watermark(self) -> str:
        return json.dumps(
            {
                "of": self._mailbox.identity,
                "uidvalidity": self._mailbox.uidvalidity,
                "uids": str(UidSet.of(self._known | self.taken, self._there)),
                "taken": str(UidSet.of(self.taken, self._there)),
                "messages": len(self.taken),
            }
        )


def _copied(pieces: Iterable[bytes], spool: BinaryIO) -> Iterator[bytes]:
    for piece in pieces:
        spool.write(piece)
        yield piece


def _same(before: Manifest, mailbox: Mailbox, there: list[int]) -> _Intake | None:
    """The messages of a revision once more; None where some of them are gone."""
    told = progress.read(before.watermark)
    if told != {**told, "of": mailbox.identity, "uidvalidity": mailbox.uidvalidity}:
        return None
    taken, known = UidSet.parse(told["taken"]), UidSet.parse(told["uids"])
    wanted = [uid for uid in there if uid in taken]
    if len(wanted) != told["messages"]:
        return None
    return _Intake(mailbox, wanted, there, {uid for uid in there if uid in known})


def _matches(found: Attachment, pattern: str) -> bool:
    return fnmatchcase(found.name.lower(), pattern.strip().lower())


def _known_by_bytes(
    mailbox: Mailbox, uids: list[int], entity: Entity, max_bytes: int | None
) -> set[int]:
    """Which messages the archive holds under other numbers."""
    site = site_settings()
    held = {
        body.sha256
        for manifest in archive.find(entity, settings=site)
        for body in archive.bodies(manifest, site)
        if body.media_type == _MESSAGE
    }
    known = set()
    for uid in uids:
        digest = hashlib.sha256()
        for piece in mailbox.message(uid, max_bytes) or ():
            digest.update(piece)
        if digest.hexdigest() in held:
            known.add(uid)
    return known
