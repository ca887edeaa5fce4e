"""Dovecot, with mailboxes of its own and a certificate that no other system trusts."""

from __future__ import annotations

import base64
import grp
import hmac
import imaplib
import json
import os
import pwd
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.servers.certificate import self_signed
from tests.servers.program import free_port, home, listens, program

__all__ = ["Dovecot", "started"]

PASSWORD = "hunter2-password"

CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = /dev/stderr
protocols = imap
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
ssl = required
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = yes
auth_failure_delay = 0
auth_mechanisms = plain xoauth2
mail_max_userip_connections = 100
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {oauth2}
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
"""

OAUTH2 = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={keys}/
username_attribute = sub
"""
"""Tokens are JWTs, which the server checks by a key of its own instead of asking whoever gave them."""


@dataclass(frozen=True)
class Dovecot:
    """A running server; every login has a mailbox, and one password opens all.

    :param authority: Certificate that a client has to trust.
    """

    port: int
    password: str
    authority: Path
    folder: Path
    secret: bytes
    _accounts: Iterator[int] = field(default_factory=lambda: count(1))

    def account(self) -> str:
        """A login that nobody has used."""
        return f"user{next(self._accounts)}"

    def token(self, login: str, expires: int = 1 << 32) -> str:
        """An OAuth2 access token that lets a login in until it expires."""
        head = _base64url(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
        told = _base64url(json.dumps({"sub": login, "exp": expires}).encode())
        proof = hmac.digest(self.secret, f"{head}.{told}".encode(), "sha256")
        return f"{head}.{told}.{_base64url(proof)}"

    def logins(self) -> int:
        """How often somebody was let in."""
        return (self.folder / "log").read_text("utf-8", "replace").count("imap-login: Login:")

    @contextmanager
    def client(self, login: str) -> Iterator[imaplib.IMAP4_SSL]:
        """Another program at the same mailbox."""
        trusted = ssl.create_default_context(cafile=str(self.authority))
        client = imaplib.IMAP4_SSL("localhost", self.port, ssl_context=trusted, timeout=30)
        client.login(login, self.password)
        try:
            yield client
        finally:
            client.logout()

    def deliver(self, login: str, message: bytes, folder: str = "INBOX") -> None:
        """Put a message into a folder, which is made where it is not there."""
        with self.client(login) as client:
            if folder != "INBOX":
                client.create(folder)
            typ, said = client.append(folder, "", "", message)
            assert typ == "OK", said

    def deliver_large(self, login: str, pieces: Iterable[bytes]) -> None:
        """Put a message of any size into the inbox, piece by piece, past the server."""
        with self.client(login) as client:
            client.select("INBOX")  # which makes it
        inbox = self.folder / "mail" / login
        path = inbox / "tmp" / f"{next(self._accounts)}.large.host"
        with path.open("wb") as file:
            file.writelines(pieces)
        owner = inbox.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
        path.rename(inbox / "new" / path.name)


@contextmanager
def started() -> Iterator[Dovecot]:
    """Run it until the block ends."""
    server = program("DOVECOT", "dovecot", "dovecot-imapd")
    with home() as place:
        uid = place.identity.get("user", os.geteuid())
        certificate, key = self_signed(place.folder)
        port = free_port()
        user = pwd.getpwuid(uid)
        secret = os.urandom(32)
        oauth2 = place.folder / "oauth2.conf"
        oauth2.write_text(OAUTH2.format(keys=place.folder / "keys"), "utf-8")
        keys = place.folder / "keys" / "default" / "HS256"
        keys.mkdir(parents=True)
        (keys / "default").write_bytes(base64.b64encode(secret))
        text = CONFIGURATION.format(
            oauth2=oauth2,
            folder=place.folder,
            user=user.pw_name,
            group=grp.getgrgid(user.pw_gid).gr_name,
            certificate=certificate,
            key=key,
            password=PASSWORD,
            port=port,
        )
        configuration = place.folder / "dovecot.conf"
        configuration.write_text(text, "utf-8")
        with place.started([server, "-F", "-c", configuration], lambda: listens(port)):
            yield Dovecot(port, PASSWORD, certificate, place.folder, secret)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
