"""Sensors over files, and their trigger in an event loop as the triggerer has one."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from platform_ops.settings import Settings
from platform_ops.sources.files import ArchivingLocalFilesOperator
from platform_ops.sources.folders.sensors import ArchivingLocalFilesSensor, ArchivingSftpSensor
from platform_ops.sources.folders.triggers import FilesTrigger
from platform_ops.testing.runner import run_task
from tests.fakes.sftp import sftp_server

ENTITY = "erp.orders"


def sensor(folder: Path, **arguments: Any) -> ArchivingLocalFilesSensor:
    with DAG("wait"):
        return ArchivingLocalFilesSensor(
            task_id="wait", entity=ENTITY, folder=str(folder), poke_interval=0.05, **arguments
        )


async def fired(trigger: FilesTrigger) -> dict[str, Any]:
    async for event in trigger.run():
        payload: dict[str, Any] = event.payload
        return payload
    raise AssertionError("the trigger ended without an event")


def test_a_file_that_is_there_is_not_waited_for(tmp_path: Path, platform_archive: Settings) -> None:
    (tmp_path / "a.csv").write_bytes(b"1\n")
    assert run_task(sensor(tmp_path), at="2024-03-05").state == "success"


def test_where_nothing_is_new_the_triggerer_waits(
    tmp_path: Path, platform_archive: Settings
) -> None:
    (tmp_path / "a.csv").write_bytes(b"1\n")
    with DAG("take"):
        operator = ArchivingLocalFilesOperator(task_id="take", entity=ENTITY, folder=str(tmp_path))
    assert run_task(operator, at="2024-03-05").state == "success"
    waiting = sensor(tmp_path, timeout=60)
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute({})
    path, kept = deferred.value.trigger.serialize()
    assert json.loads(json.dumps(kept)) == kept
    assert not ({"password", "login"} & set(kept))
    trigger = FilesTrigger(**kept)
    assert path == f"{FilesTrigger.__module__}.FilesTrigger"

    async def arrival() -> dict[str, Any]:
        task = asyncio.create_task(fired(trigger))
        await asyncio.sleep(0.2)
        assert not task.done()
        (tmp_path / "b.csv").write_bytes(b"2\n")
        return await asyncio.wait_for(task, 30)

    event = asyncio.run(arrival())
    assert event == {"files": 1}
    waiting.execute_complete({}, event)


def test_a_file_that_is_still_written_does_not_count(
    tmp_path: Path, platform_archive: Settings
) -> None:
    growing = tmp_path / "a.csv"
    growing.write_bytes(b"1\n")
    trigger = sensor(tmp_path, stable_s=0.4).trigger

    async def rested() -> tuple[dict[str, Any], float]:
        task = asyncio.create_task(fired(trigger))
        written_s = time.monotonic()
        for _ in range(10):
            await asyncio.sleep(0.1)
            if task.done():  # on a busy machine a pause may last long enough to count
                break
            written_s = time.monotonic()
            with growing.open("ab") as file:
                file.write(b"more\n")
        return await asyncio.wait_for(task, 30), time.monotonic() - written_s

    event, rest_s = asyncio.run(rested())
    assert event == {"files": 1}
    assert rest_s >= 0.4


def test_a_worker_may_wait_itself(tmp_path: Path, platform_archive: Settings) -> None:
    waiting = sensor(tmp_path, deferrable=False, done="{name}.done", timeout=60)
    (tmp_path / "a.csv").write_bytes(b"1\n")
    assert not waiting.poke({})
    (tmp_path / "a.csv.done").touch()
    assert run_task(waiting, at="2024-03-05").state == "success"


def test_a_refused_login_ends_the_wait_and_an_absence_does_not(
    tmp_path: Path, platform_archive: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sftp_server(tmp_path) as server:
        fields = json.loads(server.connection())
        monkeypatch.setenv("AIRFLOW_CONN_ERP", json.dumps({**fields, "password": "wrong"}))
        waiting = ArchivingSftpSensor(
            task_id="wait", entity=ENTITY, folder=".", sftp_conn_id="erp", poke_interval=0.05
        )
        event = asyncio.run(fired(waiting.trigger))
        assert "refuses the login" in event["error"]
        with pytest.raises(AirflowFailException, match="SourceRejected"):
            waiting.execute_complete({}, event)
    # Nobody listens there any more: it is asked again, and again.
    assert waiting.poke({}) is False
    assert "wrong" not in repr(event)
    assert os.listdir(tmp_path) == []  # noqa: PTH208  # plainly
