"""Work in a process of its own, which a proxy kills in the middle of a request."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Any, Final

from tests.fakes.faulty import FaultyProxy

_CLEAN: Final = multiprocessing.get_context("forkserver")
_CLEAN.set_forkserver_preload(["tests.archive.test_store_crashes", "tests.archive.strays"])


def killed(proxy: FaultyProxy, work: Callable[..., object], *arguments: Any) -> bool:
    """Whether the proxy killed it; the process starts without threads or open archives.

    :param work: A module's function, with arguments that can be pickled.
    """
    process = _CLEAN.Process(target=_alone, args=(dict(os.environ), work, arguments))
    started = threading.Event()

    def kill() -> None:
        started.wait()
        process.kill()
        wait([process.sentinel])

    proxy.kill = kill
    process.start()
    started.set()
    process.join()
    return process.exitcode == -signal.SIGKILL


def _alone(
    environment: dict[str, str], work: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    os.environ.update(environment)
    work(*arguments)
