"""Entra's token endpoint, the endpoint of a managed identity, and blobs for whoever has their tokens.

The blobs are as few requests of the service as a commit of small bodies makes: the rest is tried
against Azurite, which takes keys and signatures.

Sources: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow and
https://learn.microsoft.com/azure/app-service/overview-managed-identity
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.fakes.issuer import Issuer
from tests.fakes.wire import Exchange, Wire, say, wire

__all__ = ["ACCOUNT", "AUDIENCE", "CLIENT", "TENANT", "Entra", "entra"]

AUDIENCE: Final = "api://AzureADTokenExchange"
ACCOUNT, TENANT, CLIENT = "lake", "tenant-1", "client-1"
_SCOPE: Final = "https://storage.azure.com/.default"
_FEDERATED: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_WRITTEN: Final = "Mon, 01 Jan 2024 00:00:00 GMT"


@dataclass
class Entra:
    """A running server of all three.

    :param managed: Whether an identity belongs to the machine or pod.
    :param lasts_s: How long the next token will be good for.
    """

    wire: Wire
    issuer: Issuer
    managed: bool = True
    lasts_s: float = 3600
    tokens: dict[str, float] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        return f"{self.wire.url}/{ACCOUNT}"

    def token(self) -> str:
        made = secrets.token_hex(20)
        self.tokens[made] = time.time() + self.lasts_s
        return made


@contextmanager
def entra(issuer: Issuer) -> Iterator[Entra]:
    """Serve on a free port of loopback until the block ends."""
    with wire() as running:
        server = Entra(running, issuer)

        def answer(exchange: Exchange) -> None:
            path = urlsplit(exchange.path).path
            if path == f"/{TENANT}/oauth2/v2.0/token":
                _exchange(server, exchange)
            elif path == "/msi/token":
                _managed(server, exchange)
            elif time.time() < server.tokens.get(_bearer(exchange), 0):
                _blob(server, exchange)
            else:
                body = b"<Error><Code>InvalidAuthenticationInfo</Code></Error>"
                say(body, 401)(exchange)

        running.on("*", answer)
        yield server


def _bearer(exchange: Exchange) -> str:
    return exchange.headers.get("Authorization", "").removeprefix("Bearer ")


def _exchange(server: Entra, exchange: Exchange) -> None:
    asked = {name: values[0] for name, values in parse_qs(exchange.request_.body.decode()).items()}
    right = {
        "client_id": CLIENT,
        "scope": _SCOPE,
        "grant_type": "client_credentials",
        "client_assertion_type": _FEDERATED,
    }
    fault = server.issuer.fault(asked.get("client_assertion", ""), AUDIENCE)
    if fault is not None or {name: asked.get(name) for name in right} != right:
        said = {"error": "invalid_client", "error_description": f"AADSTS700024: {fault}"}
        say(json.dumps(said).encode(), 401)(exchange)
        return
    told = {"access_token": server.token(), "expires_in": int(server.lasts_s)}
    say(json.dumps({**told, "token_type": "Bearer"}).encode())(exchange)


def _managed(server: Entra, exchange: Exchange) -> None:
    asked = parse_qs(urlsplit(exchange.path).query)
    right = asked.get("resource") == ["https://storage.azure.com"]
    if not server.managed or not right or exchange.headers.get("metadata") != "true":
        said = {"error": "invalid_request", "error_description": "Identity not found"}
        say(json.dumps(said).encode(), 400)(exchange)
        return
    ends = str(int(time.time() + server.lasts_s))
    told = {"access_token": server.token(), "expires_on": ends, "token_type": "Bearer"}
    say(json.dumps({**told, "expires_in": str(int(server.lasts_s))}).encode())(exchange)


def _blob(server: Entra, exchange: Exchange) -> None:
    asked = urlsplit(exchange.path)
    query, key = parse_qs(asked.query), unquote(asked.path)
    if query.get("comp") == ["list"]:
        say(_listing(server, key, query.get("prefix", [""])[0]).encode())(exchange)
    elif exchange.command == "PUT":
        if key in server.blobs and exchange.headers.get("If-None-Match") == "*":
            say(b"<Error><Code>BlobAlreadyExists</Code></Error>", 409)(exchange)
            return
        server.blobs[key] = exchange.request_.body
        say(b"", 201, {"ETag": '"1"', "Last-Modified": _WRITTEN})(exchange)
    elif key not in server.blobs:
        say(b"<Error><Code>BlobNotFound</Code></Error>", 404)(exchange)
    else:
        about = {"ETag": '"1"', "Last-Modified": _WRITTEN}
        say(server.blobs[key], 200, about)(exchange)


def _listing(server: Entra, container: str, prefix: str) -> str:
    first = f"{container.rstrip('/')}/{prefix}"
    found = "".join(
        f"<Blob><Name>{escape(key.removeprefix(container.rstrip('/') + '/'))}</Name><Properties>"
        f"<Last-Modified>{_WRITTEN}</Last-Modified><Etag>1</Etag>"
        f"<Content-Length>{len(body)}</Content-Length>"
        f"<Content-Type>text/plain</Content-Type></Properties></Blob>"
        for key, body in sorted(server.blobs.items())
        if key.startswith(first)
    )
    return f'<?xml version="1.0"?><EnumerationResults><Blobs>{found}</Blobs></EnumerationResults>'
