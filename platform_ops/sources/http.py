"""HTTP APIs. Vendor page: https://www.rfc-editor.org/rfc/rfc9110 (HTTP Semantics).

One client for both ways in: the session that Airflow's own ``HttpHook`` builds, so that every setting
of an HTTP connection holds here too (ADR 0005).
"""

from __future__ import annotations

import http.client
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

import requests
import urllib3
from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk import get_current_context
from airflow.sdk.log import mask_secret

from platform_ops import archive
from platform_ops.entity import Entity, Part
from platform_ops.errors import SourceRejected, SourceTruncated, SourceUnavailable
from platform_ops.ingest import (
    ArchivingOperator,
    Capture,
    archive_session,
    connection,
    entity_of,
    slot_of,
)
from platform_ops.redaction import is_secret_name, safe_url
from platform_ops.sources import exchange
from platform_ops.sources.exchange import Delivery
from platform_ops.sources.paging import JsonLink, LinkHeader, Page, Pagination

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

TIMEOUT_S: Final = (10.0, 60.0)
"""Seconds to connect, and to wait for the next byte, where the connection's extra sets none."""

_REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


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
        session.rebuild_auth = exchange.keep_credentials  # type: ignore[method-assign]  # the session is made inside HttpHook
        return session

    def send(
        self, session: requests.Session, request: requests.PreparedRequest
    ) -> requests.Response:
        """Send, follow redirects, and return before the body is read.

        :raises SourceRejected: 4xx, or a redirect that leads nowhere or must not be followed.
        :raises SourceUnavailable: 5xx, 408, 425, 429, a timeout, or no connection.
        """
        response = self._answer(session, request, self.merged_extra)
        exchange.check_status(response, request)
        exchange.check_followed(response, request)
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
                exchange.check_status(response, prepped_request)
            return response

        try:
            context = get_current_context()
        except RuntimeError:
            return ask()
        return _archived_call(context, self._entity(context), prepped_request, ask)

    def _entity(self, context: Context) -> Entity:
        named = self.get_connection(self.http_conn_id).extra_dejson.get("entity")
        return entity_of(named or f"{self.http_conn_id}.{context['ti'].task_id}")

    def _answer(
        self,
        session: requests.Session,
        request: requests.PreparedRequest,
        options: Mapping[str, Any],  # Any: requests' options
    ) -> requests.Response:
        settings = session.merge_environment_settings(
            request.url,
            proxies=session.proxies,
            stream=True,
            verify=session.verify,
            cert=session.cert,
        )
        try:
            return session.send(
                request,
                timeout=options.get("timeout") or TIMEOUT_S,
                allow_redirects=options.get("allow_redirects", True),
                **settings,
            )
        except requests.TooManyRedirects as err:
            limit = session.max_redirects
            raise SourceRejected(
                f"{exchange.name(request)}: more than {limit} redirects; they may go in a circle"
            ) from err
        # Not from err: its text holds the URL with every secret, and Airflow logs the whole chain.
        except (requests.ConnectionError, requests.Timeout) as err:
            raise SourceUnavailable(f"{exchange.name(request)}: {exchange.cause(err)}") from None
        except (requests.RequestException, ValueError) as err:
            raise SourceRejected(f"{exchange.name(request)}: {type(err).__name__}") from None


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
        and jittered. Where unset, 3 for a method that may be repeated (RFC 9110, section 9.2.2) and
        1 for any other, such as ``POST``: give a number where the source minds no repetition.
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
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "query": "json",
        "json": "json",
        "headers": "json",
    }
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
        attempts: int | None = None,
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

    def render_template_fields(
        self,
        context: Context,
        jinja_env: Any = None,  # Any: Jinja's environment, as in BaseOperator
    ) -> None:
        # Airflow hides by name what the UI shows, but it does not know ``X-API-Key`` and its like.
        super().render_template_fields(context, jinja_env)
        for header, value in (self.headers or {}).items():
            if is_secret_name(header):
                mask_secret(value)

    def fetch(self, context: Context) -> Iterator[Part]:  # noqa: ARG002  # the base class's signature
        """One part for each page."""
        hook = ArchivingHttpHook(self.method, self.http_conn_id)
        with self._session(hook) as session:
            request = self._first(hook, session)
            for number, page in enumerate(self._pages(hook, session, request), start=1):
                yield page.part(f"page-{number:06d}" if self.pagination else "response")

    def request_fingerprint(self, context: Context) -> str | None:  # noqa: ARG002  # the base class's signature
        """That of the first page's request."""
        hook = ArchivingHttpHook(self.method, self.http_conn_id)
        with self._session(hook) as session:
            return exchange.fingerprint(self._first(hook, session))

    def _session(self, hook: ArchivingHttpHook) -> requests.Session:
        # Asked for as it is: a coding would be archived as it came, and read back with its suffix.
        return hook.get_conn({"Accept-Encoding": "identity", **(self.headers or {})})

    def _first(
        self, hook: ArchivingHttpHook, session: requests.Session
    ) -> requests.PreparedRequest:
        first = requests.Request(
            self.method, self._url(hook), params=self.query, data=self.data, json=self.json
        )
        return exchange.prepared(session, first)

    def _url(self, hook: ArchivingHttpHook) -> str:
        if not self.endpoint.startswith(("http://", "https://")):
            return hook.url_from_endpoint(self.endpoint)
        if not exchange.same_origin(self.endpoint, hook.base_url):
            raise SourceRejected(
                f"{safe_url(self.endpoint)}: on another host than connection {self.http_conn_id!r}, "
                "whose credentials do not follow there; give it a connection of its own"
            )
        return self.endpoint

    def _pages(
        self, hook: ArchivingHttpHook, session: requests.Session, request: requests.PreparedRequest
    ) -> Iterator[Delivery]:
        entity, seen = Entity.parse(self.entity), set[str | None]()
        while True:
            seen.add(request.url)
            delivery = Delivery(
                partial(hook.send, session),
                request,
                entity,
                self.attempts or (3 if self.method.upper() in _REPEATABLE else 1),
                keep=bool(self.pagination),
            )
            try:
                yield delivery
            finally:
                delivery.close()
            target = self.pagination.next_url(delivery.page) if self.pagination else None
            if target is None:
                return
            request = self._next(session, request, delivery.page.url, target)
            if request.url in seen:
                raise SourceRejected(
                    f"{exchange.name(request)}: the pages repeat; this one came before"
                )

    def _next(
        self,
        session: requests.Session,
        before: requests.PreparedRequest,
        base: str,
        target: str,
    ) -> requests.PreparedRequest:
        link = requests.Request("GET", exchange.joined(base, target))
        request = exchange.prepared(session, link)
        if not exchange.same_origin(request.url, before.url):
            raise SourceRejected(
                f"{exchange.name(before)}: the next page is on another host, "
                f"{safe_url(str(request.url))}; credentials do not follow there, so give it a "
                "connection of its own"
            )
        return request


@dataclass(slots=True)
class _Calls:
    """What one try of a task with a stock operator has been answered so far."""

    owner: tuple[object, int]
    seen: Counter[str] = field(default_factory=Counter)
    references: list[dict[str, Any]] = field(default_factory=list)  # Any: JSON values


_calls = _Calls(("", 0))


def _archived_call(
    context: Context,
    entity: Entity,
    request: requests.PreparedRequest,
    ask: Callable[[], requests.Response],
) -> requests.Response:
    global _calls  # noqa: PLW0603  # one task runs in a process at a time
    owner = (context["ti"].id, context["ti"].try_number)
    if _calls.owner != owner:
        _calls = _Calls(owner)
    fingerprint = exchange.fingerprint(request)
    # A stock operator calls once a page, and its hook never learns that the task has ended: so each
    # call is a slot, told apart by what was asked, and by how often it was answered before.
    own_key = slot_of(context, entity).map_key
    keys = [own_key, fingerprint[:16], str(_calls.seen[fingerprint] + 1)]
    map_key = ".".join(key for key in keys if key is not None)
    asked = exchange.name(request)
    with archive_session(entity, map_key=map_key, request=asked, context=context) as capture:
        response = _fetched(capture, request, ask()) if capture.pending else None
    _calls.seen[fingerprint] += 1
    _calls.references.append(capture.reference.to_dict())
    context["ti"].xcom_push("archive", list(_calls.references))
    # Not `or`: an answer of 400 and more is false.
    return _answer_from(capture, request) if response is None else response


def _fetched(
    capture: Capture, request: requests.PreparedRequest, response: requests.Response
) -> requests.Response:
    try:
        body = response.raw.read(decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError) as err:
        raise SourceTruncated(
            f"{exchange.name(request)}: broke off ({exchange.cause(err)}); nothing was kept"
        ) from err
    exchange.measure_latency(response, capture.slot.entity)
    capture.write(exchange.part_of(request, response, "response", [body]))
    response.raw = exchange.raw_answer(body, response.headers, response.status_code)
    return response


def _answer_from(capture: Capture, request: requests.PreparedRequest) -> requests.Response:
    """The archived answer, as the stock operator would have received it."""
    origin = capture.manifest.payloads[0].origin
    response = requests.Response()
    response.status_code = origin.status or 200
    response.reason = http.client.responses.get(response.status_code, "")
    response.headers.update(origin.headers)
    response.url, response.request = str(request.url), request
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)
    with archive.open(capture.reference) as body:
        response.raw = exchange.raw_answer(body.read(), response.headers, response.status_code)
    return response
