"""A mail server that keeps what it gets: with TLS, with sign-in, and with refusals on request."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

__all__ = ["MailServer", "mail_server"]


@dataclass
class MailServer:
    """What it was sent.

    :param raw: The bytes of each mail, with those it is for.
    :param refuse: What it answers to a mail, instead of taking it.
    """

    port: int = 0
    raw: list[tuple[bytes, tuple[str, ...]]] = field(default_factory=list)
    refuse: str = ""
    password: str | None = None

    def letters(self) -> list[EmailMessage]:
        """Each mail, parsed."""
        return [message_from_bytes(each, policy=SMTP) for each, _ in self.raw]

    def connect(
        self,
        monkeypatch: pytest.MonkeyPatch,
        conn_id: str = "smtp_default",
        *,
        password: str | None = None,
        tls: bool = False,
        **extra: Any,  # Any: JSON values
    ) -> None:
        """Make it known as a connection."""
        plain = {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": self.port,
            "login": "airflow" if password else None,
            "password": password,
            "extra": {
                "from_email": "airflow@example.com",
                "disable_ssl": not tls,
                "disable_tls": True,
                **extra,
            },
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(plain))

    async def handle_DATA(  # noqa: N802  # the name that aiosmtpd calls
        self,
        server: Any,  # noqa: ARG002  # as aiosmtpd calls it; Any: its own
        session: Any,  # Any: as above
        envelope: Envelope,
    ) -> str:
        if self.password and not session.authenticated:
            return "530 authentication required"
        if self.refuse:
            return self.refuse
        content = envelope.original_content or b""
        self.raw.append((content, tuple(envelope.rcpt_tos)))
        return "250 OK"


class _Controller(Controller):
    def _trigger_server(self) -> None:
        """Learn the port that the system chose, before the controller looks whether it answers."""
        listening = cast(Any, self.server)  # Any: asyncio's server
        self.port = listening.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd's is untyped


@contextmanager
def mail_server(
    tls: ssl.SSLContext | None = None, password: str | None = None
) -> Iterator[MailServer]:
    """One on loopback, until the block ends.

    :param tls: With which it speaks TLS from the first byte.
    :param password: Of the one user, without whom nobody may send.
    """
    server = MailServer(password=password)

    def sign_in(*args: Any) -> AuthResult:  # Any: aiosmtpd's own
        told = args[-1]
        good = (
            isinstance(told, LoginPassword)
            and told.login == b"airflow"
            and told.password == (password or "").encode()
        )
        return AuthResult(success=good)

    controller = _Controller(
        server,
        hostname="127.0.0.1",
        port=0,
        ssl_context=tls,
        authenticator=sign_in if password else None,
        auth_require_tls=False,
    )
    controller.start()
    try:
        server.port = controller.port
        yield server
    finally:
        controller.stop()
