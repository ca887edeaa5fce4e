"""One HTTP request and its answer: what was asked, what came back, and what may be written of both."""

from __future__ import annotations

import hashlib
import io
import mimetypes
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests
import tenacity
import urllib3

from platform_ops import metrics
from platform_ops.entity import Entity, Origin, Part
from platform_ops.errors import SourceRejected, SourceTruncated, SourceUnavailable
from platform_ops.redaction import safe_headers, safe_url
from platform_ops.sources.paging import Page

__all__ = [
    "Delivery",
    "cause",
    "check_followed",
    "check_status",
    "fingerprint",
    "joined",
    "keep_credentials",
    "measure_latency",
    "name",
    "part_of",
    "prepared",
    "raw_answer",
    "same_origin",
]

CHUNK_BYTES: Final = 1 << 20
PAGE_LIMIT_BYTES: Final = 64 << 20
"""Largest page that a pagination may look into; larger bodies belong in one response."""

_PASSING_STATUS: Final = {408, 425, 429}
_FOLLOW_HEADERS: Final = {"accept", "accept-encoding", "user-agent", "range", "if-range"}
_SUFFIXES: Final = {
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "text/xml": ".xml",
}
_TYPES: Final = mimetypes.MimeTypes()
"""Python's own table: the machine's files would name one payload differently on each worker."""
_CODEC_SUFFIXES: Final = {"gzip": ".gz", "br": ".br", "zstd": ".zst", "deflate": ".zz"}
_ADVICE: Final = {
    401: "check the connection's login, password or token",
    403: "check what the connection's account may read",
    404: "check the connection's host and the endpoint",
}
_BACKOFF: Final = tenacity.wait_exponential_jitter(multiplier=0.2, max=20)


class Delivery:
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
        self._response = self._current = self._retried(request)
        measure_latency(self._response, entity)

    @property
    def page(self) -> Page:
        """What a pagination sees, once the body was read."""
        return Page(self._response.url, self._response.headers, b"".join(self._kept or []))

    def part(self, stem: str) -> Part:
        """The answer as a part; its body is read as the part is written."""
        return part_of(self._request, self._response, stem, self._body())

    def close(self) -> None:
        """Let go of the connection, read to the end or not."""
        self._current.close()

    def _body(self) -> Iterator[bytes]:
        received = 0
        for resumed in count():
            try:
                for chunk in self._current.raw.stream(CHUNK_BYTES, decode_content=False):
                    received += len(chunk)
                    self._keep(chunk, received)
                    yield chunk
            except (urllib3.exceptions.HTTPError, OSError) as err:
                self.close()
                if resumed == self._attempts:
                    raise self._broken(received, err) from err
                self._current = self._resumed(received, err)
            else:
                return

    def _keep(self, chunk: bytes, received: int) -> None:
        if self._kept is None:
            return
        if received > PAGE_LIMIT_BYTES:
            raise SourceRejected(
                f"{name(self._request)}: a page past {PAGE_LIMIT_BYTES >> 20} MiB; ask for smaller "
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
        if not _continues(response, received, validator):
            response.close()
            raise SourceUnavailable(
                f"{name(self._request)}: changed while it was read; nothing of it was kept"
            ) from err
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
            f"{name(self._request)}: broke off after {received} of {announced} bytes "
            f"({cause(err)}); nothing of it was kept"
        )


def _continues(response: requests.Response, received: int, validator: str) -> bool:
    """Whether the answer is the rest of the same bytes: some servers ignore ``If-Range``."""
    headers = response.headers
    return (
        response.status_code == 206
        and headers.get("content-range", "").startswith(f"bytes {received}-")
        and headers.get("etag", validator) == validator
    )


def prepared(session: requests.Session, request: requests.Request) -> requests.PreparedRequest:
    """The request as it will be sent.

    :raises SourceRejected: Its URL, a header or the body cannot be sent.
    """
    try:
        return session.prepare_request(request)
    except (requests.RequestException, ValueError, TypeError) as err:
        # Not from err: its text may quote a header or the URL, with every secret.
        raise SourceRejected(
            f"{request.method} {safe_url(str(request.url))}: cannot be sent "
            f"({type(err).__name__}); check host, endpoint, headers and body"
        ) from None


def joined(base: str, target: str) -> str:
    """The absolute URL of a link.

    :raises SourceRejected: The link is no URL.
    """
    try:
        return urljoin(base, target)
    except ValueError:
        raise SourceRejected(f"{safe_url(base)}: the link to the next page is no URL") from None


def raw_answer(body: bytes, headers: Mapping[str, str], status: int) -> urllib3.HTTPResponse:
    """An answer's raw side over bytes that were read already, so that it can be read once more."""
    return urllib3.HTTPResponse(io.BytesIO(body), headers, status, preload_content=False)


def keep_credentials(request: requests.PreparedRequest, response: requests.Response) -> None:
    """What a session does before it follows a redirect: leave every secret with its own origin."""
    if same_origin(request.url, response.request.url):
        # requests keeps cookies that were set, and drops one that the connection's extra gives.
        if given := response.request.headers.get("cookie"):
            request.headers.setdefault("Cookie", given)
        return
    if request.body:
        raise SourceRejected(
            f"{name(response.request)}: redirects a request with a body to another host, "
            f"{safe_url(str(request.url))}; its body may hold credentials, so it was not sent there"
        )
    for header in list(request.headers):
        if header.lower() not in _FOLLOW_HEADERS:
            del request.headers[header]


def check_followed(response: requests.Response, request: requests.PreparedRequest) -> None:
    """Refuse an answer that only points elsewhere: its body is not what was asked for.

    :raises SourceRejected: 3xx, for instance where the connection's extra forbids redirects.
    """
    if 300 <= response.status_code < 400:
        response.close()
        target = safe_url(response.headers.get("location", "nowhere"))
        raise SourceRejected(
            f"{name(request)}: HTTP {response.status_code} to {target}, which was not followed; ask "
            "there, or allow redirects in the connection's extra"
        )


def measure_latency(response: requests.Response, entity: Entity) -> None:
    """Emit the time from the request to its first byte."""
    metrics.emit(metrics.SOURCE_LATENCY, response.elapsed.total_seconds() * 1000, entity)


def check_status(response: requests.Response, request: requests.PreparedRequest) -> None:
    """Turn a status of 400 or more into an error that says whether a retry can help.

    :raises SourceUnavailable: 5xx, 408, 425 or 429.
    :raises SourceRejected: Any other 4xx.
    """
    status = response.status_code
    if status < 400:
        return
    response.close()
    fault = f"{name(request)}: HTTP {status} {response.reason or ''}".rstrip()
    if status >= 500 or status in _PASSING_STATUS:
        raise SourceUnavailable(fault, _retry_after_s(response))
    raise SourceRejected(f"{fault}; {_ADVICE.get(status, 'check the endpoint and its parameters')}")


def _retry_after_s(response: requests.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return min(float(text), 60.0) if text.isdigit() else None


def _wait(state: tenacity.RetryCallState) -> float:
    err = state.outcome.exception() if state.outcome else None
    asked = err.retry_after_s if isinstance(err, SourceUnavailable) else None
    return asked if asked is not None else _BACKOFF(state)


def fingerprint(request: requests.PreparedRequest) -> str:
    """SHA-256 over method, URL and body, secrets left out: equal questions have equal ones."""
    body = request.body or b""
    question = f"{request.method}\n{safe_url(str(request.url))}\n".encode()
    return hashlib.sha256(question + (body.encode() if isinstance(body, str) else body)).hexdigest()


def part_of(
    request: requests.PreparedRequest, response: requests.Response, stem: str, body: Iterable[bytes]
) -> Part:
    """The answer as a part, with what may be written down of it.

    :param stem: The part's name without suffix; the media type gives that.
    :param body: The bytes as they came.
    """
    headers = response.headers
    return Part(
        name=stem + _suffix(headers),
        body=body,
        origin=Origin(
            url=safe_url(str(request.url)),
            method=str(request.method),
            fingerprint=fingerprint(request),
            status=response.status_code,
            headers=safe_headers(headers),
            fetched_at_utc=datetime.now(UTC),
        ),
        media_type=headers.get("content-type", "application/octet-stream"),
        codec=headers.get("content-encoding"),
        size_bytes=_announced(request, response),
    )


def _announced(request: requests.PreparedRequest, response: requests.Response) -> int | None:
    # These answers have no body, whatever length they name (RFC 9110, section 8.6).
    if request.method == "HEAD" or response.status_code in (204, 304):
        return None
    length = response.headers.get("content-length", "")
    return int(length) if length.isdigit() else None


def _suffix(headers: Mapping[str, str]) -> str:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    suffix = _SUFFIXES.get(media_type) or _TYPES.guess_extension(media_type) or ".bin"
    return suffix + _CODEC_SUFFIXES.get(headers.get("content-encoding", ""), "")


def same_origin(one: str | None, other: str | None) -> bool:
    """Whether two URLs have scheme, host and port in common (RFC 6454); what is no URL has none."""

    def origin(url: str | None) -> tuple[str, str | None, int | None]:
        parts = urlsplit(url or "")
        return (
            parts.scheme,
            parts.hostname,
            parts.port or {"http": 80, "https": 443}.get(parts.scheme),
        )

    try:
        return origin(one) == origin(other)
    except ValueError:
        return False


def name(request: requests.PreparedRequest) -> str:
    """The request in a message: method and URL, no secret."""
    return f"{request.method} {safe_url(str(request.url))}"


def cause(err: BaseException) -> str:
    """The kind of failure, in the words of the innermost error; a URL in them may hold a secret."""
    while err.args and isinstance(err.args[-1], BaseException):
        err = err.args[-1]
    reason = getattr(err, "reason", None)
    if isinstance(reason, BaseException):
        return cause(reason)
    plain = err.__cause__ if isinstance(err.__cause__, (ConnectionError, TimeoutError)) else err
    return type(plain).__name__
