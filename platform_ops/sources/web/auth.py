"""How a connection proves who asks: basic, bearer token, API key, OAuth2 client credentials.

Every secret is the connection's password; the extra says what it is for. A token that was granted lives
in the session that asked for it, and nowhere else.

Source: RFC 6750 (bearer tokens); RFC 6749, section 4.4 (client credentials).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, get_args
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests
from airflow.sdk.log import mask_secret
from requests.auth import AuthBase, HTTPBasicAuth

from platform_ops.errors import ConfigError, SourceRejected, SourceUnavailable
from platform_ops.redaction import keep_secret, safe_url
from platform_ops.sources.web import exchange
from platform_ops.sources.web.names import AUTH_FIELDS, Auth

if TYPE_CHECKING:
    from airflow.sdk import Connection

__all__ = ["ClientCredentials", "authenticator", "without_auth_fields"]

_EARLY_S: Final = 30.0
"""A token is replaced so long before it ends, so that none ends on its way."""
_TIMEOUT_S: Final = (10.0, 60.0)


def authenticator(connection: Connection, session: requests.Session) -> AuthBase | None:
    """What signs the requests of a connection; None where its extra names no kind, as HttpHook has it.

    :param session: The connection's, whose proxies and certificates hold for a token's endpoint too.
    :raises ConfigError: The extra names a kind that does not exist, or lacks what the kind needs.
    """
    extra = connection.extra_dejson
    kind, secret = extra.get("auth"), connection.password or ""
    if not kind:
        return None
    if kind not in get_args(Auth):
        raise ConfigError(
            f"connection {connection.conn_id!r}: auth={kind!r} does not exist; right are "
            f"{', '.join(get_args(Auth))}"
        )
    wanted = {"password": secret}
    if kind in ("basic", "oauth2"):
        wanted["login"] = connection.login or ""
    if kind == "oauth2":
        wanted["token_url"] = extra.get("token_url") or ""
    if missing := [name for name, value in wanted.items() if not value]:
        raise ConfigError(
            f"connection {connection.conn_id!r}: auth={kind!r} needs {' and '.join(missing)}; fill in the "
            "form, or the extra"
        )
    mask_secret(secret)
    match kind:
        case "bearer":
            return _Header("Authorization", f"Bearer {secret}")
        case "api_key":
            return _api_key(connection.conn_id, extra, secret)
        case "oauth2":
            return ClientCredentials(connection, session)
    return HTTPBasicAuth(wanted["login"], secret)


class ClientCredentials(AuthBase):
    """A token for the client itself, asked for when it is first needed, and again when it ends.

    It is put on a request at the moment of sending, so that a request can be prepared, and told from
    another, without asking anybody.

    :param connection: Its login is the client's id, its password the secret.
    :param session: As in :func:`authenticator`.
    """

    def __init__(self, connection: Connection, session: requests.Session) -> None:
        self._extra: Mapping[str, Any] = connection.extra_dejson  # Any: JSON values
        self._client = (connection.login or "", connection.password or "")
        self._session = session
        self._token: str | None = None
        self._ends_s = 0.0
        self._lock = threading.Lock()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Nothing yet; see :meth:`signed`."""
        return request

    def signed(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """A copy of the request with the token on it.

        :raises SourceRejected: The endpoint grants none.
        :raises SourceUnavailable: It may later.
        """
        with self._lock:
            if self._token is None or time.monotonic() >= self._ends_s:
                self._token, lives_s = self._granted()
                self._ends_s = time.monotonic() + lives_s - _EARLY_S
            token = self._token
        copy = request.copy()
        copy.headers["Authorization"] = f"Bearer {token}"
        return copy

    def forget(self, refused: requests.PreparedRequest) -> None:
        """Use the token of a refused request no more, unless another thread has replaced it."""
        with self._lock:
            if refused.headers.get("Authorization") == f"Bearer {self._token}":
                self._token = None

    def _granted(self) -> tuple[str, float]:
        """A token, and the seconds that it lives."""
        url = str(self._extra["token_url"])
        try:
            with self._door() as door:
                response = door.post(
                    url,
                    data=self._form(),
                    auth=None if self._in_body else HTTPBasicAuth(*self._client),
                    headers={"Accept": "application/json"},
                    timeout=_TIMEOUT_S,
                    allow_redirects=False,  # the secret goes to this address and to no other
                )
                return self._read(response)
        # Not from err: see ArchivingHttpHook.
        except (requests.ConnectionError, requests.Timeout) as err:
            raise SourceUnavailable(f"POST {safe_url(url)}: {exchange.cause(err)}") from None
        except (requests.RequestException, ValueError) as err:
            raise SourceRejected(
                f"POST {safe_url(url)}: {type(err).__name__}; check token_url in the connection's extra"
            ) from None

    def _read(self, response: requests.Response) -> tuple[str, float]:
        request, status = response.request, response.status_code
        if status in (400, 401, 403):
            raise SourceRejected(
                f"{exchange.name(request)}: HTTP {status}, no token; check the connection's client id, "
                "secret and scope"
            )
        exchange.check_status(response, request)
        exchange.check_followed(response, request)
        told = response.json()
        token = told.get("access_token") if isinstance(told, Mapping) else None
        if not isinstance(token, str) or not token:
            raise SourceRejected(f"{exchange.name(request)}: answered without an access_token")
        mask_secret(token)
        lives_s = told.get("expires_in")
        return token, float(lives_s) if isinstance(lives_s, (int, float)) else 3600.0

    def _form(self) -> dict[str, str]:
        named = {name: self._extra.get(name) for name in ("scope", "audience")}
        form = {name: str(value) for name, value in named.items() if value}
        form["grant_type"] = "client_credentials"
        if self._in_body:
            form |= {"client_id": self._client[0], "client_secret": self._client[1]}
        return form

    @property
    def _in_body(self) -> bool:
        return bool(self._extra.get("client_auth") == "body")

    def _door(self) -> requests.Session:
        """A session without the headers of the connection, which are not for this address."""
        door = requests.Session()
        door.verify, door.cert = self._session.verify, self._session.cert
        door.proxies, door.trust_env = self._session.proxies, self._session.trust_env
        return door


class _Header(AuthBase):
    def __init__(self, name: str, value: str) -> None:
        self._name, self._value = name, value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers[self._name] = self._value
        return request


class _Parameter(AuthBase):
    def __init__(self, name: str, value: str) -> None:
        self._name, self._value = name, value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        parts = urlsplit(str(request.url))
        asked = parse_qsl(parts.query, keep_blank_values=True)
        # A link to the next page may hold the key already.
        if all(name != self._name for name, _ in asked):
            added = urlencode({self._name: self._value})
            query = f"{parts.query}&{added}" if parts.query else added
            request.url = urlunsplit(parts._replace(query=query))
        return request


def _api_key(conn_id: str, extra: Mapping[str, Any], secret: str) -> AuthBase:  # Any: JSON values
    place = extra.get("api_key_in") or "header"
    if place not in ("header", "query"):
        raise ConfigError(
            f"connection {conn_id!r}: api_key_in={place!r} does not exist; right are header, query"
        )
    name = str(extra.get("api_key_name") or ("X-API-Key" if place == "header" else "api_key"))
    if place == "header":
        return _Header(name, secret)
    keep_secret(name)  # it stands in the URL, and a URL is written down
    return _Parameter(name, secret)


def without_auth_fields(session: requests.Session) -> None:
    """Take off the session what HttpHook took for headers: it sends every unknown field of the extra."""
    for name in AUTH_FIELDS:
        session.headers.pop(name, None)
