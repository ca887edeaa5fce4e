"""Mail: two messages, one of them with attachments, for whoever knows the password."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from platform_ops.sources.mail import ArchivingImapOperator
from tests import servers
from tests.contract.case import SECRETS, Case, HookCase
from tests.fakes.imap import Folder, PostOffice, Streamed, post_office

PLAIN = b"Subject: Weather\r\n\r\nSunny.\r\n"
ATTACHED = (b"%PDF-1.7 sun", b"high,low\r\n31,17\r\n")
WITH_ATTACHMENTS = (
    b'Subject: Observations\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nSee below.\r\n"
    b"--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
    b'Content-Disposition: attachment; filename="../con.pdf"\r\n\r\nJVBERi0xLjcgc3Vu\r\n'
    b'--b\r\nContent-Type: text/csv; name="high.csv"\r\n\r\nhigh,low\r\n31,17\r\n\r\n--b--\r\n'
)
BODIES = (PLAIN, WITH_ATTACHMENTS, *ATTACHED)


class FakeSource:
    """The fake, whose messages are made while they are sent."""

    def __init__(self, office: PostOffice) -> None:
        self._office = office

    def asked(self) -> int:
        return len(self._office.asked)

    def stream(self, pieces: Callable[[], Iterable[bytes]], size_bytes: int) -> None:
        folder = self._office.folders["INBOX"] = Folder()
        folder.add(Streamed(pieces, size_bytes))

    def stop(self) -> None:
        self._office.close()


@dataclass
class MailCase:
    """Every message of the inbox."""

    name: str = "mail"
    servers: tuple[str, ...] = ("fake",)  # no real one; beside the real one all the same, for time
    streams: bool = True
    operator: type[BaseOperator] = ArchivingImapOperator
    expected: bytes = b"".join(BODIES)
    payload_count: int = len(BODIES)

    def readable(self, archived: bytes) -> bytes:
        return archived

    @contextmanager
    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:  # Any: a Source
        with post_office(password=SECRETS["password"]) as office:
            office.connect(monkeypatch)
            for message in (PLAIN, WITH_ATTACHMENTS):
                office.deliver(message)
            for arguments, body in self.mapped:
                office.deliver(body, arguments["folder"])
            yield FakeSource(office)

    @property
    def arguments(self) -> dict[str, Any]:  # Any: the operator's own
        return {"imap_conn_id": "source", "attempts": 1}

    @property
    def mapped(self) -> list[tuple[dict[str, Any], bytes]]:  # Any: the operator's own
        return [
            ({"folder": name}, f"Subject: {name}\r\n\r\n".encode()) for name in ("Sent", "Spam")
        ]


class DovecotSource:
    """A real server, which many tests share: each has an account of its own."""

    def __init__(self, login: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._dovecot, self._login = servers.running("dovecot"), login
        self._monkeypatch = monkeypatch
        self.connect(self._dovecot.port)

    def connect(self, port: int, **given: Any) -> None:  # Any: fields of a connection
        plain = {
            "conn_type": "imap",
            "host": "localhost",
            "port": port,
            "login": self._login,
            "password": self._dovecot.password,
            **given,
        }
        self._monkeypatch.setenv("AIRFLOW_CONN_SOURCE", json.dumps(plain))
        self._monkeypatch.setenv("SSL_CERT_FILE", str(self._dovecot.authority))

    def deliver(self, message: bytes, folder: str = "INBOX") -> None:
        self._dovecot.deliver(self._login, message, folder)

    def asked(self) -> int:
        return int(self._dovecot.logins())

    def stream(self, *_: object) -> None:
        raise AssertionError("a real mail server has a message whole, or not at all")

    def stop(self) -> None:
        self.connect(1)


@dataclass
class DovecotCase(MailCase):
    """The same, of a real server over TLS."""

    name: str = "dovecot"
    servers: tuple[str, ...] = ("dovecot",)
    streams: bool = False

    @contextmanager
    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:  # Any: a Source
        source = DovecotSource(servers.running("dovecot").account(), monkeypatch)
        for message in (PLAIN, WITH_ATTACHMENTS):
            source.deliver(message)
        for arguments, body in self.mapped:
            source.deliver(body, arguments["folder"])
        yield source


CASES: tuple[Case, ...] = (MailCase(), DovecotCase())
HOOK_CASES: tuple[HookCase, ...] = ()
