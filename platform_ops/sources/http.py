"""HTTP APIs. Vendor page: https://www.rfc-editor.org/rfc/rfc9110 (HTTP Semantics).

One client for both ways in: the session that Airflow's own ``HttpHook`` builds, so that every setting
of an HTTP connection holds here too (ADR 0005).
"""

from __future__ import annotations

import hashlib
import io
import json
import mimetypes
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urljoin, urlsplit

import requests
import tenacity
import urllib3
from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk import get_current_context

from platform_ops import archive, metrics
from platform_ops.entity import Entity, Origin, Part
from platform_ops.errors import SourceRejected, SourceTruncated, SourceUnavailable
from platform_ops.ingest import ArchivingOperator, Capture, archive_session, connection, slot_of
from platform_ops.redaction import safe_headers, safe_url

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

__all__ = [
    "ArchivingHttpHook",
    "ArchivingHttpOperator",
    "JsonLink",
    "LinkHeader",
    "Page",
    "Pagination",
]

CHUNK_BYTES: Final = 1 << 20
PAGE_LIMIT_BYTES: Final = 64 << 20
"""Largest page that a pagination may look into; larger bodies belong in one response."""
TIMEOUT_S: Final = (10.0, 60.0)
"""Seconds to connect, and to wait for the next byte, where the connection's extra sets none."""

_PASSING_STATUS: Final = {408, 425, 429}
_FOLLOW_HEADERS: Final = {"accept", "accept-encoding", "user-agent", "range", "if-range"}
_SUFFIXES: Final = {"application/x-ndjson": ".jsonl", "application/jsonl": ".jsonl", "text/xml": ".xml"}


@dataclass(frozen=True, slots=True)
class Page:
    """One page, as a pagination sees it.

    :param url: Where it came from, after redirects.
    :param headers: The answer's headers.
    :param body: The bytes as they came.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes


class Pagination(Protocol):
    """How to get from one page to the next."""

    def next_url(self, page: Page) -> str | None:
        """URL of the next page, absolute or relative to this one; None after the last."""


@dataclass(frozen=True, slots=True)
class LinkHeader:
    """The next page stands in the header ``Link: <…>; rel="next"``.

    Source: RFC 8288.
    """

    def next_url(self, page: Page) -> str | None:
        """The target of the ``next`` relation."""
        links = requests.utils.parse_header_links(page.headers.get("link", ""))
        return next((link["url"] for link in links if "next" in link.get("rel", "").split()), None)


@dataclass(frozen=True, slots=True)
class JsonLink:
    """The next page stands in the JSON body.

    :param path: Keys down to it, joined by dots, such as ``paging.next``; absent or null ends.
    """

    path: str

    def next_url(self, page: Page) -> str | None:
        """The value at the path.

        :raises SourceRejected: The page is not JSON.
        """
        try:
            value: object = json.loads(page.body)
        except ValueError as err:
            raise SourceRejected(f"{safe_url(page.url)}: not JSON, so {self.path!r} leads nowhere") from err
        for key in self.path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        return None if value in (None, "") else str(value)


class ArchivingHttpHook(HttpHook):
    """Airflow's ``HttpHook``, under a connection type of its own: what it fetches is archived.

    A stock ``HttpOperator`` whose connection has the type ``archiving_http`` archives with no change
    to the DAG: each call is one commit, and the references are in the XCom key ``archive``. The entity
    is the connection extra ``entity``, else ``{conn_id}.{task_id}``. Credentials never follow a
    redirect to another origin.

    :param method: The HTTP method.
    :param http_conn_id: Connection with host, credentials, and in its extra the entity and default
        headers.
    """

    conn_name_attr = "http_conn_id"
    default_conn_name = "archiving_http_default"
    conn_type = "archiving_http"
    hook_name = "Archiving HTTP"

    def __init__(
        self,
        method: str = "GET",
        http_conn_id: str = default_conn_name,
        **kwargs: Any,  # Any: HttpHook's own arguments
    ) -> None:
        super().__init__(method=method, http_conn_id=http_conn_id, **kwargs)

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """The connection, with an error that says how to make it where it does not exist."""
        return connection(conn_id)

    def get_conn(
        self,
        headers: dict[Any, Any] | None = None,  # Any: as in HttpHook
        extra_options: dict[str, Any] | None = None,  # Any: as in HttpHook
    ) -> requests.Session:
        """A session with the connection's credentials, which it keeps to their own origin."""
        session = super().get_conn(headers, extra_options)
        # HttpHook sends every unknown field of the extra as a header; this one is ours.
        session.headers.pop("entity", None)
        session.rebuild_auth = _keep_credentials  # type: ignore[method-assign]  # the session is made inside HttpHook
        return session

    def send(self, session: requests.Session, request: requests.PreparedRequest) -> requests.Response:
        """Send, follow redirects, and return before the body is read.

        :raises SourceRejected: 4xx, or a redirect that leads nowhere or must not be followed.
        :raises SourceUnavailable: 5xx, 408, 425, 429, a timeout, or no connection.
        """
        response = self._answer(session, request, self.merged_extra)
        _check_status(response, request)
        return response

    def run_and_check(
        self,
        session: requests.Session,
        prepped_request: requests.PreparedRequest,
        extra_options: dict[Any, Any],  # Any: as in HttpHook
    ) -> requests.Response:
        """Send one request of a stock operator, and archive its answer as one commit.

        Outside of a task nothing is archived, since there is no slot.
        """
        check = extra_options.get("check_response", True)

        def ask() -> requests.Response:
            response = self._answer(session, prepped_request, extra_options)
            if check:
                _check_status(response, prepped_request)
            return response

        try:
            context = get_current_context()
        except RuntimeError:
            return ask()
        return _archived_call(context, self._entity(context), prepped_request, ask)

    def _entity(self, context: Context) -> Entity:
        named = self.get_connection(self.http_conn_id).extra_dejson.get("entity")
        return Entity.parse(named or f"{self.http_conn_id}.{context['ti'].task_id}")

    def _answer(
        self,
        session: requests.Session,
        request: requests.PreparedRequest,
        options: Mapping[str, Any],  # Any: requests' options
    ) -> requests.Response:
        settings = session.merge_environment_settings(
            request.url, proxies=session.proxies, stream=True, verify=session.verify, cert=session.cert
        )
        try:
            return session.send(
                request,
                timeout=options.get("timeout") or TIMEOUT_S,
                allow_redirects=options.get("allow_redirects", True),
                **settings,
            )
        except requests.TooManyRedirects as err:
            raise SourceRejected(f"{_name(request)}: redirects without end") from err
        except (requests.ConnectionError, requests.Timeout) as err:
            raise SourceUnavailable(f"{_name(request)}: {_cause(err)}") from err
        except requests.RequestException as err:
            raise SourceRejected(f"{_name(request)}: {type(err).__name__}") from err


class ArchivingHttpOperator(ArchivingOperator):
    """Fetch an HTTP resource, or all pages of one, and archive the bytes as they came.

    All pages make one revision. A body that breaks off is resumed by range where the server offers
    that, and fetched again by Airflow's retry otherwise; nothing of it is visible until it is whole.

    :param endpoint: Path below the connection's host, or a whole URL of the same origin.
    :param http_conn_id: Connection of type ``archiving_http``, or any other HTTP connection.
    :param method: The HTTP method.
    :param query: Parameters of the URL.
    :param data: Body of the request, as text or as form fields.
    :param json: Body of the request, as JSON.
    :param headers: Headers beside the connection's own.
    :param pagination: How to find the next page, for instance :class:`LinkHeader`; one page where
        unset.
    :param attempts: Requests sent for one page before the task gives up, waits between them growing
        and jittered.
    """

    template_fields: Sequence[str] = (
        *ArchivingOperator.template_fields,
        "endpoint",
        "query",
        "data",
        "json",
        "headers",
        "http_conn_id",
    )
    template_fields_renderers = {"query": "json", "json": "json", "headers": "json"}
    ui_color = "#dbeafe"

    def __init__(
        self,
        *,
        endpoint: str,
        http_conn_id: str = ArchivingHttpHook.default_conn_name,
        method: str = "GET",
        query: Mapping[str, Any] | None = None,  # Any: whatever requests writes into a URL
        data: str | Mapping[str, Any] | None = None,  # Any: form fields
        json: Any = None,  # Any: JSON values
        headers: Mapping[str, str] | None = None,
        pagination: Pagination | None = None,
        attempts: int = 3,
        **kwargs: Any,  # Any: ArchivingOperator's own arguments
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint = endpoint
        self.http_conn_id = http_conn_id
        self.method = method
        self.query = query
        self.data = data
        self.json = json
        self.headers = headers
        self.pagination = pagination
        self.attempts = attempts

    def fetch(self, context: Context) -> Iterator[Part]:
        """One part for each page."""
        hook = ArchivingHttpHook(self.method, self.http_conn_id)
        # Asked for as it is: a coding would be archived as it came, and read back with its suffix.
        with hook.get_conn({"Accept-Encoding": "identity", **(self.headers or {})}) as session:
            first = requests.Request(
                self.method,
                hook.url_from_endpoint(self.endpoint),
                params=self.query,
                data=self.data,
                json=self.json,
            )
            request = session.prepare_request(first)
            for number, page in enumerate(self._pages(hook, session, request), start=1):
                yield page.part(f"page-{number:06d}" if self.pagination else "response")

    def _pages(
        self, hook: ArchivingHttpHook, session: requests.Session, request: requests.PreparedRequest
    ) -> Iterator[_Delivery]:
        entity, seen = Entity.parse(self.entity), set[str | None]()
        while True:
            seen.add(request.url)
            delivery = _Delivery(
                partial(hook.send, session), request, entity, self.attempts, keep=bool(self.pagination)
            )
            yield delivery
            target = self.pagination.next_url(delivery.page) if self.pagination else None
            if target is None:
                return
            url = urljoin(delivery.page.url, target)
            if _origin(url) != _origin(str(request.url)):
                raise SourceRejected(
                    f"{_name(request)}: the next page is on another host, {safe_url(url)}; "
                    "credentials do not follow there, so give it a connection of its own"
                )
            if url in seen:
                raise SourceRejected(f"{safe_url(url)}: the pages repeat; this one came before")
            request = session.prepare_request(requests.Request("GET", url))


class _Delivery:
    """One answer whose body survives a dropped connection, where the server lets it resume.

    :param send: Sends a request and returns the checked answer.
    :param keep: Keep the body for a pagination to look into.
    """

    def __init__(
        self,
        send: Callable[[requests.PreparedRequest], requests.Response],
        request: requests.PreparedRequest,
        entity: Entity,
        attempts: int,
        *,
        keep: bool,
    ) -> None:
        self._send, self._request, self._entity = send, request, entity
        self._attempts = attempts
        self._kept: list[bytes] | None = [] if keep else None
        self._response = self._retried(request)
        metrics.emit(metrics.SOURCE_LATENCY, self._response.elapsed.total_seconds() * 1000, entity)

    @property
    def page(self) -> Page:
        """What a pagination sees, once the body was read."""
        return Page(self._response.url, self._response.headers, b"".join(self._kept or []))

    def part(self, stem: str) -> Part:
        """The answer as a part; its body is read as the part is written."""
        headers = self._response.headers
        length = headers.get("content-length")
        return Part(
            name=stem + _suffix(headers),
            body=self._body(),
            origin=_origin_of(self._request, self._response),
            media_type=headers.get("content-type", "application/octet-stream"),
            codec=headers.get("content-encoding"),
            size_bytes=int(length) if length and length.isdigit() else None,
        )

    def _body(self) -> Iterator[bytes]:
        response, received = self._response, 0
        for resumed in count():
            try:
                for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
                    received += len(chunk)
                    self._keep(chunk, received)
                    yield chunk
                return
            except (urllib3.exceptions.HTTPError, OSError) as err:
                response.close()
                if resumed == self._attempts:
                    raise self._broken(received, err) from err
                response = self._resumed(received, err)

    def _keep(self, chunk: bytes, received: int) -> None:
        if self._kept is None:
            return
        if received > PAGE_LIMIT_BYTES:
            raise SourceRejected(
                f"{_name(self._request)}: a page past {PAGE_LIMIT_BYTES >> 20} MiB; ask for smaller "
                "pages, or leave out pagination="
            )
        self._kept.append(chunk)

    def _resumed(self, received: int, err: Exception) -> requests.Response:
        headers = self._response.headers
        # Only a strong validator promises the same bytes (RFC 9110, section 13.1.5).
        validator = headers.get("etag", "")
        if headers.get("accept-ranges") != "bytes" or not validator.startswith('"'):
            raise self._broken(received, err) from err
        request = self._request.copy()
        request.headers.update({"Range": f"bytes={received}-", "If-Range": validator})
        response = self._retried(request)
        expected = f"bytes {received}-"
        if response.status_code != 206 or not response.headers.get("content-range", "").startswith(expected):
            response.close()
            raise SourceUnavailable(f"{_name(self._request)}: changed while it was read") from err
        metrics.emit(metrics.RETRIES, 1, self._entity)
        return response

    def _retried(self, request: requests.PreparedRequest) -> requests.Response:
        return tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=_wait,
            retry=tenacity.retry_if_exception_type(SourceUnavailable),
            before_sleep=lambda _: metrics.emit(metrics.RETRIES, 1, self._entity),
            reraise=True,
        )(self._send, request)

    def _broken(self, received: int, err: Exception) -> SourceTruncated:
        announced = self._response.headers.get("content-length", "an unknown number of")
        return SourceTruncated(
            f"{_name(self._request)}: broke off after {received} of {announced} bytes "
            f"({_cause(err)}); nothing of it was kept"
        )


@dataclass(slots=True)
class _Calls:
    """What one try of a task with a stock operator has asked for so far."""

    owner: tuple[object, int]
    seen: Counter[str] = field(default_factory=Counter)
    references: list[dict[str, Any]] = field(default_factory=list)  # Any: JSON values


_calls = _Calls(("", 0))


def _archived_call(
    context: Context, entity: Entity, request: requests.PreparedRequest, ask: Callable[[], requests.Response]
) -> requests.Response:
    global _calls
    owner = (context["ti"].id, context["ti"].try_number)
    if _calls.owner != owner:
        _calls = _Calls(owner)
    fingerprint = _fingerprint(request)
    _calls.seen[fingerprint] += 1
    # A stock operator calls once a page, and its hook never learns that the task has ended: so each
    # call is a slot, told apart by what was asked, and by how often it was asked before.
    own_key = slot_of(context, entity).map_key
    keys = [own_key, fingerprint[:16], str(_calls.seen[fingerprint])]
    map_key = ".".join(key for key in keys if key is not None)
    with archive_session(entity, map_key=map_key, context=context) as capture:
        response = _fetched(capture, request, ask()) if capture.pending else None
    _calls.references.append(capture.reference.to_dict())
    context["ti"].xcom_push("archive", list(_calls.references))
    return response or _answer_from(capture, request)


def _fetched(
    capture: Capture, request: requests.PreparedRequest, response: requests.Response
) -> requests.Response:
    try:
        body = response.raw.read(decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError) as err:
        raise SourceTruncated(f"{_name(request)}: broke off ({_cause(err)}); nothing was kept") from err
    headers = response.headers
    part = Part(
        name="response" + _suffix(headers),
        body=[body],
        origin=_origin_of(request, response),
        media_type=headers.get("content-type", "application/octet-stream"),
        codec=headers.get("content-encoding"),
    )
    capture.write(part)
    response.raw = _raw(body, headers, response.status_code)
    return response


def _answer_from(capture: Capture, request: requests.PreparedRequest) -> requests.Response:
    """The archived answer, as the stock operator would have received it."""
    origin = capture.manifest.payloads[0].origin
    response = requests.Response()
    response.status_code = origin.status or 200
    response.headers.update(origin.headers)
    response.url, response.request = str(request.url), request
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)
    with archive.open(capture.reference) as body:
        response.raw = _raw(body.read(), response.headers, response.status_code)
    return response


def _raw(body: bytes, headers: Mapping[str, str], status: int) -> urllib3.HTTPResponse:
    return urllib3.HTTPResponse(io.BytesIO(body), headers, status, preload_content=False)


def _keep_credentials(request: requests.PreparedRequest, response: requests.Response) -> None:
    """What a session does before it follows a redirect: leave every secret with its own origin."""
    if _origin(str(request.url)) == _origin(str(response.request.url)):
        return
    if request.body:
        raise SourceRejected(
            f"{_name(response.request)}: redirects a request with a body to another host, "
            f"{safe_url(str(request.url))}; its body may hold credentials, so it was not sent there"
        )
    for name in list(request.headers):
        if name.lower() not in _FOLLOW_HEADERS:
            del request.headers[name]


def _check_status(response: requests.Response, request: requests.PreparedRequest) -> None:
    status = response.status_code
    if status < 400:
        return
    response.close()
    fault = f"{_name(request)}: HTTP {status} {response.reason or ''}".rstrip()
    if status >= 500 or status in _PASSING_STATUS:
        raise SourceUnavailable(fault, _retry_after_s(response))
    raise SourceRejected(f"{fault}; {_ADVICE.get(status, 'check the endpoint and its parameters')}")


_ADVICE: Final = {
    401: "check the connection's login, password or token",
    403: "check what the connection's account may read",
    404: "check the connection's host and the endpoint",
}


def _retry_after_s(response: requests.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return min(float(text), 60.0) if text.isdigit() else None


def _wait(state: tenacity.RetryCallState) -> float:
    err = state.outcome.exception() if state.outcome else None
    asked = err.retry_after_s if isinstance(err, SourceUnavailable) else None
    return asked if asked is not None else _BACKOFF(state)


_BACKOFF: Final = tenacity.wait_exponential_jitter(initial=0.2, max=20)


def _fingerprint(request: requests.PreparedRequest) -> str:
    """SHA-256 over method, URL and body, secrets left out: equal questions have equal ones."""
    body = request.body or b""
    raw = body.encode() if isinstance(body, str) else body
    question = f"{request.method}\n{safe_url(str(request.url))}\n".encode()
    return hashlib.sha256(question + (raw if isinstance(raw, bytes) else b"")).hexdigest()


def _origin_of(request: requests.PreparedRequest, response: requests.Response) -> Origin:
    return Origin(
        url=safe_url(str(request.url)),
        method=str(request.method),
        fingerprint=_fingerprint(request),
        status=response.status_code,
        headers=safe_headers(response.headers),
        fetched_at_utc=datetime.now(UTC),
    )


def _suffix(headers: Mapping[str, str]) -> str:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    suffix = _SUFFIXES.get(media_type) or mimetypes.guess_extension(media_type) or ".bin"
    codec = {"gzip": ".gz", "br": ".br", "zstd": ".zst", "deflate": ".zz"}
    return suffix + codec.get(headers.get("content-encoding", ""), "")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _name(request: requests.PreparedRequest) -> str:
    return f"{request.method} {safe_url(str(request.url))}"


def _cause(err: BaseException) -> str:
    """The kind of failure, in the words of the innermost error; a URL in them may hold a secret."""
    while err.args and isinstance(err.args[-1], BaseException):
        err = err.args[-1]
    reason = getattr(err, "reason", None)
    if isinstance(reason, BaseException):
        return _cause(reason)
    return type(err).__name__
