"""Who asks: every kind of authentication, its secret in nothing that is written down."""

from __future__ import annotations

import base64
import datetime as dt
import json
import ssl
import threading
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from platform_ops import archive
from platform_ops.errors import ConfigError, SourceRejected
from platform_ops.sources.http import Limits, LinkHeader, Offset
from platform_ops.sources.web.hook import ArchivingHttpHook
from platform_ops.testing.runner import run_task
from tests.fakes.wire import Exchange, Wire, redirect, say, wire
from tests.sources.outcomes import ENTITY, Fetch, body_of, rejected, unavailable

# Of Airflow's own HttpOperator, which imports a name by its former place.
pytestmark = pytest.mark.filterwarnings("ignore:The `airflow.utils:FutureWarning")

SECRET = "hunter2-of-the-client"
REPLAY = {"platform_ops": {"replay": True}}


@pytest.fixture
def issuer() -> Iterator[Wire]:
    """Grants tokens, numbered, each for an hour."""
    with wire() as server:
        granted = [0]

        def grant(exchange: Exchange) -> None:
            granted[0] += 1
            told = {"access_token": f"hunter-token-{granted[0]}", "expires_in": 3600}
            say(json.dumps(told).encode())(exchange)

        server.on("/token", grant)
        yield server


@pytest.fixture
def by_oauth2(server: Wire, issuer: Wire, monkeypatch: pytest.MonkeyPatch, fetch: Fetch) -> Fetch:
    """The operator, over a connection with client credentials."""
    connect(server, issuer, monkeypatch)
    return fetch


def connect(server: Wire, issuer: Wire, monkeypatch: pytest.MonkeyPatch, **extra: Any) -> None:
    given = {"auth": "oauth2", "token_url": f"{issuer.url}/token", **extra}
    server.connect(monkeypatch, login="the-client", password=SECRET, **given)


def only(*tokens: str) -> Any:
    """The answer to those who bring one of these tokens."""

    def reply(exchange: Exchange) -> None:
        came = exchange.request_.headers.get("authorization", "").removeprefix("Bearer ")
        (say(b"sunny") if came in tokens else say(b"", 401))(exchange)

    return reply


def unwritten(tmp_path: Path) -> bool:
    """Whether no file of the archive holds a secret."""
    files = [path for path in (tmp_path / "archive").rglob("*") if path.is_file()]
    assert files
    return not any(b"hunter" in path.read_bytes() for path in files)


# --- Bearer and API key ---------------------------------------------------------------------------


def test_a_bearer_token_is_the_connections_password(
    server: Wire, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.connect(monkeypatch, login=None, password=SECRET, auth="bearer")
    server.on("/f", only(SECRET))
    assert body_of(fetch()) == b"sunny"
    assert "auth" not in server.requests[0].headers
    assert unwritten(tmp_path)


@pytest.mark.parametrize(
    ("extra", "name"), [({}, "x-api-key"), ({"api_key_name": "X-Subscription"}, "x-subscription")]
)
def test_an_api_key_goes_into_a_header(
    server: Wire,
    fetch: Fetch,
    monkeypatch: pytest.MonkeyPatch,
    extra: dict[str, str],
    name: str,
) -> None:
    server.connect(monkeypatch, login=None, password=SECRET, auth="api_key", **extra)
    server.on("/f", say(b"sunny"))
    assert body_of(fetch()) == b"sunny"
    assert server.requests[0].headers[name] == SECRET
    assert "api_key_name" not in server.requests[0].headers


@pytest.mark.parametrize("name", ["api_key", "whom"])
def test_an_api_key_in_the_url_is_written_down_nowhere(
    server: Wire,
    fetch: Fetch,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
) -> None:
    extra = {"auth": "api_key", "api_key_in": "query", "api_key_name": name}
    server.connect(monkeypatch, login=None, password=SECRET, **extra)
    # The source repeats the key in its link, as some do.
    link = {"Link": f'</f?{name}={SECRET}&page=2>; rel="next"'}
    server.on(f"/f?{name}={SECRET}", say(b"1", headers=link))
    server.on(f"/f?{name}={SECRET}&page=2", say(b"2"))
    ran = fetch(pagination=LinkHeader())
    assert body_of(ran) == b"12"
    urls = [payload.origin.url for payload in archive.manifest(ran.xcom).payloads]
    assert urls == [f"{server.url}/f?{name}=REDACTED", f"{server.url}/f?{name}=REDACTED&page=2"]
    assert unwritten(tmp_path)


def test_a_wrong_key_fails_at_once_without_its_value(
    server: Wire, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.connect(monkeypatch, login=None, password=SECRET, auth="bearer")
    server.on("/f", only("another"))
    assert rejected(fetch()).endswith("check the connection's login, password or token")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("extra", "fault"),
    [
        (
            {"auth": "kerberos"},
            "auth='kerberos' does not exist; right are basic, bearer, api_key, oauth2",
        ),
        ({"auth": "oauth2"}, "auth='oauth2' needs token_url"),
        ({"auth": "api_key", "api_key_in": "body"}, "api_key_in='body' does not exist"),
    ],
)
def test_a_connection_that_makes_no_sense_says_so(
    server: Wire,
    fetch: Fetch,
    monkeypatch: pytest.MonkeyPatch,
    extra: dict[str, str],
    fault: str,
) -> None:
    server.connect(monkeypatch, password=SECRET, **extra)
    assert fault in rejected(fetch(), ConfigError)  # type: ignore[arg-type]  # an error, if of no source
    assert server.requests == []


# --- OAuth2 client credentials --------------------------------------------------------------------


def test_one_token_serves_all_pages(
    server: Wire, issuer: Wire, by_oauth2: Fetch, tmp_path: Path
) -> None:
    server.on("/f", say(b"1", headers={"Link": '</g>; rel="next"'}))
    server.on("/g", say(b"2"))
    assert body_of(by_oauth2(pagination=LinkHeader())) == b"12"
    (asked,) = issuer.requests
    assert parse_qs(asked.body.decode()) == {"grant_type": ["client_credentials"]}
    basic = base64.b64encode(f"the-client:{SECRET}".encode()).decode()
    assert asked.headers["authorization"] == f"Basic {basic}"
    came = {request.headers["authorization"] for request in server.requests}
    assert came == {"Bearer hunter-token-1"}
    assert not {"token_url", "scope", "auth"} & set(server.requests[0].headers)
    assert unwritten(tmp_path)


def test_a_token_is_in_no_log(
    server: Wire,
    by_oauth2: Fetch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.on("/f", say(b"sunny"))
    assert body_of(by_oauth2()) == b"sunny"
    assert "hunter" not in "".join(capfd.readouterr()) + caplog.text


def test_scope_audience_and_a_client_in_the_body(
    server: Wire, issuer: Wire, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(server, issuer, monkeypatch, scope="a b", audience="api", client_auth="body")
    server.on("/f", say(b"sunny"))
    assert body_of(fetch()) == b"sunny"
    (asked,) = issuer.requests
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["a b"],
        "audience": ["api"],
        "client_id": ["the-client"],
        "client_secret": [SECRET],
    }
    assert "authorization" not in asked.headers


def test_a_token_that_is_refused_is_replaced_once(
    server: Wire, issuer: Wire, by_oauth2: Fetch
) -> None:
    server.on("/f", only("hunter-token-2"))
    assert body_of(by_oauth2()) == b"sunny"
    assert len(issuer.requests) == 2
    server.on("/f", only("none"))
    ran = by_oauth2({"run_id": "r"})
    assert ran.state == "failed"
    assert len(issuer.requests) == 4


def test_a_token_that_ends_is_replaced_before(server: Wire, issuer: Wire, by_oauth2: Fetch) -> None:
    issuer.on("/token", say(b'{"access_token": "hunter-short", "expires_in": 30}'))
    server.on("/f", say(b"1", headers={"Link": '</g>; rel="next"'}))
    server.on("/g", say(b"2"))
    assert body_of(by_oauth2(pagination=LinkHeader())) == b"12"
    assert len(issuer.requests) == 2


def test_many_requests_at_once_share_a_new_token(
    server: Wire, issuer: Wire, by_oauth2: Fetch
) -> None:
    barrier, refused = threading.Barrier(3), threading.Event()

    def reply(exchange: Exchange) -> None:
        first = exchange.request_.headers["authorization"].endswith("-1")
        if "offset=0" in exchange.path:
            say(b'{"meta": {"total": 4}}')(exchange)
        elif first and not refused.is_set():
            barrier.wait(timeout=10)
            say(b"", 401)(exchange)
        else:
            say(b"{}")(exchange)

    server.on("*", reply)
    ran = by_oauth2(pagination=Offset(size=1, total="meta.total"), limits=Limits(concurrency=3))
    assert ran.state == "success", ran.error
    assert len(issuer.requests) == 2


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (
            401,
            b'{"error": "invalid_client"}',
            "HTTP 401, no token; check the connection's client id",
        ),
        (400, b"", "HTTP 400, no token"),
        (404, b"", "HTTP 404"),
        (200, b"<html>hunter3</html>", "JSONDecodeError; check token_url"),
        (200, b"{}", "answered without an access_token"),
    ],
)
def test_no_token_no_request(
    server: Wire, issuer: Wire, by_oauth2: Fetch, status: int, body: bytes, fault: str
) -> None:
    issuer.on("/token", say(body, status))
    message = rejected(by_oauth2())
    assert f"POST {issuer.url}/token: " in message
    assert fault in message
    assert server.requests == []


def test_an_issuer_that_is_down_may_be_up_later(
    server: Wire, issuer: Wire, by_oauth2: Fetch
) -> None:
    issuer.on("/token", say(b"", 503))
    assert f"POST {issuer.url}/token: HTTP 503" in unavailable(by_oauth2(attempts=1))
    issuer.close()
    assert "/token: ConnectionRefusedError" in unavailable(by_oauth2(attempts=1))


def test_the_clients_secret_follows_no_redirect(
    server: Wire, issuer: Wire, by_oauth2: Fetch
) -> None:
    issuer.on("/token", redirect(f"{server.url}/steal", 307))
    assert "which was not followed" in rejected(by_oauth2())
    assert server.requests == []


def test_a_replay_asks_neither_source_nor_issuer(
    server: Wire, issuer: Wire, by_oauth2: Fetch
) -> None:
    server.on("/f", say(b"sunny"))
    assert body_of(by_oauth2()) == b"sunny"
    again = by_oauth2({"run_id": "r", "conf": REPLAY})
    assert body_of(again) == b"sunny"
    assert (len(server.requests), len(issuer.requests)) == (1, 1)


def test_the_stock_operator_signs_by_the_same_connection(
    server: Wire, issuer: Wire, by_oauth2: Fetch
) -> None:
    server.on("/f", only("hunter-token-1"))
    with DAG("weather"):
        stock = HttpOperator(task_id="stock", http_conn_id="source", endpoint="/f", method="GET")
    assert run_task(stock, at="2024-03-05").xcom == "sunny"


def test_a_hook_outside_of_a_task_signs_too(server: Wire, issuer: Wire, by_oauth2: Fetch) -> None:
    server.on("/f", only("hunter-token-1"))
    assert ArchivingHttpHook("GET", "source").run("/f").content == b"sunny"


# --- TLS ------------------------------------------------------------------------------------------


def certificate(folder: Path, *, host: str = "127.0.0.1", days: int = 1) -> Path:
    """A certificate that nobody has signed, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "source")])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=2))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{host}-{days}.pem"
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, *plain)
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.mark.parametrize(
    ("made", "trusted", "fault"),
    [
        ({}, False, "its certificate is not trusted (self-signed certificate)"),
        ({"days": -1}, True, "its certificate is not trusted (certificate has expired)"),
        ({"host": "127.0.0.9"}, True, "its certificate is not trusted (IP address mismatch"),
        ({}, True, ""),
    ],
    ids=["unknown authority", "expired", "another host", "right"],
)
def test_a_certificate_that_does_not_prove_the_host_is_refused(
    fetch: Fetch,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    made: dict[str, Any],
    trusted: bool,
    fault: str,
) -> None:
    pem = certificate(tmp_path, **made)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with wire(tls=context) as server:
        server.connect(monkeypatch, password=SECRET, **({"verify": str(pem)} if trusted else {}))
        server.on("/f", say(b"sunny"))
        ran = fetch()
        if not fault:
            assert body_of(ran) == b"sunny"
            return
        assert fault in rejected(ran, SourceRejected)
        assert "or name the right authority as verify in the connection's extra" in str(ran.error)
        assert server.requests == []
        assert list(archive.find(ENTITY)) == []
