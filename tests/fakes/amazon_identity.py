"""A security token service that believes no token it has not checked, and S3 that checks its keys.

Sources: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tests.fakes.issuer import Issuer
from tests.fakes.s3 import Wsgi
from tests.fakes.wire import Exchange, Wire, say, wire

__all__ = ["AUDIENCE", "ROLE", "Keys", "strict_sts"]

AUDIENCE: Final = "sts.amazonaws.com"
ROLE: Final = "arn:aws:iam::123456789012:role/archive-writer"
_FAULTS: Final = {"ExpiredSignatureError": "ExpiredTokenException"}
_SIGNED: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>\w+)/(?P<scope>\S+), ?"
    r"SignedHeaders=(?P<headers>\S+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class Temporary:
    """A key that ends."""

    secret: str
    session_token: str
    ends_at: float


@dataclass
class Keys:
    """The keys that were given out, by id, and what was refused, by the name of the error.

    :param lasts_s: How long the next one will be good for.
    """

    lasts_s: float = 3600
    given: dict[str, Temporary] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def new(self) -> tuple[str, Temporary]:
        made = Temporary(secrets.token_hex(20), secrets.token_hex(20), time.time() + self.lasts_s)
        key_id = f"ASIA{secrets.token_hex(8).upper()}"
        self.given[key_id] = made
        return key_id, made

    def guard(self, app: Wsgi) -> Wsgi:
        """S3 that lets only those in whose request is signed by such a key."""

        def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            fault = self._fault(environ)
            if fault is None:
                return app(environ, start_response)
            self.refused.append(fault)
            body = f"<Error><Code>{fault}</Code></Error>".encode()
            headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
            status = "400 Bad Request" if fault.endswith("Token") else "403 Forbidden"
            start_response(status, headers)
            return [body]

        return guarded

    def _fault(self, environ: dict[str, Any]) -> str | None:  # Any: WSGI's environment
        hit = _SIGNED.fullmatch(environ.get("HTTP_AUTHORIZATION", ""))
        if hit is None:
            return "AccessDenied"
        key = self.given.get(hit["id"])
        if key is None:
            return "InvalidAccessKeyId"
        if environ.get("HTTP_X_AMZ_SECURITY_TOKEN") != key.session_token:
            return "InvalidToken"
        if time.time() >= key.ends_at:
            return "ExpiredToken"
        right = _signature(environ, key.secret, hit["scope"], hit["headers"].split(";"))
        return None if hmac.compare_digest(right, hit["signature"]) else "SignatureDoesNotMatch"


def _signature(
    environ: dict[str, Any], secret: str, scope: str, names: list[str]
) -> str:  # Any: WSGI's environment
    asked = urlsplit(environ["RAW_URI"])
    values = {name: _header(environ, name) for name in names}
    request = [
        environ["REQUEST_METHOD"],
        asked.path,
        "&".join(
            sorted(each if "=" in each else f"{each}=" for each in asked.query.split("&") if each)
        ),
        *(f"{name}:{values[name].strip()}" for name in names),
        "",
        ";".join(names),
        environ["HTTP_X_AMZ_CONTENT_SHA256"],
    ]
    digest = hashlib.sha256("\n".join(request).encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{environ['HTTP_X_AMZ_DATE']}\n{scope}\n{digest}"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _header(environ: dict[str, Any], name: str) -> str:  # Any: WSGI's environment
    plain = name.upper().replace("-", "_")
    found = environ.get(f"HTTP_{plain}") or environ.get(plain) or ""
    return str(found)


@contextmanager
def strict_sts(issuer: Issuer, keys: Keys, certificate: tuple[Path, Path]) -> Iterator[Wire]:
    """Serve over TLS, as the real one does, until the block ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def answer(exchange: Exchange) -> None:
        asked = {
            name: values[0]
            for text in (urlsplit(exchange.path).query, exchange.request_.body.decode())
            for name, values in parse_qs(text).items()
        }
        fault = _refusal(issuer, asked)
        if fault is not None:
            status, code = fault
            body = f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"
            say(body.encode(), status)(exchange)
            return
        key_id, made = keys.new()
        ends = datetime.fromtimestamp(made.ends_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = (
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
            f"<AccessKeyId>{key_id}</AccessKeyId><SecretAccessKey>{made.secret}</SecretAccessKey>"
            f"<SessionToken>{made.session_token}</SessionToken><Expiration>{ends}</Expiration>"
            "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        )
        say(body.encode())(exchange)

    with wire(tls=context) as running:
        running.on("*", answer)
        yield running


def _refusal(issuer: Issuer, asked: dict[str, str]) -> tuple[int, str] | None:
    """Status and code, as the service documents them."""
    if asked.get("Action") != "AssumeRoleWithWebIdentity":
        return 400, "InvalidAction"
    fault = issuer.fault(asked.get("WebIdentityToken", ""), AUDIENCE)
    if fault is not None and fault != "InvalidSubjectError":
        return 400, _FAULTS.get(fault, "InvalidIdentityToken")
    if fault is not None or asked.get("RoleArn") != ROLE:
        return 403, "AccessDenied"
    return None
