"""Memory while a body goes from HTTP to the archive: flat, whatever its size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_ops import archive
from tests.fakes.s3 import S3Server
from tests.fakes.wire import Wire, paced

MIB = 1 << 20
SIZE_BYTES = 256 * MIB
LIMIT_BYTES = 120 * MIB

CAPTURE = """
import json, psutil, re
from pathlib import Path
from airflow.sdk import DAG
from platform_ops import ArchivingHttpOperator, archive
from platform_ops.testing.runner import run_task

def capture(endpoint):
    with DAG("memory"):
        operator = ArchivingHttpOperator(
            task_id="big", entity="memory.big", endpoint=endpoint, http_conn_id="source"
        )
    ran = run_task(operator, at="2024-03-05", run_id=endpoint)
    assert ran.state == "success", ran.error
    return ran.xcom

capture("/small")  # everything is imported, and every pool is there
before = psutil.Process().memory_info().rss
reference = capture("/big")
# Not ru_maxrss: that of a new program starts at the peak of the process that started it.
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
print(json.dumps({"above_bytes": peak - before, "reference": reference}))
"""


@pytest.fixture(params=["disk", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "disk":
        url = f"file://{tmp_path}/archive"
    else:
        server: S3Server = request.getfixturevalue("s3_server")
        url = f"s3://{request.getfixturevalue('s3_bucket')}/archive"
        assert server.url
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", url)
    return url


def test_a_big_body_takes_little_memory(
    server: Wire, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = os.urandom(MIB)

    def pieces() -> Iterator[bytes]:
        return (block for _ in range(SIZE_BYTES // MIB))

    server.connect(monkeypatch)
    server.on("/small", paced(lambda: [b"x"], 1))
    server.on("/big", paced(pieces, SIZE_BYTES))
    ran = subprocess.run(
        [sys.executable, "-c", CAPTURE],
        check=False,
        env=dict(os.environ),
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    print(f"{root}: {found['above_bytes'] / MIB:.0f} MiB above the bare process")
    assert found["above_bytes"] < LIMIT_BYTES
    assert archive.manifest(found["reference"]).size_bytes == SIZE_BYTES
