"""Real servers on loopback: each is started by the first test that needs it, and ended with the tests.

``running("postgres")`` is what ``tests/servers/postgres.py`` yields from its ``started()``: a context
manager that starts the program in a temporary folder, on a free port, and ends it by its id.
"""

from __future__ import annotations

from contextlib import ExitStack
from importlib import import_module
from typing import Any

_stack = ExitStack()
_running: dict[str, Any] = {}  # Any: each server's own handle


def running(name: str) -> Any:  # Any: each server's own handle
    """The server of this name, started if it does not run yet."""
    if name not in _running:
        server = import_module(f"tests.servers.{name}")
        _running[name] = _stack.enter_context(server.started())
    return _running[name]


def stop() -> None:
    """End every server that was started."""
    _running.clear()
    _stack.close()
