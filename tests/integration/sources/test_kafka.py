"""Records from a broker: byte for byte, once, and acknowledged only after the commit."""

from __future__ import annotations

import io
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from confluent_kafka import Consumer, TopicPartition

from platform_ops import archive
from platform_ops.errors import SourceUnavailable
from platform_ops.settings import Settings
from platform_ops.sources.kafka import ArchivingKafkaOperator
from platform_ops.sources.topics.client import Topics
from platform_ops.testing.runner import TaskResult, run_task
from platform_ops.testing.supervisor import Supervisor
from tests.contract.kafka import RECORDS, BrokerSource, KafkaCase, expected, shown
from tests.servers import tansu
from tests.servers.certificate import self_signed

ENTITY = "shop.orders"
KIB = 1 << 10


@pytest.fixture(autouse=True)
def _archive(platform_archive: Settings) -> None:
    """Every test has an archive of its own."""


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> BrokerSource:
    return BrokerSource(monkeypatch, KafkaCase())


def capture(
    day: str, *topics: str, supervisor: Supervisor | None = None, **given: Any
) -> TaskResult:  # Any: the operator's own
    with DAG("stream"):
        task = ArchivingKafkaOperator(
            task_id="orders",
            entity=ENTITY,
            kafka_config_id="source",
            topics=list(topics),
            **{"retries": 2, "timeout_s": 10.0, **given},
        )
    return run_task(task, at=day, supervisor=supervisor or Supervisor())


def numbered(
    *numbers: int, partition: int = 0
) -> list[dict[str, Any]]:  # Any: Producer.produce's own
    return [
        {"key": None, "value": b"%d" % each, "timestamp": 1709596800000, "partition": partition}
        for each in numbers
    ]


def values(ran: TaskResult) -> list[str]:
    if ran.state == "skipped":
        return []
    assert ran.state == "success", ran.error
    rows = [row for batch in archive.batches(ran.xcom) for row in batch.to_pylist()]
    return [row["value"].decode() for row in rows]


def rewind(source: BrokerSource, offset: int) -> None:
    """Put the group where a crash, or somebody, may have left it."""
    consumer = Consumer({**source.broker.configuration, "group.id": source.group})
    consumer.commit(offsets=[TopicPartition(source.topic, 0, offset)], asynchronous=False)
    consumer.close()


def test_a_record_is_kept_byte_for_byte_and_other_tools_read_it(source: BrokerSource) -> None:
    source.broker.produce(source.topic, *RECORDS)
    ran = capture("2024-03-01", source.topic)
    assert ran.state == "success", ran.error
    assert shown(archive.open(ran.xcom).read()) == expected(*RECORDS)
    (url,) = ran.xcom["payload_urls"]
    told = duckdb.execute(
        'SELECT key, value, len(headers), headers[1].value, "offset", timestamp_type '
        f"FROM read_parquet('{url.removeprefix('file://')}') WHERE partition = 1"
    ).fetchall()
    assert told == [(b"\x00\xff", b"\xff\xff\xff", 2, b"\xfe", 0, "create")]
    assert ran.xcom["rows"] == len(RECORDS)


def test_each_run_takes_what_is_new_and_the_group_follows(source: BrokerSource) -> None:
    broker, topic = source.broker, source.topic
    broker.produce(topic, *numbered(1, 2))
    assert broker.committed(source.group, topic) < 0
    assert values(capture("2024-03-01", topic)) == ["1", "2"]
    assert broker.committed(source.group, topic) == 2
    empty = capture("2024-03-02", topic)
    assert (empty.state, empty.xcom) == ("skipped", None)
    assert len(list(archive.find(ENTITY))) == 1
    broker.produce(topic, *numbered(3))
    third = capture("2024-03-03", topic)
    assert values(third) == ["3"]
    told = json.loads(archive.manifest(third.xcom).watermark or "")
    assert (told["from"], told["to"]) == ({topic: {"0": 2, "1": 0}}, {topic: {"0": 3, "1": 0}})


def test_a_first_run_that_finds_nothing_remembers_where_the_topic_ended(
    source: BrokerSource,
) -> None:
    source.broker.produce(source.topic, *numbered(1))
    assert capture("2024-03-01", source.topic, start="latest").state == "skipped"
    source.broker.produce(source.topic, *numbered(2))
    assert values(capture("2024-03-02", source.topic, start="latest")) == ["2"]


@pytest.mark.parametrize("group_at", [0, 1, 3])
@pytest.mark.parametrize("store_kept", [True, False])
def test_the_archive_decides_wherever_a_crash_has_left_the_group(
    source: BrokerSource, group_at: int, store_kept: bool
) -> None:
    broker, topic = source.broker, source.topic
    store = Supervisor()
    broker.produce(topic, *numbered(1, 2))
    assert values(capture("2024-03-01", topic, supervisor=store)) == ["1", "2"]
    broker.produce(topic, *numbered(3, 4))
    rewind(source, group_at)
    if not store_kept:
        store.asset_store.clear()
    assert values(capture("2024-03-02", topic, supervisor=store)) == ["3", "4"]
    assert broker.committed(source.group, topic) == 4


def test_a_member_that_joins_in_the_middle_takes_no_record_away(
    source: BrokerSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, topic = source.broker, source.topic
    broker.produce(topic, *numbered(1, 2, 3), *numbered(7, 8, partition=1))
    other = Consumer({**broker.configuration, "group.id": source.group})
    read = Topics.read

    def joined(self: Topics, *arguments: Any) -> Any:
        other.subscribe([topic])
        for message in read(self, *arguments):
            other.poll(0.2)
            yield message

    monkeypatch.setattr(Topics, "read", joined)
    ran = capture("2024-03-01", topic)
    other.close()
    (held,) = archive.find(ENTITY)
    assert held.rows == 5
    assert "the group has other members; give this task a group of its own" in str(ran.error)
    broker.produce(topic, *numbered(4))
    monkeypatch.setattr(Topics, "read", read)
    # Tansu remembers a member that has left: so the group is left alone.
    assert values(capture("2024-03-02", topic, commit_offsets=False)) == ["4"]


def test_a_slot_that_is_filled_again_takes_the_same_records(source: BrokerSource) -> None:
    source.broker.produce(source.topic, *numbered(1, 2))
    first = capture("2024-03-01", source.topic)
    source.broker.produce(source.topic, *numbered(3))
    rewind(source, 3)
    again = capture("2024-03-01", source.topic, mode="refetch")
    assert values(again) == values(first) == ["1", "2"]
    assert source.broker.committed(source.group, source.topic) == 3, "never back"
    assert values(capture("2024-03-02", source.topic)) == ["3"]


def test_a_batch_ends_at_its_limits_and_no_partition_starves(source: BrokerSource) -> None:
    topic = source.topic
    source.broker.produce(topic, *numbered(1, 2, 3), *numbered(7, 8, partition=1))
    assert values(capture("2024-03-01", topic, max_records=2)) == ["1", "7"]
    assert values(capture("2024-03-02", topic, max_bytes=1)) == ["2", "8"]
    assert values(capture("2024-03-03", topic, max_s=0.0)) == ["3"]


def test_where_nothing_is_known_the_group_or_start_decides(source: BrokerSource) -> None:
    topic, other = source.topic, source.broker.topic()
    source.broker.produce(topic, *numbered(1, 2))
    source.broker.produce(other, *numbered(5))
    rewind(source, 1)
    assert values(capture("2024-03-01", topic)) == ["2"]
    assert capture("2024-03-02", other, start="latest").state == "skipped"


def test_a_topic_made_anew_is_a_gap_that_somebody_has_to_accept(source: BrokerSource) -> None:
    topic = source.topic
    source.broker.produce(topic, *numbered(1, 2, 3))
    assert values(capture("2024-03-01", topic)) == ["1", "2", "3"]
    source.broker.make_anew(topic)
    source.broker.produce(topic, *numbered(9))
    refused = capture("2024-03-02", topic)
    assert isinstance(refused.error, AirflowFailException)
    assert "ends at 1, and 3 was archived" in str(refused.error)
    assert values(capture("2024-03-02", topic, on_gap="accept")) == ["9"]


def test_a_topic_that_is_not_there_is_said_to_be(source: BrokerSource) -> None:
    ran = capture("2024-03-01", "nowhere")
    assert isinstance(ran.error, AirflowFailException), ran.error
    assert "check topics=" in str(ran.error)


def test_a_broker_that_is_away_is_asked_again_by_airflow(source: BrokerSource) -> None:
    source.stop()
    ran = capture("2024-03-01", source.topic, timeout_s=1.0)
    assert (ran.state, type(ran.error)) == ("up_for_retry", SourceUnavailable)


def test_a_certificate_that_nobody_vouches_for_is_refused(
    source: BrokerSource, tmp_path: Path
) -> None:
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(*self_signed(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client, suppress(OSError):
                        secure.wrap_socket(client, server_side=True).close()

        threading.Thread(target=greet, daemon=True).start()
        source.connect(listener.getsockname()[1], **{"security.protocol": "SSL"})
        ran = capture("2024-03-01", source.topic)
    assert isinstance(ran.error, AirflowFailException), ran.error
    assert "check the certificates" in str(ran.error)


def test_a_wrong_sign_in_is_no_matter_of_time(source: BrokerSource) -> None:
    with tansu.started("--authentication") as guarded:
        sign_in = {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.username": "anna",
        }
        source.connect(guarded.port, **sign_in)
        ran = capture("2024-03-01", source.topic)
    assert isinstance(ran.error, AirflowFailException), ran.error
    assert "check the sign-in in the connection's extra" in str(ran.error)
    assert "hunter2" not in str(ran.error)


def test_a_connection_that_lacks_something_says_what(
    source: BrokerSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SOURCE", '{"conn_type": "kafka", "extra": {"group.id": "a"}}')
    ran = capture("2024-03-01", source.topic)
    assert "lacks bootstrap.servers" in str(ran.error)
    source.connect(1, **{"no.such.property": "hunter2-value"})
    ran = capture("2024-03-01", source.topic)
    assert isinstance(ran.error, AirflowFailException)
    assert "hunter2" not in str(ran.error)


def test_a_kill_in_a_batch_leaves_nothing_and_the_next_try_takes_it_all(
    source: BrokerSource, platform_archive: Settings, tmp_path: Path
) -> None:
    records = [{"key": None, "value": os.urandom(512 * KIB), "timestamp": 1} for _ in range(40)]
    source.broker.produce(source.topic, *records)
    script = (
        "from tests.integration.sources.test_kafka import capture\n"
        f"capture('2024-03-01', {source.topic!r})\n"
    )
    root = Path(str(platform_archive.archive.root).removeprefix("file://"))
    with (tmp_path / "log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-c", script], env=dict(os.environ), stdout=log, stderr=log
        )
        deadline = time.monotonic() + 60
        while not any(each.stat().st_size for each in root.rglob("*") if each.is_file()):
            assert child.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.001)
        child.kill()
        child.wait()
    before = source.broker.committed(source.group, source.topic)
    assert (list(archive.find(ENTITY)), before) == ([], before)
    ran = capture("2024-03-01", source.topic)
    held = archive.open(ran.xcom).read()
    assert shown(held) == expected(*records)
    assert io.BytesIO(held).read(4) == b"PAR1"
    assert source.broker.committed(source.group, source.topic) == 40
