"""Files of any size: memory stays flat, and a kill in the middle leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from platform_ops import archive
from tests import servers

MIB = 1 << 20

ONE_TASK = """
import json
import sys

from airflow.sdk import DAG

import platform_ops
from platform_ops.testing.runner import run_task

with DAG("files"):
    task = getattr(platform_ops, sys.argv[1])(
        task_id="take", entity="erp.large", **json.loads(sys.argv[2])
    )
ran = run_task(task, at="2024-03-05", run_id=task.files)
assert ran.state == "success", repr(ran.error)
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]) >> 10)
"""


@dataclass(frozen=True)
class Source:
    """A place that a file can be put to, and how a task takes it from there.

    :param size_mib: What counts as large there; the S3 server of the tests holds objects in memory.
    """

    operator: str
    arguments: dict[str, Any]  # Any: JSON values
    put: Callable[[str, Path], None]
    size_mib: int = 1024


@contextmanager
def local() -> Iterator[Source]:
    with TemporaryDirectory() as name:
        yield _in_a_folder("ArchivingLocalFilesOperator", {"folder": name}, Path(name))


@contextmanager
def sftp() -> Iterator[Source]:
    server = servers.running("sshd")
    os.environ["AIRFLOW_CONN_ERP"] = server.connection()
    with TemporaryDirectory(dir=server.folder) as name:
        given = {"folder": name, "sftp_conn_id": "erp"}
        yield _in_a_folder("ArchivingSftpOperator", given, Path(name))


@contextmanager
def ftp() -> Iterator[Source]:
    server = servers.running("vsftpd")
    os.environ["AIRFLOW_CONN_ERP"] = server.connection("ftp")
    with TemporaryDirectory(dir=server.folder) as name:
        Path(name).chmod(0o755)
        given = {"folder": f"/{Path(name).name}", "ftp_conn_id": "erp"}
        yield _in_a_folder("ArchivingFtpOperator", given, Path(name))


@contextmanager
def s3() -> Iterator[Source]:
    server = servers.running("moto").server
    bucket, client = server.new_bucket(), server.client()
    extra = {"endpoint_url": server.url, "region_name": "us-east-1"}
    about = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": extra}
    os.environ["AIRFLOW_CONN_ERP"] = json.dumps(about)

    def put(name: str, file: Path) -> None:
        with file.open("rb") as body:
            client.put_object(Bucket=bucket, Key=name, Body=body)

    yield Source(
        "ArchivingObjectStoreOperator", {"folder": f"s3://{bucket}", "conn_id": "erp"}, put, 256
    )


def _in_a_folder(operator: str, arguments: dict[str, Any], folder: Path) -> Source:
    def put(name: str, file: Path) -> None:
        file.replace(folder / name)

    return Source(operator, arguments, put)


SOURCES = {each.__name__: each for each in (local, sftp, ftp, s3)}


@pytest.fixture(params=list(SOURCES))
def source(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Source]:
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", f"file://{tmp_path}/archive")
    monkeypatch.setenv("AIRFLOW_CONN_ERP", "")
    with SOURCES[request.param]() as found:
        yield found


def made(folder: Path, size_mib: int) -> Path:
    """A file of which each MiB is another, with a hole in each."""
    file = folder / "made"
    with file.open("wb") as body:
        for number in range(size_mib):
            body.seek(number * MIB)
            body.write(number.to_bytes(4, "big") * 1024)
        body.truncate(size_mib * MIB)
    file.chmod(0o644)
    return file


def started(source: Source, files: str) -> subprocess.Popen[str]:
    given = json.dumps({**source.arguments, "files": files})
    command = [sys.executable, "-c", ONE_TASK, source.operator, given]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)


def peak_mib(source: Source, files: str) -> int:
    child = started(source, files)
    told, _ = child.communicate()
    assert child.returncode == 0
    return int(told.splitlines()[-1])


def test_a_large_file_takes_no_more_memory_than_a_small_one(source: Source, tmp_path: Path) -> None:
    source.put("small.bin", made(tmp_path, 1))
    source.put("large.bin", made(tmp_path, source.size_mib))
    small, large = (peak_mib(source, files) for files in ("small.bin", "large.bin"))
    assert archive.newest("erp.large").size_bytes >= source.size_mib * MIB
    print(f"{source.operator}: {small} MiB for 1 MiB, {large} MiB for {source.size_mib} MiB")
    assert large <= small + source.size_mib // 3, (small, large)


def test_a_kill_in_the_middle_of_a_file_leaves_nothing_and_the_retry_takes_it_whole(
    source: Source, tmp_path: Path
) -> None:
    size_mib = 256
    source.put("large.bin", made(tmp_path, size_mib))
    child = started(source, "large.bin")
    files, deadline = (tmp_path / "archive").rglob, time.monotonic() + 120
    while not any(each.stat().st_size > 8 * MIB for each in files(".tmp/*")):
        assert child.poll() is None, "it was over before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    child.kill()
    child.communicate()
    assert list(archive.find("erp.large")) == []
    peak_mib(source, "large.bin")
    (found,) = archive.find("erp.large")
    with archive.open(found) as body:
        for number in range(size_mib):
            block = body.read(MIB)
            assert block[:8] == number.to_bytes(4, "big") * 2
            assert len(block) == MIB
        assert body.read(1) == b""
