"""Kafka: four records in two partitions, with all that a record can carry."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow.parquet as pq
import pytest
from airflow.sdk import BaseOperator

from platform_ops.sources.kafka import ArchivingKafkaOperator
from tests import servers
from tests.contract.case import SECRETS, Case, HookCase

RECORDS: tuple[dict[str, Any], ...] = (  # Any: Producer.produce's own
    {"partition": 0, "key": b"KSEA", "value": b'{"high": 31}', "timestamp": 1709596800000},
    {"partition": 0, "key": b"KSEA", "value": None, "timestamp": 1709596800001},
    {"partition": 0, "key": None, "value": b"", "timestamp": 1709596800002},
    {
        "partition": 1,
        "key": b"\x00\xff",
        "value": b"\xff" * 3,
        "headers": [("unit", b"\xfe"), ("unit", None)],
        "timestamp": 1709596800003,
    },
)


def shown(archived: bytes) -> bytes:
    """What a Parquet file of records holds, as text that compares well."""
    rows = pq.read_table(io.BytesIO(archived)).to_pylist()
    told = [
        [row["partition"], row["offset"], row["key"], row["value"], list(map(dict, row["headers"]))]
        for row in rows
    ]
    return repr(
        [[*each, row["timestamp"].timestamp()] for each, row in zip(told, rows, strict=True)]
    ).encode()


def expected(*records: dict[str, Any]) -> bytes:  # Any: Producer.produce's own
    """The same of records that were produced in this order, from offset 0 on."""
    offsets: dict[int, int] = {}
    rows = []
    for each in records:
        place = each.get("partition", 0)
        offset = offsets.get(place, 0)
        offsets[place] = offset + 1
        headers = [{"key": key, "value": value} for key, value in each.get("headers", ())]
        rows.append([place, offset, each["key"], each["value"], headers, each["timestamp"] / 1000])
    return repr(sorted(rows, key=lambda row: row[:2])).encode()


class BrokerSource:
    """A broker that many tests share: each has topics and a group of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, case: KafkaCase) -> None:
        self.broker = servers.running("tansu")
        self._monkeypatch = monkeypatch
        self.topic = self.broker.topic(partitions=2)
        self.group = f"group-of-{self.topic}"
        self._before = self.broker.bootstrap.accepted
        self.connect(self.broker.bootstrap.port)
        case.topic, case.others = self.topic, [self.broker.topic() for _ in case.names]

    def connect(self, port: int, **extra: Any) -> None:  # Any: librdkafka's values
        configuration = {
            "bootstrap.servers": f"127.0.0.1:{port}",
            "group.id": self.group,
            "sasl.password": SECRETS["password"],
            **extra,
        }
        plain = {"conn_type": "kafka", "extra": configuration}
        self._monkeypatch.setenv("AIRFLOW_CONN_SOURCE", json.dumps(plain))

    def asked(self) -> int:
        return int(self.broker.bootstrap.accepted - self._before)

    def stream(self, *_: object) -> None:
        raise AssertionError("a record is there whole, or not at all")

    def stop(self) -> None:
        self.connect(1)


@dataclass
class KafkaCase:
    """All records of one topic."""

    name: str = "kafka"
    servers: tuple[str, ...] = ("tansu",)
    streams: bool = False
    operator: type[BaseOperator] = ArchivingKafkaOperator
    expected: bytes = expected(*RECORDS)
    payload_count: int = 1
    topic: str = ""
    names: tuple[str, ...] = ("KSEA", "KBOS")
    others: list[str] = field(default_factory=list)

    def readable(self, archived: bytes) -> bytes:
        return shown(archived)

    @contextmanager
    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:  # Any: a Source
        source = BrokerSource(monkeypatch, self)
        source.broker.produce(self.topic, *RECORDS)
        for name, topic in zip(self.names, self.others, strict=True):
            source.broker.produce(topic, _record(name))
        yield source

    @property
    def arguments(self) -> dict[str, Any]:  # Any: the operator's own
        # A retry that adopts asks nothing: so offsets are committed in tests of their own.
        fixed = {"kafka_config_id": "source", "timeout_s": 5.0, "commit_offsets": False}
        return {**fixed, "topics": [self.topic]}

    @property
    def mapped(self) -> list[tuple[dict[str, Any], bytes]]:  # Any: the operator's own
        topics = self.others or self.names
        return [
            ({"topics": [topic]}, expected(_record(name)))
            for topic, name in zip(topics, self.names, strict=True)
        ]


def _record(name: str) -> dict[str, Any]:  # Any: Producer.produce's own
    return {"key": None, "value": name.encode(), "timestamp": 1709596800000}


CASES: tuple[Case, ...] = (KafkaCase(),)
HOOK_CASES: tuple[HookCase, ...] = ()
