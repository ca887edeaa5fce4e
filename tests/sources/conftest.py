"""An operator that is run against a server, and a disk that runs full, as the kernel says it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from platform_ops.settings import Settings
from platform_ops.sources.http import ArchivingHttpOperator
from platform_ops.testing.runner import TaskResult, run_task
from tests.fakes.wire import Wire
from tests.sources.outcomes import ENTITY, Fetch


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """``write(2)`` takes one MiB in all below the archive, and then has no space left."""
    real, left = os.write, [1 << 20]

    def write(descriptor: int, data: bytes) -> int:
        if ".tmp" not in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            return real(descriptor, data)
        if left[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done = real(descriptor, data[: left[0]])
        left[0] -= done
        return done

    monkeypatch.setattr(os, "write", write)


@pytest.fixture
def fetch(server: Wire, platform_archive: Settings, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    """Run the operator against the server; without retries left, and with hardly any waiting."""
    server.connect(monkeypatch, password="hunter2", **{"X-API-Key": "hunter3"})
    monkeypatch.setattr("platform_ops.sources.web.delivery._BACKOFF", lambda _: 0.0)

    def run(run: dict[str, Any] | None = None, **arguments: Any) -> TaskResult:
        given = {"endpoint": "/f", "http_conn_id": "source", "retries": 2, **arguments}
        with DAG("weather"):
            operator = ArchivingHttpOperator(task_id="forecast", entity=ENTITY, **given)
        return run_task(operator, **{"at": "2024-03-05", **(run or {})})

    return run
