"""One HTTP request and its answer: what was asked, what came back, and what may be written of both."""

from __future__ import annotations

import hashlib
import io
import mimetypes
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from platform_ops import metrics
from platform_ops.entity import Entity, Origin, Part
from platform_ops.errors import SourceRejected, SourceUnavailable
from platform_ops.redaction import safe_headers, safe_url

__all__ = [
    "cause",
    "check_followed",
    "check_status",
    "closing",
    "decoded",
    "fingerprint",
    "innermost",
    "joined",
    "keep_credentials",
    "measure_latency",
    "name",
    "own_or_bare",
    "part_of",
    "prepared",
    "raw_answer",
    "retry_after_s",
    "same_origin",
]

_PASSING_STATUS: Final = {408, 425, 429}
_FOLLOW_HEADERS: Final = {"accept", "accept-encoding", "user-agent", "range", "if-range"}
_SUFFIXES: Final = {
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "application/graphql-response+json": ".json",
    "multipart/mixed": ".mime",
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
_INFLATED: Final = {"gzip": 47, "x-gzip": 47, "deflate": 47}
"""Codings that are read here, with zlib's window; the archive keeps every coding as it came."""


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


@contextmanager
def own_or_bare(session: requests.Session, url: str, base_url: str) -> Iterator[requests.Session]:
    """The session for its own origin; for any other one without credentials, over the same proxies.

    :param url: What is to be asked for.
    :param base_url: Of the session's connection.
    """
    if same_origin(url, base_url):
        yield session
        return
    with requests.Session() as bare:
        bare.verify, bare.cert = session.verify, session.cert
        bare.proxies, bare.max_redirects = session.proxies, session.max_redirects
        bare.headers["Accept-Encoding"] = session.headers.get("Accept-Encoding", "identity")
        bare.trust_env = session.trust_env
        # Else ~/.netrc answers for a host that the source named.
        bare.auth = lambda request: request
        yield bare


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
    if response.status_code == 304:
        response.close()
        raise SourceRejected(
            f"{name(request)}: HTTP 304, nothing has changed, although nobody asked whether; leave "
            "out If-None-Match and If-Modified-Since, and give conditional=True instead"
        )
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
        wanted_s = retry_after_s(response.headers)
        asks = "" if wanted_s is None else f"; it asks to be left alone for {wanted_s:.0f} s"
        raise SourceUnavailable(fault + asks, wanted_s)
    raise SourceRejected(f"{fault}; {_ADVICE.get(status, 'check the endpoint and its parameters')}")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that the source asks for, as a number or as a date (RFC 9110, section 10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def closing(headers: Mapping[str, str]) -> bytes | None:
    """What a multipart body ends with; None where the answer is no such body."""
    message = Message()
    message["content-type"] = headers.get("content-type", "")
    boundary = message.get_boundary()
    if message.get_content_maintype() != "multipart" or not boundary:
        return None
    return f"--{boundary}--".encode()


def decoded(body: bytes, headers: Mapping[str, str], limit_bytes: int, asked: str) -> bytes:
    """The body without its coding, for a look into it.

    :param limit_bytes: The most that it may become: a small body can unfold into a vast one.
    :param asked: The request, for the message.
    :raises SourceRejected: A coding that is not known here, a damaged body, or one past the limit.
    """
    coding = headers.get("content-encoding", "identity").strip().lower() or "identity"
    if coding == "identity" or not body:
        return body
    if coding not in _INFLATED:
        raise SourceRejected(
            f"{asked}: came in the coding {coding!r}, which a pagination cannot look into; ask for gzip"
        )
    inflate = zlib.decompressobj(_INFLATED[coding])
    try:
        plain = inflate.decompress(body, limit_bytes)
    except zlib.error:
        raise SourceRejected(f"{asked}: is no {coding}, although it says so") from None
    if inflate.unconsumed_tail:
        raise SourceRejected(f"{asked}: unfolds into more than {limit_bytes >> 20} MiB")
    return plain


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
    return type(innermost(err)).__name__


def innermost(err: BaseException) -> BaseException:
    """The error that the client's libraries have wrapped."""
    while err.args and isinstance(err.args[-1], BaseException):
        err = err.args[-1]
    reason = getattr(err, "reason", None)
    if isinstance(reason, BaseException):
        return innermost(reason)
    return err.__cause__ if isinstance(err.__cause__, (ConnectionError, TimeoutError)) else err
