"""One answer under way: tried again, resumed, kept within its limits, and read ahead where asked to."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import IO, Final

import requests
import tenacity
import urllib3

from platform_ops import metrics
from platform_ops.entity import Entity, Part
from platform_ops.errors import SourceRejected, SourceTruncated, SourceUnavailable
from platform_ops.sources.web import exchange
from platform_ops.sources.web.limits import Budget, Limits, Pace
from platform_ops.sources.web.paging import Page

__all__ = ["Channel", "Delivery"]

CHUNK_BYTES: Final = 1 << 20
PAGE_LIMIT_BYTES: Final = 64 << 20
"""Largest page that may be looked into; larger bodies belong in one response."""
SPOOL_BYTES: Final = 1 << 20
"""What a page that is read ahead may hold in memory; the rest waits in a temporary file."""

_BACKOFF: Final = tenacity.wait_exponential_jitter(multiplier=0.2, max=20)
_TAIL_BYTES: Final = 1024


@dataclass(slots=True)
class Channel:
    """What all requests of one capture have in common.

    :param send: Sends a request and returns the checked answer.
    :param attempts: Requests sent for one page before the task gives up.
    :param stopped: Set when the capture is over, so that no thread goes on.
    """

    send: Callable[[requests.PreparedRequest], requests.Response]
    entity: Entity
    attempts: int
    limits: Limits
    stopped: threading.Event = field(default_factory=threading.Event)
    budget: Budget = field(init=False)
    pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self.budget = Budget(self.limits.max_bytes)
        self.pace = Pace(self.limits.requests_per_s, self.stopped)

    def ask(self, request: requests.PreparedRequest) -> requests.Response:
        """Send, and again where the failure may pass and the source does not ask for too long a wait."""
        return tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.attempts),
            wait=self._wait,
            retry=tenacity.retry_if_exception(self._passes),
            sleep=tenacity.sleep_using_event(self.stopped),
            before_sleep=lambda _: metrics.emit(metrics.RETRIES, 1, self.entity),
            reraise=True,
        )(self._once, request)

    def _once(self, request: requests.PreparedRequest) -> requests.Response:
        self.pace.wait()
        if self.stopped.is_set():
            raise SourceUnavailable(f"{exchange.name(request)}: the capture has ended")
        return self.send(request)

    def _passes(self, err: BaseException) -> bool:
        return (
            isinstance(err, SourceUnavailable)
            and not self.stopped.is_set()
            and (err.retry_after_s or 0.0) <= self.limits.max_wait_s
        )

    def _wait(self, state: tenacity.RetryCallState) -> float:
        err = state.outcome.exception() if state.outcome else None
        asked = err.retry_after_s if isinstance(err, SourceUnavailable) else None
        if asked is None:
            return _BACKOFF(state)
        self.pace.pause(asked)
        return asked


class Delivery:
    """One answer whose body survives a dropped connection, where the server lets it resume.

    :param number: Of its page, from 1.
    :param keep: Whether the body is looked into later.
    """

    def __init__(
        self,
        channel: Channel,
        request: requests.PreparedRequest,
        *,
        number: int = 1,
        keep: bool = False,
    ) -> None:
        self._channel, self._request, self._number = channel, request, number
        self._kept: list[bytes] | None = [] if keep else None
        self._spool: IO[bytes] | None = None
        self._response = self._current = channel.ask(request)
        exchange.measure_latency(self._response, channel.entity)
        announced = self._response.headers.get("content-length", "")
        if announced.isdecimal() and request.method != "HEAD":
            try:
                channel.budget.check(int(announced), exchange.name(request))
            except SourceRejected:
                self.close()
                raise

    @property
    def status(self) -> int:
        """The answer's status."""
        return self._response.status_code

    @property
    def retry_after_s(self) -> float | None:
        """Seconds after which the source wants to be asked again."""
        return exchange.retry_after_s(self._response.headers)

    @property
    def page(self) -> Page:
        """What a pagination sees, once the body was read."""
        response, body = self._response, b"".join(self._kept or [])
        plain = exchange.decoded(
            body, response.headers, PAGE_LIMIT_BYTES, exchange.name(self._request)
        )
        return Page(response.url, response.headers, plain, self._number)

    def part(self, stem: str) -> Part:
        """The answer as a part; its body is read as the part is written."""
        return exchange.part_of(self._request, self._response, stem, self._body())

    def read_ahead(self) -> Delivery:
        """Read the body now, into memory and a temporary file, so that its part can be written later."""
        spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115  # closed by close()
        self._spool = spool
        for chunk in self._received():
            spool.write(chunk)
        spool.seek(0)
        self._current.close()
        return self

    def whole(self) -> requests.Response:
        """The answer with its body in memory, for code that looks at it; its part can still be written.

        :raises SourceRejected: It is too large to be looked into.
        """
        self.read_ahead()
        assert self._spool is not None  # noqa: S101  # for the type checker: it was made just now
        body = self._spool.read(PAGE_LIMIT_BYTES + 1)
        if len(body) > PAGE_LIMIT_BYTES:
            raise self._too_large()
        self._spool.seek(0)
        self._response.raw = exchange.raw_answer(body, self._response.headers, self.status)
        return self._response

    def close(self) -> None:
        """Let go of the connection, read to the end or not."""
        self._current.close()
        if self._spool is not None:
            self._spool.close()

    def _body(self) -> Iterator[bytes]:
        seen, tail = 0, b""
        for chunk in self._spooled() if self._spool is not None else self._received():
            seen += len(chunk)
            tail = (tail + chunk[-_TAIL_BYTES:])[-_TAIL_BYTES:]
            if self._kept is not None:
                self._keep(chunk, seen)
            yield chunk
        self._check_end(seen, tail)

    def _spooled(self) -> Iterator[bytes]:
        spool = self._spool
        while spool is not None and (chunk := spool.read(CHUNK_BYTES)):
            yield chunk

    def _received(self) -> Iterator[bytes]:
        received = 0
        for resumed in count():
            try:
                for chunk in self._current.raw.stream(CHUNK_BYTES, decode_content=False):
                    received += len(chunk)
                    self._channel.budget.take(len(chunk), exchange.name(self._request))
                    yield chunk
            except (urllib3.exceptions.HTTPError, OSError) as err:
                self._current.close()
                if resumed == self._channel.attempts:
                    raise self._broken(received, err) from err
                self._current = self._resumed(received, err)
            else:
                return

    def _keep(self, chunk: bytes, seen: int) -> None:
        if seen > PAGE_LIMIT_BYTES:
            raise self._too_large()
        assert self._kept is not None  # noqa: S101  # for the type checker: the caller looked
        self._kept.append(chunk)

    def _too_large(self) -> SourceRejected:
        return SourceRejected(
            f"{exchange.name(self._request)}: a page past {PAGE_LIMIT_BYTES >> 20} MiB; ask for "
            "smaller pages, or leave out pagination=, since= and response_check=, which look into it"
        )

    def _check_end(self, seen: int, tail: bytes) -> None:
        """A multipart body says itself where it ends (RFC 2046, section 5.1.1)."""
        headers = self._response.headers
        if headers.get("content-encoding") or not seen:
            return
        if (end := exchange.closing(headers)) is not None and end not in tail:
            raise SourceTruncated(
                f"{exchange.name(self._request)}: a multipart body without its closing boundary, "
                f"after {seen} bytes; nothing of it was kept"
            )

    def _resumed(self, received: int, err: Exception) -> requests.Response:
        headers = self._response.headers
        # Only a strong validator promises the same bytes (RFC 9110, section 13.1.5).
        validator = headers.get("etag", "")
        if headers.get("accept-ranges") != "bytes" or not validator.startswith('"'):
            raise self._broken(received, err) from err
        request = self._request.copy()
        request.headers.update({"Range": f"bytes={received}-", "If-Range": validator})
        response = self._channel.ask(request)
        if not _continues(response, received, validator):
            response.close()
            raise SourceUnavailable(
                f"{exchange.name(self._request)}: changed while it was read; nothing of it was kept"
            ) from err
        metrics.emit(metrics.RETRIES, 1, self._channel.entity)
        return response

    def _broken(self, received: int, err: Exception) -> SourceTruncated:
        announced = self._response.headers.get("content-length", "an unknown number of")
        return SourceTruncated(
            f"{exchange.name(self._request)}: broke off after {received} of {announced} bytes "
            f"({exchange.cause(err)}); nothing of it was kept"
        )


def _continues(response: requests.Response, received: int, validator: str) -> bool:
    """Whether the answer is the rest of the same bytes: some servers ignore ``If-Range``."""
    headers = response.headers
    return (
        response.status_code == 206
        and headers.get("content-range", "").startswith(f"bytes {received}-")
        and headers.get("etag", validator) == validator
    )
