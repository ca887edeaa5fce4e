"""What the contract suite asks of one registered operator or hook, and what all cases share.

A case says how its source is served, how its operator is built, and which bytes must be archived.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, Protocol

import pytest
from airflow.sdk import DAG, BaseHook, BaseOperator

from platform_ops.ingest import ArchivingOperator
from platform_ops.provider_info import get_provider_info

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
    """One registered operator over one kind of source.

    :param name: Tells it apart from other cases, of the same operator too.
    :param servers: Real servers of ``tests.servers`` that it needs; a case without any is in the fast
        suite.
    :param expected: What is archived, as :meth:`readable` shows it.
    :param streams: Whether the source can answer with bytes that are made while they are sent; one
        that sends rows or whole messages cannot.
    """

    name: str
    servers: tuple[str, ...]
    operator: type[BaseOperator]
    expected: bytes
    payload_count: int
    streams: bool

    def readable(self, archived: bytes) -> bytes:
        """The archived bytes as they came; of a container, such as Parquet, what it holds."""

    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Any:  # Any: a context manager of Source
        """Serve the source, and tell Airflow of it as the connection ``source``; with all SECRETS."""

    @property
    def arguments(self) -> dict[str, Any]:  # Any: the operator's own
        """What the operator needs besides ``task_id`` and ``entity``."""

    @property
    def mapped(self) -> list[tuple[dict[str, Any], bytes]]:  # Any: the operator's own
        """Arguments of some instances of a mapped task, and the bytes of each."""


class HookCase(Protocol):
    """One registered hook, below the stock operator that finds it by connection type.

    :param name: Tells it apart from other cases, of the same hook too.
    :param servers: As in :class:`Case`.
    """

    name: str
    servers: tuple[str, ...]
    hook: type[BaseHook]
    xcom: Any  # Any: what the stock operator returns
    bodies: tuple[bytes, ...]

    def readable(self, archived: bytes) -> bytes:
        """As in :class:`Case`."""

    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Any:  # Any: a context manager of Source
        """As in :class:`Case`; the connection's extra names the entity ENTITY."""

    def build(self, **arguments: Any) -> BaseOperator:  # Any: BaseOperator's own arguments
        """The stock operator; it calls its hook once for each of ``bodies``."""

    def hook_of(self, stock: Any) -> Any:  # Any: the stock operator, and the registered hook
        """The hook that the stock operator has found."""

    def ask(self, hook: Any) -> bytes:  # Any: the registered hook
        """Call the hook as a script would; the first of ``bodies``."""


KEEPING = ("platform_ops.maintenance", "platform_ops.notify.watch")
"""Modules whose operators take nothing in: they keep what is there, and watch it."""


def registered_operators() -> set[type[BaseOperator]]:
    """Every operator that takes something in, in the modules that the provider registers."""
    return {
        each
        for group in get_provider_info()["operators"]
        for module in group["python-modules"]
        if not module.startswith(KEEPING)
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
