"""One huge attachment, and records without number: memory stays flat, as it does for rows and files."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from platform_ops import archive
from platform_ops.settings import Settings
from tests import servers
from tests.contract.kafka import BrokerSource, KafkaCase
from tests.contract.mail import DovecotSource
from tests.servers import tansu

MIB = 1 << 20
ENTITY = "office.deliveries"
ONE_TASK = f"""
import json
import sys

from airflow.sdk import DAG

import platform_ops
from platform_ops.testing.runner import run_task

name, day, arguments = sys.argv[1:]
with DAG("sizes"):
    task = getattr(platform_ops, name)(task_id="take", entity="{ENTITY}", **json.loads(arguments))
ran = run_task(task, at=day)
assert ran.state == "success", repr(ran.error)
status = open("/proc/self/status").read()
print(json.dumps([ran.xcom, int(status.split("VmHWM:")[1].split()[0]) >> 10]))
"""


@pytest.fixture(autouse=True)
def _archive(platform_archive: Settings) -> None:
    """Every test has an archive of its own."""


def taken(operator: str, day: str, **arguments: object) -> tuple[dict[str, object], int]:
    """The reference of what one task has archived, and the most memory that it took, in MiB."""
    command = [sys.executable, "-c", ONE_TASK, operator, day, json.dumps(arguments)]
    child = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert child.returncode == 0, child.stderr + child.stdout
    reference, peak_mib = json.loads(child.stdout.splitlines()[-1])
    return reference, peak_mib


LINE = bytes(range(57))


def message(size_bytes: int) -> Iterator[bytes]:
    """A message with one attachment of this size, to whole lines."""
    yield (
        b"Subject: the year\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
        b"Content-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="year.bin"\r\n\r\n'
    )
    block = (base64.b64encode(LINE) + b"\r\n") * 1024
    for _ in range(size_bytes // (len(LINE) * 1024)):
        yield block


def test_a_hundred_times_the_attachment_takes_no_more_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dovecot, peaks = servers.running("dovecot"), list[int]()
    for day, size_bytes in (("2024-03-05", 5 * MIB), ("2024-03-06", 500 * MIB)):
        login = str(dovecot.account())
        DovecotSource(login, monkeypatch)
        dovecot.deliver_large(login, message(size_bytes))
        reference, peak_mib = taken(
            "ArchivingImapOperator", day, imap_conn_id="source", max_bytes=1 << 40
        )
        whole, attachment = archive.bodies(reference)
        assert attachment.size_bytes == size_bytes // (57 * 1024) * 57 * 1024
        assert whole.size_bytes > attachment.size_bytes * 78 // 57
        with attachment.open() as body:
            assert body.read(114) == LINE * 2
        peaks.append(peak_mib)
    assert peaks[1] <= peaks[0] + 500 // 3, peaks


def test_three_times_the_records_take_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks: list[int] = []
    counts = {"2024-03-05": 40_000, "2024-03-06": 120_000}  # the first is past two row groups
    with tansu.started() as broker:
        for day, count in counts.items():
            source = BrokerSource(monkeypatch, KafkaCase())
            source.connect(broker.port)
            topic = broker.topic()
            broker.produce_many(topic, (b"%08d" % each * 1024 for each in range(count)))
            reference, peak_mib = taken(
                "ArchivingKafkaOperator", day, kafka_config_id="source", topics=[topic]
            )
            assert reference["rows"] == count + 1
            peaks.append(peak_mib)
    held_mib = 80_000 * 8192 // MIB
    assert peaks[1] <= peaks[0] + held_mib // 3, peaks
