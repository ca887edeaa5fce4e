"""The requests of one capture, one after the other or several at once, and the part of each answer."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests

from platform_ops.entity import Entity, Manifest, Part
from platform_ops.errors import SourceRejected
from platform_ops.ingest import Unchanged
from platform_ops.redaction import safe_url
from platform_ops.sources.web import exchange
from platform_ops.sources.web.delivery import Channel, Delivery
from platform_ops.sources.web.hook import ArchivingHttpHook
from platform_ops.sources.web.limits import Limits
from platform_ops.sources.web.paging import Next, Pagination
from platform_ops.sources.web.since import Mark

__all__ = ["Ask", "Capture", "opening"]

_REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, before it is prepared.

    :param url: Absolute.
    """

    method: str
    url: str
    query: Mapping[str, Any] | None = None  # Any: whatever requests writes into a URL
    data: str | Mapping[str, Any] | None = None  # Any: form fields
    json: Any = None  # Any: JSON values

    def prepared(self, session: requests.Session) -> requests.PreparedRequest:
        """As it will be sent."""
        return exchange.prepared(
            session,
            requests.Request(
                self.method, self.url, params=self.query, data=self.data, json=self.json
            ),
        )

    def unsigned_url(self) -> str:
        """The whole URL without what the connection adds to it, which may be a key."""
        with requests.Session() as bare:
            return str(replace(self, data=None, json=None).prepared(bare).url)

    def then(self, step: Next | None, base: str) -> Ask:
        """The request after this one.

        :param base: URL of the page that told of it.
        """
        if step is None:
            return self
        if step.url is not None:
            return Ask("GET", exchange.joined(base, step.url))
        changed = replace(self, json=_with_values(self.json, step.json)) if step.json else self
        if not step.query:
            return changed
        # What the endpoint's own text says of a parameter would stand beside the new value.
        parts = urlsplit(changed.url)
        asked = parse_qsl(parts.query, keep_blank_values=True)
        kept = urlencode([pair for pair in asked if pair[0] not in step.query])
        url = urlunsplit(parts._replace(query=kept)) if len(kept) < len(parts.query) else self.url
        return replace(changed, url=url, query={**(changed.query or {}), **step.query})


@dataclass(slots=True)
class Capture:
    """All requests of one capture.

    :param first: The first request.
    :param pagination: How to find the others; there are none where it is None.
    :param attempts: Requests for one page; by the method's kind where it is None.
    :param known: A revision that may still hold: the source is asked whether it does.
    :param mark: Where the capture's watermark is gathered.
    """

    hook: ArchivingHttpHook
    session: requests.Session
    entity: Entity
    first: Ask
    limits: Limits
    pagination: Pagination | None = None
    attempts: int | None = None
    known: Manifest | None = None
    mark: Mark | None = None

    def parts(self) -> Iterator[Part]:
        """One for each page, in order, each read as it is written.

        :raises Unchanged: The source says that the known revision still holds.
        """
        unless = () if self.known is None else (304,)
        send = partial(self.hook.send, self.session, unless=unless)
        channel = Channel(send, self.entity, self._tries, self.limits)
        try:
            for number, delivery in enumerate(self._deliveries(channel), start=1):
                stem = f"page-{number:06d}" if self.pagination else "response"
                yield self._marked(delivery.part(stem), delivery)
        finally:
            channel.stopped.set()

    def _deliveries(self, channel: Channel) -> Iterator[Delivery]:
        """Open answers; each is closed when the next one is asked for."""
        request, ask, seen = self._opening(), self.first, set[bytes]()
        for number in range(1, self.limits.max_pages + 1):
            seen.add(_question(request))
            delivery = Delivery(channel, request, number=number, keep=self._keeps)
            with closing(delivery):
                if delivery.status == 304 and self.known is not None:
                    raise Unchanged(self.known)
                yield delivery
            if self.pagination is None:
                return
            page = delivery.page
            if number == 1 and self.limits.concurrency > 1 and self.pagination.knows_ahead:
                yield from self._ahead(channel, self.pagination.ahead(page), page.url)
                return
            step = self.pagination.next(page)
            if step is None:
                return
            ask = ask.then(step, page.url)
            request = self._checked(ask, request)
            if _question(request) in seen:
                raise SourceRejected(
                    f"{exchange.name(request)}: the pages repeat; this one came before"
                )
        raise self._endless(request)

    def _ahead(self, channel: Channel, steps: Iterator[Next], base: str) -> Iterator[Delivery]:
        """Further pages, several asked for at once, handed on in order, and no more than those in hand."""
        waiting: deque[Future[Delivery]] = deque()
        with ThreadPoolExecutor(self.limits.concurrency, "platform_ops-http") as pool:
            try:
                for number, step in enumerate(steps, start=2):
                    if number > self.limits.max_pages:
                        raise self._endless(self._opening())
                    ask = self.first.then(step, base)
                    waiting.append(pool.submit(self._read, channel, ask, number))
                    if len(waiting) == self.limits.concurrency:
                        with closing(waiting.popleft().result()) as delivery:
                            yield delivery
                while waiting:
                    with closing(waiting.popleft().result()) as delivery:
                        yield delivery
            finally:
                channel.stopped.set()
                for each in waiting:
                    each.cancel()
                pool.shutdown()
                for each in waiting:
                    if not each.cancelled() and each.exception() is None:
                        each.result().close()

    def _read(self, channel: Channel, ask: Ask, number: int) -> Delivery:
        request = self._checked(ask, None)
        delivery = Delivery(channel, request, number=number, keep=self._keeps)
        try:
            return delivery.read_ahead()
        except BaseException:
            delivery.close()
            raise

    def _opening(self) -> requests.PreparedRequest:
        return opening(self.session, self.first, self.pagination, self.known)

    def _checked(
        self, ask: Ask, before: requests.PreparedRequest | None
    ) -> requests.PreparedRequest:
        request = ask.prepared(self.session)
        if not exchange.same_origin(request.url, self.first.url):
            raise SourceRejected(
                f"{exchange.name(before or request)}: the next page is on another host, "
                f"{safe_url(str(request.url))}; credentials do not follow there, so give it a "
                "connection of its own"
            )
        return request

    def _endless(self, request: requests.PreparedRequest) -> SourceRejected:
        return SourceRejected(
            f"{exchange.name(request)}: still another page after {self.limits.max_pages}; nothing was kept. "
            "A retry does not help: check where the pagination ends, or raise max_pages"
        )

    @property
    def _keeps(self) -> bool:
        looks = self.pagination is not None and self.pagination.reads_body
        return looks or (self.mark is not None and self.mark.reads_body)

    @property
    def _tries(self) -> int:
        repeatable = self.first.method.upper() in _REPEATABLE or (
            self.pagination is not None and self.pagination.repeatable
        )
        return self.attempts or (3 if repeatable else 1)

    def _marked(self, part: Part, delivery: Delivery) -> Part:
        mark = self.mark
        if mark is None:
            return part
        return replace(part, watermark=lambda: mark.after(delivery.page))


def opening(
    session: requests.Session,
    first: Ask,
    pagination: Pagination | None = None,
    known: Manifest | None = None,
) -> requests.PreparedRequest:
    """The first request of a capture.

    :param known: A revision whose validators go along.
    """
    step = pagination.first() if pagination else None
    request = first.then(step, first.url).prepared(session)
    if known is not None:
        told = known.payloads[0].origin.headers
        pairs = {"If-None-Match": told.get("etag"), "If-Modified-Since": told.get("last-modified")}
        request.headers.update({name: value for name, value in pairs.items() if value})
    return request


def _question(request: requests.PreparedRequest) -> bytes:
    body = request.body or b""
    asked = f"{request.method} {request.url}\n".encode()
    return hashlib.sha256(asked + (body.encode() if isinstance(body, str) else body)).digest()


def _with_values(body: Any, values: Mapping[str, Any]) -> Any:  # Any: JSON values
    changed = deepcopy(body) if isinstance(body, dict) else {}
    for path, value in values.items():
        *steps, last = path.split(".")
        inner = changed
        for step in steps:
            if not isinstance(inner.get(step), dict):
                inner[step] = {}
            inner = inner[step]
        inner[last] = value
    return changed
