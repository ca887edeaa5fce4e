"""Where exports are submitted and asked after, by the operator and by its trigger alike."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import quote

import requests

from platform_ops.entity import Entity
from platform_ops.errors import SourceRejected
from platform_ops.sources.web import exchange
from platform_ops.sources.web.delivery import Channel, Delivery
from platform_ops.sources.web.hook import ArchivingHttpHook
from platform_ops.sources.web.job import Export, Look
from platform_ops.sources.web.limits import Limits
from platform_ops.sources.web.pages import Ask
from platform_ops.sources.web.paging import Page

__all__ = ["Desk"]

_SMALL: Final = Limits(max_bytes=16 << 20)
"""Of a submission or a look: a result that comes in their place is not read to its end."""
_GONE: Final = (404, 410)


@dataclass(frozen=True, slots=True)
class Desk:
    """One API's exports.

    :param attempts: Requests sent for one look; 3 where it is None.
    """

    hook: ArchivingHttpHook
    session: requests.Session
    entity: Entity
    export: Export
    attempts: int | None = None

    def submit(self, ask: Ask, key: str) -> str:
        """Ask for an export.

        :param key: Equal for all tries of a run.
        :return: The job's name.
        :raises SourceRejected: The answer names none.
        """
        request = ask.prepared(self.session)
        if self.export.idempotency_header:
            request.headers[self.export.idempotency_header] = key
        tries = self.attempts or 1
        send = partial(self.hook.send, self.session)
        with closing(
            Delivery(Channel(send, self.entity, tries, _SMALL), request, keep=True)
        ) as told:
            page = _page(told)
        job = page.find(self.export.job)
        if not isinstance(job, (str, int)) or isinstance(job, bool) or job == "":
            raise SourceRejected(
                f"{exchange.name(request)}: the answer names no job at {self.export.job!r}; check export="
            )
        return str(job)

    def look(self, job: str) -> Look:
        """How far a job is.

        :raises SourceRejected: The API refuses to say, or says it elsewhere.
        :raises SourceUnavailable: It may say later.
        """
        request = Ask("GET", self.place(job)).prepared(self.session)
        by_status = self.export.state is None and self.export.result_at is None
        # An answer that tells by its status may be the result, and is not read.
        limits = Limits() if by_status else _SMALL
        send = partial(self.hook.send, self.session, unless=_GONE)
        channel = Channel(send, self.entity, self.attempts or 3, limits)
        asked = exchange.name(request)
        with closing(Delivery(channel, request, keep=True)) as told:
            if told.status in _GONE:
                return Look("gone", asked, f"is not known any more (HTTP {told.status})")
            if by_status:
                return self._by_status(told, asked)
            return self._by_page(told.status, _page(told), asked)

    def place(self, job: str) -> str:
        """The whole URL that says how far a job is.

        :raises SourceRejected: It is on another host.
        """
        return self._url(self.export.poll, job)

    def result(self, job: str, look: Look) -> str:
        """The whole URL of a job's result."""
        if self.export.result is not None:
            return self._url(self.export.result, job)
        if look.result is None:
            raise SourceRejected(
                f"{look.asked}: is done and names no result at {self.export.result_at!r}; check export="
            )
        return exchange.joined(self.place(job), look.result)

    def _url(self, template: str, job: str) -> str:
        # A name that is the whole endpoint is a path or URL that the API gave; any other is a name.
        filled = job if template == "{job}" else template.replace("{job}", quote(job, safe=""))
        if not filled.startswith(("http://", "https://")):
            return self.hook.url_from_endpoint(filled)
        if not exchange.same_origin(filled, self.hook.base_url):
            raise SourceRejected(
                f"connection {self.hook.http_conn_id!r}: the export is to be asked after on another host, "
                "where its credentials do not follow"
            )
        return filled

    def _by_status(self, delivery: Delivery, asked: str) -> Look:
        if delivery.status == 202:
            return Look("waiting", asked, wait_s=self._wait_s(delivery.retry_after_s))
        return Look("done", asked)

    def _by_page(self, status: int, page: Page, asked: str) -> Look:
        export = self.export
        told = page.find(export.state) if export.state is not None else None
        word = str(told).lower()
        if told is None:
            done = export.state is None and status != 202
        else:
            done = word in {each.lower() for each in export.done}
        if done:
            url = page.find(export.result_at) if export.result_at is not None else None
            return Look("done", asked, result=None if url in (None, "") else str(url))
        if word in {each.lower() for each in export.failed}:
            return Look("failed", asked, "has failed at the source")
        return Look("waiting", asked, wait_s=self._wait_s(exchange.retry_after_s(page.headers)))

    def _wait_s(self, asked_s: float | None) -> float:
        return max(self.export.interval_s, min(asked_s or 0.0, 3600.0))


def _page(delivery: Delivery) -> Page:
    for _ in delivery.part("answer").body:
        pass
    return delivery.page
