"""The hook below every way in over HTTP: the session that Airflow's own ``HttpHook`` builds (ADR 0005).

Apart from the operators, so that a DAG file that names one loads no client.
"""

from __future__ import annotations

import ssl
from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Any, Final

import requests
from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk import get_current_context

from platform_ops.entity import Entity
from platform_ops.errors import SourceRejected, SourceUnavailable
from platform_ops.ingest import connection, entity_of
from platform_ops.sources.web import exchange
from platform_ops.sources.web.auth import ClientCredentials, authenticator, without_auth_fields
from platform_ops.sources.web.calls import archived_call

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

__all__ = ["ArchivingHttpHook"]

TIMEOUT_S: Final = (10.0, 60.0)
"""Seconds to connect, and to wait for the next byte, where the connection's extra sets none."""


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
        given = self.get_connection(self.http_conn_id)
        # HttpHook sends every unknown field of the extra as a header; these are ours.
        session.headers.pop("entity", None)
        if given.conn_type == self.conn_type or given.extra_dejson.get("auth"):
            without_auth_fields(session)
        session.headers.update(headers or {})
        # What the author gave as auth_type= comes first, as everywhere in Airflow.
        if self._auth_type is None and (signs := authenticator(given, session)) is not None:
            session.auth = signs
        session.rebuild_auth = exchange.keep_credentials  # type: ignore[method-assign]  # the session is made inside HttpHook
        return session

    def send(
        self,
        session: requests.Session,
        request: requests.PreparedRequest,
        unless: Container[int] = (),
    ) -> requests.Response:
        """Send, follow redirects, and return before the body is read.

        :param unless: Statuses that are an answer too, for those who can tell what they mean.
        :raises SourceRejected: 4xx, or a redirect that leads nowhere or must not be followed.
        :raises SourceUnavailable: 5xx, 408, 425, 429, a timeout, or no connection.
        """
        response = self.ask(session, request)
        if response.status_code not in unless:
            exchange.check_status(response, request)
            exchange.check_followed(response, request)
        return response

    def ask(
        self, session: requests.Session, request: requests.PreparedRequest
    ) -> requests.Response:
        """As :meth:`send`, with whatever status: for those who can tell what it means.

        :raises SourceRejected: It cannot be sent.
        :raises SourceUnavailable: A timeout, or no connection.
        """
        return self._answer(session, request, self.merged_extra)

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
        return archived_call(context, self._entity(context), prepped_request, ask)

    def _entity(self, context: Context) -> Entity:
        named = self.get_connection(self.http_conn_id).extra_dejson.get("entity")
        return entity_of(named or f"{self.http_conn_id}.{context['ti'].task_id}")

    def _answer(
        self,
        session: requests.Session,
        request: requests.PreparedRequest,
        options: Mapping[str, Any],  # Any: requests' options
    ) -> requests.Response:
        signs = session.auth
        if not isinstance(signs, ClientCredentials):
            return self._sent(session, request, options)
        signed = signs.signed(request)
        response = self._sent(session, signed, options)
        if response.status_code != 401:
            return response
        response.close()
        signs.forget(signed)
        return self._sent(session, signs.signed(request), options)

    def _sent(
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
        except requests.exceptions.SSLError as err:
            raise _distrusted(request, err) from None
        # Not from err: its text holds the URL with every secret, and Airflow logs the whole chain.
        except (requests.ConnectionError, requests.Timeout) as err:
            raise SourceUnavailable(f"{exchange.name(request)}: {exchange.cause(err)}") from None
        except (requests.RequestException, ValueError) as err:
            raise SourceRejected(f"{exchange.name(request)}: {type(err).__name__}") from None


def _distrusted(
    request: requests.PreparedRequest, err: BaseException
) -> SourceRejected | SourceUnavailable:
    """A certificate that does not prove the host will not prove it tomorrow; a torn handshake may pass."""
    told = exchange.innermost(err)
    if isinstance(told, ssl.SSLCertVerificationError):
        return SourceRejected(
            f"{exchange.name(request)}: its certificate is not trusted ({told.verify_message}); check the "
            "host, or name the right authority as verify in the connection's extra"
        )
    return SourceUnavailable(f"{exchange.name(request)}: {type(told).__name__}")
