"""HTTP: pages linked by a header, and the stock operator that follows them itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import BaseHook, BaseOperator

from platform_ops.sources.http import ArchivingHttpOperator, LinkHeader
from platform_ops.sources.web.export import ArchivingHttpExportOperator, Export
from platform_ops.sources.web.hook import ArchivingHttpHook
from tests.contract.case import ENTITY, SECRETS, Case, HookCase
from tests.fakes.wire import Exchange, Reply, Wire, paced, say, wire


class HttpSource:
    """Two pages of observations, for those who know every secret."""

    def __init__(self, server: Wire) -> None:
        self.server = server
        link = f'</observations?api_key={SECRETS["parameter of the URL"]}&page=2>; rel="next"'
        server.on("*", guarded(say(b"", 404)))
        first = f"/observations?api_key={SECRETS['parameter of the URL']}"
        second = f"/observations?api_key={SECRETS['parameter of the URL']}&page=2"
        server.on(first, guarded(say(HttpCase.pages[0], headers=_JSON | {"Link": link})))
        server.on(second, guarded(say(HttpCase.pages[1], headers=_JSON)))
        for arguments, body in HttpCase().mapped:
            path = f"{arguments['endpoint']}?api_key={SECRETS['parameter of the URL']}"
            server.on(path, guarded(say(body, headers=_JSON)))

    def asked(self) -> int:
        return len(self.server.requests)

    def stream(self, pieces: Callable[[], Iterable[bytes]], size_bytes: int) -> None:
        path = f"/observations?api_key={SECRETS['parameter of the URL']}"
        self.server.on(path, guarded(paced(pieces, size_bytes)))

    def stop(self) -> None:
        self.server.close()


_JSON = {
    "Content-Type": "application/json",
    "Set-Cookie": f"session={SECRETS['cookie of the answer']}",
    "ETag": '"1"',
}


def guarded(reply: Reply) -> Reply:
    """The reply, where every secret came along; else 401."""

    def check(exchange: Exchange) -> None:
        headers = exchange.request_.headers
        came = {
            headers.get("authorization")
            == f"Basic {SECRETS['the password, as basic authentication writes it']}",
            headers.get("x-subscription") == SECRETS["header of the connection"],
            SECRETS["cookie of the connection"] in headers.get("cookie", ""),
            headers.get("x-api-key") == SECRETS["header of the operator"],
            SECRETS["parameter of the URL"] in exchange.path,
        }
        (reply if came == {True} else say(b"who are you?", 401))(exchange)

    return check


@contextmanager
def serve_http(monkeypatch: pytest.MonkeyPatch, **extra: str) -> Iterator[HttpSource]:
    with wire() as server:
        server.connect(
            monkeypatch,
            password=SECRETS["password"],
            **{
                "X-Subscription": SECRETS["header of the connection"],
                "Cookie": f"session={SECRETS['cookie of the connection']}",
            },
            **extra,
        )
        yield HttpSource(server)


@dataclass
class HttpCase:
    """Two pages, linked by header."""

    name: str = "http"
    servers: tuple[str, ...] = ()
    streams: bool = True
    operator: type[BaseOperator] = ArchivingHttpOperator
    pages = (b'[{"high": 31}]\n', b'[{"high": 33}, {"high": 29}]\n')
    expected: bytes = b"".join(pages)
    payload_count: int = 2

    def readable(self, archived: bytes) -> bytes:
        return archived

    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Any:  # Any: a context manager of Source
        return serve_http(monkeypatch)

    @property
    def arguments(self) -> dict[str, Any]:  # Any: the operator's own
        return {
            "http_conn_id": "source",
            "endpoint": "/observations",
            "query": {"api_key": SECRETS["parameter of the URL"]},
            "headers": {"X-API-Key": SECRETS["header of the operator"]},
            "pagination": LinkHeader(),
            "attempts": 1,
        }

    @property
    def mapped(self) -> list[tuple[dict[str, Any], bytes]]:  # Any: the operator's own
        return [({"endpoint": f"/stations/{name}"}, name.encode()) for name in ("KSEA", "KBOS")]


@dataclass
class HttpExportCase(HttpCase):
    """The same two pages, as the result of an export that is ready at the first look."""

    name: str = "http-export"
    operator: type[BaseOperator] = ArchivingHttpExportOperator

    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Any:  # Any: a context manager of Source
        return serve_export(monkeypatch)

    @property
    def arguments(self) -> dict[str, Any]:  # Any: the operator's own
        key = f"api_key={SECRETS['parameter of the URL']}"
        export = Export(
            job="id", poll=f"/jobs/{{job}}?{key}", state="state", result=f"/{{job}}?{key}"
        )
        return {**super().arguments, "endpoint": "/exports/observations", "export": export}

    @property
    def mapped(self) -> list[tuple[dict[str, Any], bytes]]:  # Any: the operator's own
        return [({"endpoint": f"/exports/{name}"}, name.encode()) for name in ("KSEA", "KBOS")]


@contextmanager
def serve_export(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpSource]:
    with serve_http(monkeypatch) as source:
        key = f"api_key={SECRETS['parameter of the URL']}"
        for name in ("observations", "KSEA", "KBOS"):
            source.server.on(f"/exports/{name}?{key}", guarded(say(f'{{"id": "{name}"}}'.encode())))
            source.server.on(f"/jobs/{name}?{key}", guarded(say(b'{"state": "done"}')))
        for name in ("KSEA", "KBOS"):
            source.server.on(f"/{name}?{key}", guarded(say(name.encode(), headers=_JSON)))
        yield source


@dataclass
class HttpHookCase:
    """``HttpOperator`` with a pagination function: two calls of the hook."""

    name: str = "http"
    servers: tuple[str, ...] = ()
    hook: type[BaseHook] = ArchivingHttpHook
    bodies: tuple[bytes, ...] = HttpCase.pages
    xcom: tuple[str, ...] = tuple(page.decode() for page in HttpCase.pages)

    def readable(self, archived: bytes) -> bytes:
        return archived

    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Any:  # Any: a context manager of Source
        return serve_http(monkeypatch, entity=ENTITY)

    def build(self, **arguments: Any) -> BaseOperator:  # Any: BaseOperator's own arguments
        return HttpOperator(
            **{
                "task_id": "stock",
                "http_conn_id": "source",
                "method": "GET",
                "endpoint": "/observations",
                "data": {"api_key": SECRETS["parameter of the URL"]},
                "headers": {"X-API-Key": SECRETS["header of the operator"]},
                "pagination_function": _next_page,
                **arguments,
            }
        )

    def hook_of(self, stock: Any) -> Any:  # Any: the stock operator, and the registered hook
        return stock.hook

    def ask(self, hook: Any) -> bytes:  # Any: the registered hook
        answer = hook.run(
            "/observations",
            {"api_key": SECRETS["parameter of the URL"]},
            {"X-API-Key": SECRETS["header of the operator"]},
        )
        return bytes(answer.content)


def _next_page(response: Any) -> dict[str, Any] | None:  # Any: as HttpOperator has it
    url = response.links.get("next", {}).get("url")
    if url is None:
        return None
    # The archived link has lost its secret; an author takes parameters from the connection anyhow.
    return {"data": {"page": "2", "api_key": SECRETS["parameter of the URL"]}}


CASES: tuple[Case, ...] = (HttpCase(), HttpExportCase())
HOOK_CASES: tuple[HookCase, ...] = (HttpHookCase(),)
