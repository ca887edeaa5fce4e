"""No child survives the demo, whatever it does with signals, sessions and process groups."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import psutil
import pytest

from tests.demo.airflow import free_port
from tests.demo.processes import DemoFailed, Nursery, poll

STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)  # as Airflow does with each task
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), flush=True)
time.sleep(600)
"""


def test_the_end_takes_grandchildren_in_groups_of_their_own(tmp_path: Path) -> None:
    nursery = Nursery(tmp_path)
    child = nursery.start("stubborn", [sys.executable, "-c", STUBBORN], os.environ, tmp_path)
    poll(lambda: len(child.log.read_text().split()) == 3, "three processes", 20)
    pids = [int(pid) for pid in child.log.read_text().split()]
    assert all(psutil.pid_exists(pid) for pid in pids)

    nursery.end(grace_s=0.2)

    assert [pid for pid in pids if _runs(pid)] == []


def test_a_child_that_fails_is_named_with_its_log(tmp_path: Path) -> None:
    with Nursery.opened(tmp_path) as nursery:
        code = "import sys; sys.exit('no such table')"
        child = nursery.start("database", [sys.executable, "-c", code], os.environ, tmp_path)
        with pytest.raises(DemoFailed, match="database ended with exit code 1") as failure:
            child.finish(timeout_s=20)
    assert failure.value.log is not None
    assert failure.value.log.read_text() == "no such table\n"


def test_a_wait_in_vain_says_what_for() -> None:
    with pytest.raises(DemoFailed, match="waited 0 s for snow, in vain"):
        poll(lambda: False, "snow", timeout_s=0)


def test_a_taken_port_is_refused_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(DemoFailed, match=rf"port {port} .*another one with --port"):
            free_port(port)
    assert free_port(port) == port


def _runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
