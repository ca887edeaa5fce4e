"""What the contract suite knows of each registered operator and hook: one case, and nothing more.

A case says how its source is served, how its operator is built, and which bytes must be archived. An
operator or hook that is registered and has no case here fails the suite by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import pytest
from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG, BaseHook, BaseOperator

from platform_ops.ingest import ArchivingOperator
from platform_ops.provider_info import get_provider_info
from platform_ops.sources.http import ArchivingHttpHook, ArchivingHttpOperator, LinkHeader
from tests.fakes.wire import Exchange, Reply, Wire, paced, say, wire

DAY = "2024-03-05"
ENTITY = "weather.observations"
SECRETS = {
    "password": "hunter2-password",
    "header of the connection": "hunter2-connection-header",
    "cookie of the connection": "hunter2-cookie",
    "cookie of the answer": "hunter2-set-cookie",
    "header of the operator": "hunter2-operator-header",
    "parameter of the URL": "hunter2-parameter",
    "the password, as basic authentication writes it": "dXNlcjpodW50ZXIyLXBhc3N3b3Jk",
}


class Source(Protocol):
    """The outside system, from behind."""

    def asked(self) -> int:
        """How many requests it got."""

    def stream(self, pieces: Callable[[], Iterable[bytes]], size_bytes: int) -> None:
        """Answer from now on with one body, made while it is sent."""

    def stop(self) -> None:
        """Be out of reach from now on."""


class Case(Protocol):
    """One registered operator."""

    operator: type[BaseOperator]
    expected: bytes
    payload_count: int

    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Any:  # Any: a context manager of Source
        """Serve the source, and tell Airflow of it as the connection ``source``; with all SECRETS."""

    @property
    def arguments(self) -> dict[str, Any]:  # Any: the operator's own
        """What the operator needs besides ``task_id`` and ``entity``."""

    @property
    def mapped(self) -> list[tuple[dict[str, Any], bytes]]:  # Any: the operator's own
        """Arguments of some instances of a mapped task, and the bytes of each."""


class HttpSource:
    """Two pages of observations, for those who know every secret."""

    def __init__(self, server: Wire) -> None:
        self._server = server
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
        return len(self._server.requests)

    def stream(self, pieces: Callable[[], Iterable[bytes]], size_bytes: int) -> None:
        path = f"/observations?api_key={SECRETS['parameter of the URL']}"
        self._server.on(path, guarded(paced(pieces, size_bytes)))

    def stop(self) -> None:
        self._server.close()


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

    operator: type[BaseOperator] = ArchivingHttpOperator
    pages = (b'[{"high": 31}]\n', b'[{"high": 33}, {"high": 29}]\n')
    expected: bytes = b"".join(pages)
    payload_count: int = 2

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


KEEPING = ("platform_ops.maintenance",)
"""Modules whose operators take nothing in: they keep what is there."""

CASES: tuple[Case, ...] = (HttpCase(),)


class HookCase(Protocol):
    """One registered hook, below the stock operator that finds it by connection type."""

    hook: type[BaseHook]
    xcom: Any  # Any: what the stock operator returns
    bodies: tuple[bytes, ...]

    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Any:  # Any: a context manager of Source
        """As in :class:`Case`; the connection's extra names the entity ENTITY."""

    def build(self, **arguments: Any) -> BaseOperator:  # Any: BaseOperator's own arguments
        """The stock operator; it calls its hook once for each of ``bodies``."""

    def ask(self, hook: Any) -> bytes:  # Any: the registered hook
        """Call the hook as a script would; the first of ``bodies``."""


@dataclass
class HttpHookCase:
    """``HttpOperator`` with a pagination function: two calls of the hook."""

    hook: type[BaseHook] = ArchivingHttpHook
    bodies: tuple[bytes, ...] = HttpCase.pages
    xcom: tuple[str, ...] = tuple(page.decode() for page in HttpCase.pages)

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


HOOK_CASES: tuple[HookCase, ...] = (HttpHookCase(),)


def registered_operators() -> set[type[BaseOperator]]:
    """Every operator that takes something in, in the modules that the provider registers."""
    return {
        each
        for group in get_provider_info()["operators"]
        for module in group["python-modules"]
        if module not in KEEPING
        for each in _public(module)
        if isinstance(each, type) and issubclass(each, BaseOperator)
    }


def registered_hooks() -> set[type[BaseHook]]:
    """Every hook in the modules and connection types that the provider registers."""
    info = get_provider_info()
    found = {
        each
        for group in info["hooks"]
        for module in group["python-modules"]
        for each in _public(module)
        if isinstance(each, type) and issubclass(each, BaseHook)
    }
    for kind in info["connection-types"]:
        module, _, name = kind["hook-class-name"].rpartition(".")
        found.add(getattr(import_module(module), name))
    return found


def uncovered(registered: Iterable[type], covered: Iterable[type]) -> list[str]:
    """Names of the registered classes that no case covers."""
    return sorted(f"{each.__module__}.{each.__name__}" for each in set(registered) - set(covered))


def _public(module: str) -> list[object]:
    found = import_module(module)
    return [getattr(found, name) for name in found.__all__]


def build(case: Case, **arguments: Any) -> BaseOperator:  # Any: the operator's own
    """The case's operator, as the only task of a DAG."""
    with DAG("contract"):
        return case.operator(
            task_id="capture", **{"entity": ENTITY, "retries": 2, **case.arguments, **arguments}
        )


def build_mapped(case: Case, **arguments: Any) -> Any:  # Any: a mapped operator
    """The case's operator, mapped, each instance with its own ``map_key``."""
    given = [each for each, _ in case.mapped]
    fixed = {name: value for name, value in case.arguments.items() if name not in given[0]}
    rows = [{**each, "map_key": f"key-{number}"} for number, each in enumerate(given)]
    operator: Any = case.operator  # Any: partial() of our own class
    with DAG("contract"):
        return operator.partial(
            task_id="capture", **{"entity": ENTITY, **fixed, **arguments}
        ).expand_kwargs(rows)


def is_archiving(operator: type[BaseOperator]) -> bool:
    return issubclass(operator, ArchivingOperator)


def as_json(value: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON values
    """The value after a trip through JSON, as XCom makes it."""
    plain: dict[str, Any] = json.loads(json.dumps(value))
    return plain
