"""HTTP APIs. Vendor page: https://www.rfc-editor.org/rfc/rfc9110 (HTTP Semantics).

The operators, which load no client before they run: the hook is in
:mod:`platform_ops.sources.web.hook`, and one client serves all ways in (ADR 0005).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow.sdk.log import mask_secret

from platform_ops.entity import Entity
from platform_ops.errors import ConfigError, SourceRejected
from platform_ops.facade import deferred
from platform_ops.ingest import ArchivingOperator, slot_of
from platform_ops.sources.web.limits import Limits

if TYPE_CHECKING:
    import requests
    from airflow.sdk import Context

    from platform_ops.entity import Manifest, Part
    from platform_ops.sources.web.graphql import GraphQLCursor
    from platform_ops.sources.web.hook import ArchivingHttpHook
    from platform_ops.sources.web.pages import Ask
    from platform_ops.sources.web.paging import (
        Cursor,
        JsonLink,
        LinkHeader,
        Next,
        Offset,
        Page,
        PageNumber,
        Pagination,
    )
    from platform_ops.sources.web.since import Since

__all__ = [
    "ArchivingHttpOperator",
    "Cursor",
    "GraphQLCursor",
    "JsonLink",
    "Limits",
    "LinkHeader",
    "Next",
    "Offset",
    "Page",
    "PageNumber",
    "Pagination",
    "Since",
]

_HOMES: Final = {
    "platform_ops.sources.web.graphql": ("GraphQLCursor",),
    "platform_ops.sources.web.paging": (
        "Cursor",
        "JsonLink",
        "LinkHeader",
        "Next",
        "Offset",
        "Page",
        "PageNumber",
        "Pagination",
    ),
    "platform_ops.sources.web.since": ("Since",),
}

if not TYPE_CHECKING:  # most DAG files read one page, and need none of these
    __getattr__, _ = deferred(__name__, _HOMES)

DEFAULT_CONNECTION: Final = "archiving_http_default"
_LIMITS: Final = Limits()


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
    :param pagination: How to find the next page: ``LinkHeader``, ``JsonLink``, ``Cursor``,
        ``PageNumber``, ``Offset``, ``GraphQLCursor``, or a function from a
        :class:`~platform_ops.sources.web.paging.Page` to what comes next. One page where unset.
    :param since: How to ask only for what is newer than the capture before, of a mapped task than the
        one before with the same key; all of it where unset.
    :param conditional: Whether to ask only for a resource that has changed since the newest revision,
        by its ``ETag`` and ``Last-Modified``. Where it has not, no revision is made, and the task
        returns the reference of that one.
    :param limits: What one capture may take, and how fast.
    :param attempts: Requests sent for one page before the task gives up, waits between them growing
        and jittered. Where unset, 3 for a method that may be repeated (RFC 9110, section 9.2.2) and
        1 for any other, such as ``POST``: give a number where the source minds no repetition.
    :raises ConfigError: Arguments that contradict each other, when the DAG file is parsed.
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
    http_conn_id: str = DEFAULT_CONNECTION
    method: str = "GET"
    query: Mapping[str, Any] | None = None  # Any: whatever requests writes into a URL
    data: str | Mapping[str, Any] | None = None  # Any: form fields
    json: Any = None  # Any: JSON values
    headers: Mapping[str, str] | None = None
    pagination: Pagination | None = None
    since: Since | None = None
    conditional: bool = False
    limits: Limits = _LIMITS
    attempts: int | None = None

    def __init__(
        self,
        *,
        endpoint: str,
        http_conn_id: str = DEFAULT_CONNECTION,
        method: str = "GET",
        query: Mapping[str, Any] | None = None,  # Any: whatever requests writes into a URL
        data: str | Mapping[str, Any] | None = None,  # Any: form fields
        json: Any = None,  # Any: JSON values
        headers: Mapping[str, str] | None = None,
        pagination: Pagination
        | Callable[[Page], Next | Mapping[str, Any] | str | None]  # Any: parameters of a URL
        | None = None,
        since: Since | None = None,
        conditional: bool = False,
        limits: Limits | None = None,
        attempts: int | None = None,
        **kwargs: Any,  # Any: ArchivingOperator's own arguments
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint = endpoint
        self._keep(
            http_conn_id=http_conn_id,
            method=method,
            query=query,
            data=data,
            json=json,
            headers=headers,
            pagination=_pagination(pagination),
            since=since,
            conditional=conditional,
            limits=limits or _LIMITS,
            attempts=attempts,
        )
        self._require_sense()

    def _require_sense(self) -> None:
        if self.conditional and (self.pagination or self.since):
            raise ConfigError(
                f"{self.task_id}: conditional=True asks whether one resource has changed, which says nothing "
                "of further pages or newer records; leave out pagination= and since="
            )
        if self.limits.concurrency > 1 and not (self.pagination and self.pagination.knows_ahead):
            raise ConfigError(
                f"{self.task_id}: concurrency={self.limits.concurrency} needs to know the pages in advance; "
                "give PageNumber(pages= or total=) or Offset(total=)"
            )

    def render_template_fields(
        self,
        context: Context,
        jinja_env: Any = None,  # Any: Jinja's environment, as in BaseOperator
    ) -> None:
        from platform_ops.redaction import is_secret_name

        # Airflow hides by name what the UI shows, but it does not know ``X-API-Key`` and its like.
        super().render_template_fields(context, jinja_env)
        for header, value in (self.headers or {}).items():
            if is_secret_name(header):
                mask_secret(value)

    def fetch(self, context: Context) -> Iterator[Part]:
        """One part for each page."""
        from platform_ops.sources.web.pages import Capture, opening
        from platform_ops.sources.web.since import Mark

        entity = Entity.parse(self.entity)
        hook = self._hook()
        with self._session(hook) as session:
            ask, mark = self._ask(hook), None
            if self.since is not None:
                from platform_ops.ingest import watermark_before

                own = slot_of(context, entity, self.partition_key, self.map_key)
                reached = watermark_before(context, own)
                ask = ask.then(self.since.step(reached), ask.url)
                mark = Mark(self.since, reached)
            known = self._known(context, opening(session, ask)) if self.conditional else None
            yield from Capture(
                hook,
                session,
                entity,
                ask,
                self.limits,
                self.pagination,
                self.attempts,
                known,
                mark,
            ).parts()

    def request_fingerprint(self, context: Context) -> str | None:  # noqa: ARG002  # the base class's signature
        """That of the first page's request; None where it depends on the capture before."""
        if self.since is not None:
            return None
        from platform_ops.sources.web import exchange
        from platform_ops.sources.web.pages import opening

        hook = self._hook()
        with self._session(hook) as session:
            return exchange.fingerprint(opening(session, self._ask(hook), self.pagination))

    def _hook(self) -> ArchivingHttpHook:
        from platform_ops.sources.web.hook import ArchivingHttpHook

        return ArchivingHttpHook(self.method, self.http_conn_id)

    def _session(self, hook: ArchivingHttpHook) -> requests.Session:
        # Asked for as it is: a coding would be archived as it came, and read back with its suffix.
        return hook.get_conn({"Accept-Encoding": "identity", **(self.headers or {})})

    def _ask(self, hook: ArchivingHttpHook) -> Ask:
        from platform_ops.sources.web.pages import Ask

        return Ask(self.method, self._url(hook), self.query, self.data, self.json)

    def _url(self, hook: ArchivingHttpHook) -> str:
        from platform_ops.sources.web import exchange

        if not self.endpoint.startswith(("http://", "https://")):
            return hook.url_from_endpoint(self.endpoint)
        if not exchange.same_origin(self.endpoint, hook.base_url):
            from platform_ops.redaction import safe_url

            raise SourceRejected(
                f"{safe_url(self.endpoint)}: on another host than connection {self.http_conn_id!r}, "
                "whose credentials do not follow there; give it a connection of its own"
            )
        return self.endpoint

    def _known(self, context: Context, request: requests.PreparedRequest) -> Manifest | None:
        """The newest revision that answers this very request, and still can be read."""
        from platform_ops.sources.web import exchange
        from platform_ops.sources.web.known import newest_answer

        own = slot_of(context, Entity.parse(self.entity), self.partition_key, self.map_key)
        return newest_answer(own, exchange.fingerprint(request))


def _pagination(
    given: Pagination
    | Callable[[Page], Next | Mapping[str, Any] | str | None]  # Any: parameters of a URL
    | None,
) -> Pagination | None:
    """What was given, as a pagination; a DAG file that gives none loads none."""
    if given is None:
        return None
    from platform_ops.sources.web.paging import pagination_of

    return pagination_of(given)
