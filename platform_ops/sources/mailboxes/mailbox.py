# https://www.rfc-editor.org/rfc/rfc9051
"""One folder of an IMAP server: its numbers, its messages piece by piece, and what is done with them.

Reading uses ``EXAMINE`` and ``BODY.PEEK``, so that no message is marked by being archived. A message is
fetched in pieces, so that none is ever held whole, and a connection that breaks is made again where the
message was left: under one UIDVALIDITY the bytes of a number never change.
"""

from __future__ import annotations

import base64
import hashlib
import imaplib
import logging
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

import tenacity
from airflow.sdk import conf

from platform_ops import metrics
from platform_ops.entity import Entity
from platform_ops.errors import ConfigError, SourceRejected, SourceTruncated, SourceUnavailable
from platform_ops.ingest import connection
from platform_ops.sources.mailboxes.uids import UidSet

if TYPE_CHECKING:
    from airflow.sdk import Connection

__all__ = ["Mailbox"]

log = logging.getLogger("platform_ops.sources")

TIMEOUT_S: Final = 60.0
"""Seconds to wait for a connection and for each answer, where the connection's extra sets none."""
PIECE_BYTES: Final = 1 << 20

_WINDOW: Final = 100_000
"""Numbers that one search covers: imaplib reads no answer line above a million letters."""
_SIZE: Final = re.compile(rb"RFC822\.SIZE (\d+)")
_CODE: Final = re.compile(r"\[([A-Z-]+)")
_PASSING: Final = {"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN"}
_BACKOFF: Final = tenacity.wait_exponential_jitter(multiplier=0.2, max=20)


class Mailbox:
    """A folder, open for reading until :meth:`open` says otherwise; a context manager.

    :param conn_id: Airflow connection of type ``imap``.
    :param entity: Whom retries are counted for.
    :param attempts: How often a connection is tried before the task gives up.
    """

    def __init__(self, conn_id: str, folder: str, entity: Entity, attempts: int = 3) -> None:
        self._conn = connection(conn_id)
        self._conn_id, self._folder, self._entity = conn_id, folder, entity
        self._attempts = attempts
        self._client: imaplib.IMAP4 | None = None
        self.uidvalidity = 0
        self._next = 0
        self._can: set[str] = set()

    @property
    def url(self) -> str:
        """The folder's address, without whoever reads it (RFC 5092)."""
        port = f":{self._conn.port}" if self._conn.port else ""
        return f"imap://{self._conn.host}{port}/{quote(self._folder)}"

    @property
    def identity(self) -> str:
        """Tells this folder of this account from every other, without naming the account."""
        named = "\n".join((self.url, self._conn.login or ""))
        return f"imap:{hashlib.sha256(named.encode()).hexdigest()[:16]}"

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the server; what it says to that does not matter any more."""
        client, self._client = self._client, None
        if client is not None:
            try:
                client.logout()
            except (imaplib.IMAP4.error, OSError):
                client.shutdown()

    def open(self, *, writable: bool = False) -> None:
        """Connect, log in and open the folder, trying again while time may cure it.

        :raises SourceRejected: Password, certificate or folder is wrong.
        :raises SourceUnavailable: No connection, or the server is not ready.
        """
        try:
            self._retried(lambda: self._open(writable=writable))
        except BaseException:
            self.close()
            raise

    def search(self, criteria: str) -> list[int]:
        """Numbers of the messages that meet an IMAP search, ascending.

        :param criteria: Search keys of RFC 9051, section 6.4.4, such as ``FROM "billing@example.com"``.
        :raises SourceRejected: The server does not understand the criteria.
        """
        charset = () if criteria.isascii() else ("CHARSET", "UTF-8")
        found: set[int] = set()
        for start in range(1, self._next, _WINDOW):
            within = f"UID {start}:{min(start + _WINDOW, self._next) - 1}"
            asked = f"{within} {criteria}".encode()
            for line in self._asked("search", "SEARCH", *charset, asked):
                found.update(map(int, line.split()))
        return sorted(found)

    def message(self, uid: int, limit_bytes: int | None) -> Iterator[bytes] | None:
        """A message in pieces; None where it is gone.

        :raises SourceRejected: It is larger than the limit; raised before its second piece is asked for.
        :raises SourceTruncated: It broke off, or was deleted while it was read.
        """
        size, piece = self._piece(uid, 0)
        if piece is None:
            return None
        if limit_bytes is not None and size > limit_bytes:
            raise SourceRejected(
                f"{self.of(uid)}: has {size} bytes, more than max_bytes={limit_bytes}; allow more, or "
                f"leave such messages out by the search key SMALLER {limit_bytes + 1}"
            )
        return self._pieces(uid, size, piece, limit_bytes)

    def of(self, uid: int) -> str:
        """The message's address (RFC 5092)."""
        return f"{self.url};UIDVALIDITY={self.uidvalidity}/;UID={uid}"

    def flag(self, uids: UidSet, flag: str) -> None:
        """Give messages a flag; those that are gone are left alone."""
        for line in uids.lines():
            self._asked("flag", "STORE", line, "+FLAGS.SILENT", f"({flag})")

    def move(self, uids: UidSet, folder: str) -> None:
        """Move messages to another folder.

        :raises SourceRejected: There is no such folder.
        """
        target = _quoted(folder)
        atomic = "MOVE" in self._can
        for line in uids.lines():
            self._asked(f"move to {folder!r}", "MOVE" if atomic else "COPY", line, target)
        if not atomic:
            self.delete(uids)

    def delete(self, uids: UidSet) -> None:
        """Remove messages, and none that others have marked."""
        self.flag(uids, r"\Deleted")
        if "UIDPLUS" not in self._can:
            log.warning("%s: marks messages as deleted only: the server lacks UIDPLUS", self.url)
            return
        for line in uids.lines():
            self._asked("delete", "EXPUNGE", line)

    def _open(self, *, writable: bool) -> None:
        self.close()
        with self._told("connecting"):
            self._client = _connected(self._conn, self._conn_id)
        self._log_in(self._client)
        with self._told("opening the folder"):
            # Of the server that let us in: before the login it may tell less.
            self._can = set(str(self._client.capability()[1]).upper().replace("'", " ").split())
            typ, data = self._client.select(_quoted(self._folder), readonly=not writable)
        if typ != "OK":
            raise self._refused(
                "opening the folder", data, "check folder= and the account's rights"
            )
        self.uidvalidity = self._number("UIDVALIDITY")
        self._next = self._number("UIDNEXT")

    def _log_in(self, client: imaplib.IMAP4) -> None:
        login, password = self._conn.login or "", self._conn.password or ""
        token = self._conn.extra_dejson.get("auth") == "xoauth2"
        try:
            if token:
                client.authenticate("XOAUTH2", _bearer(login, password))
            elif (login + password).isascii():
                client.login(login, password)
            else:  # LOGIN knows ASCII alone
                client.authenticate("PLAIN", lambda _: f"\0{login}\0{password}".encode())
        except imaplib.IMAP4.abort as err:
            raise SourceUnavailable(f"{self.url}: logging in broke off") from err
        except imaplib.IMAP4.error as err:
            what = "login, and the token that is its password," if token else "login and password"
            advice = f"check {what} of connection {self._conn_id!r}"
            # Not from err: a server may quote what it was told.
            raise self._refused("logging in", err.args, advice) from None
        except OSError as err:
            raise SourceUnavailable(
                f"{self.url}: logging in broke off ({type(err).__name__})"
            ) from err

    def _pieces(
        self, uid: int, size: int, piece: bytes | None, limit_bytes: int | None
    ) -> Iterator[bytes]:
        read = 0
        while piece:
            read += len(piece)
            if limit_bytes is not None and read > limit_bytes:
                raise SourceRejected(
                    f"{self.of(uid)}: goes past the {size} bytes that were announced, and past "
                    f"max_bytes={limit_bytes}; nothing of it was kept"
                )
            yield piece
            if read >= size and len(piece) < PIECE_BYTES:
                return
            piece = self._resumed(uid, read)
        if read < size:  # some servers announce what they do not deliver, Exchange before all
            log.warning("%s: has %d bytes, and %d were announced", self.of(uid), read, size)

    def _resumed(self, uid: int, read: int) -> bytes | None:
        """The next piece, over a new connection where this one broke."""
        before = self.uidvalidity
        try:
            _, piece = self._piece(uid, read)
        except SourceUnavailable as err:
            log.warning("%s; going on after %d bytes", err, read)
            metrics.emit(metrics.RETRIES, 1, self._entity)
            self.open()
            if self.uidvalidity != before:
                raise SourceTruncated(
                    f"{self.of(uid)}: the folder was made anew while it was read; nothing was kept"
                ) from err
            _, piece = self._piece(uid, read)
        if piece is None:
            raise SourceTruncated(
                f"{self.of(uid)}: was deleted after {read} bytes were read; nothing was kept"
            )
        return piece

    def _piece(self, uid: int, start: int) -> tuple[int, bytes | None]:
        # The size once: of a message that it has not counted yet, a server reads all to tell it.
        size_too = "" if start else "RFC822.SIZE "
        wanted = f"({size_too}BODY.PEEK[]<{start}.{PIECE_BYTES}>)"
        with self._told(f"reading message {uid}", SourceTruncated):
            typ, data = self._live.uid("FETCH", str(uid), wanted)
        if typ != "OK" and "EXPUNGEISSUED" not in str(data):
            raise self._refused(f"reading message {uid}", data, "check the account's rights")
        size, piece = 0, None
        for each in data:
            head = each[0] if isinstance(each, tuple) else each or b""
            if b"BODY[]" in head:
                piece = each[1] if isinstance(each, tuple) else b""
            if told := _SIZE.search(head):
                size = int(told[1])
        return size, piece

    def _asked(
        self, doing: str, command: str, *arguments: Any
    ) -> list[bytes]:  # Any: text or bytes
        with self._told(doing):
            typ, data = self._live.uid(command, *arguments)
        if typ != "OK":
            raise self._refused(
                doing, data, "check the search, the folder and the account's rights"
            )
        return [line for line in data if line]

    @property
    def _live(self) -> imaplib.IMAP4:
        if self._client is None:
            raise SourceUnavailable(f"{self.url}: is not connected")
        return self._client

    def _number(self, name: str) -> int:
        _, data = self._live.response(name)
        told = data[0] if data else None
        if told is None:
            raise SourceRejected(f"{self.url}: tells no {name}; a server must, by RFC 9051")
        return int(told)

    @contextmanager
    def _told(
        self, doing: str, broken: type[SourceUnavailable] = SourceUnavailable
    ) -> Iterator[None]:
        """Say what broke, where, and whether a retry can help; the server's own words stay out."""
        try:
            yield
        except ssl.SSLCertVerificationError as err:
            raise SourceRejected(
                f"{self.url}: its certificate is not trusted ({err.verify_message}); add its authority "
                "to the system's, or name the file in SSL_CERT_FILE"
            ) from None
        except (imaplib.IMAP4.abort, OSError) as err:
            raise broken(f"{self.url}: {doing} broke off ({type(err).__name__})") from err
        except imaplib.IMAP4.error as err:
            raise self._refused(doing, err.args, "check the search and the folder") from None

    def _refused(self, doing: str, data: object, advice: str) -> SourceRejected | SourceUnavailable:
        code = _CODE.search(str(data))
        said = f" [{code[1]}]" if code else ""
        if code and code[1] in _PASSING:
            return SourceUnavailable(f"{self.url}: refused {doing}{said}")
        return SourceRejected(f"{self.url}: refused {doing}{said}; {advice}")

    def _retried(self, act: Callable[[], None]) -> None:
        tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=_BACKOFF,
            retry=tenacity.retry_if_exception_type(SourceUnavailable),
            before_sleep=lambda _: metrics.emit(metrics.RETRIES, 1, self._entity),
            reraise=True,
        )(act)


def _bearer(login: str, token: str) -> Callable[[bytes], bytes]:
    """What XOAUTH2 answers: who comes with which token, and then nothing to why it was refused.

    Source: https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
    """
    answers = iter([f"user={login}\x01auth=Bearer {token}\x01\x01".encode()])
    return lambda _: next(answers, b"")


def _connected(conn: Connection, conn_id: str) -> imaplib.IMAP4:
    """As Airflow's ImapHook connects, by the same fields of the connection, and with a time limit."""
    extra = conn.extra_dejson
    if extra.get("auth") not in (None, "", "password", "xoauth2"):
        raise ConfigError(
            f"connection {conn_id!r}: auth is {extra['auth']!r}; right are: 'password', 'xoauth2'"
        )
    if not conn.host:
        raise ConfigError(f"connection {conn_id!r} has no host; write the mail server's name there")
    timeout_s = float(extra.get("timeout") or TIMEOUT_S)
    if not extra.get("use_ssl", True):
        return imaplib.IMAP4(conn.host, conn.port or 143, timeout=timeout_s)
    context = ssl.create_default_context()
    wanted = (
        extra.get("ssl_context")
        or conf.get("imap", "ssl_context", fallback=None)
        or conf.get("email", "ssl_context", fallback=None)
    )
    if wanted == "none":
        log.warning("connection %s: the server's certificate is not checked, as it asks", conn_id)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    elif wanted not in (None, "default"):
        raise ConfigError(
            f"connection {conn_id!r}: ssl_context is {wanted!r}; right are: 'default', 'none'"
        )
    return imaplib.IMAP4_SSL(conn.host, conn.port or 993, ssl_context=context, timeout=timeout_s)


def _quoted(folder: str) -> str:
    """A folder's name in a command: modified UTF-7, in quotes (RFC 3501, section 5.1.3)."""
    coded = "".join(
        "&-" if run == "&" else run if run.isascii() and run.isprintable() else _shifted(run)
        for run in re.findall(r"&|[^\x20-\x7e]+|[\x20-\x25\x27-\x7e]+", folder)
    )
    return '"' + coded.replace("\\", r"\\").replace('"', r"\"") + '"'


def _shifted(run: str) -> str:
    plain = base64.b64encode(run.encode("utf-16-be")).decode()
    return f"&{plain.rstrip('=').replace('/', ',')}-"
