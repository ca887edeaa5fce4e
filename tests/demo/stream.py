"""The demo's stream: a broker within this process, librdkafka's own, that speaks the real protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Producer

__all__ = ["stream"]

ORDERS = (
    ("SEA", {"order": 1, "item": "foghorn"}),
    ("SFO", {"order": 2, "item": "barometer"}),
    ("SEA", {"order": 3, "item": "rain gauge"}),
)
CANCELLED = "SFO"
FIRST_MS = 1448928000000  # 2015-12-01


@contextmanager
def stream() -> Iterator[str]:
    """The connection to it, as Airflow reads one from the environment; it ends with the block."""
    broker = Producer({"test.mock.num.brokers": 1, "log_level": 2})
    records = [(key, json.dumps(order).encode()) for key, order in ORDERS]
    for number, (key, value) in enumerate([*records, (CANCELLED, None)]):
        moment = FIRST_MS + 60_000 * number
        broker.produce(
            "orders", value, key, partition=0, timestamp=moment, headers=[("shop", b"web")]
        )
    broker.flush(30)
    (address,) = broker.list_topics(timeout=30).brokers.values()
    extra = {"bootstrap.servers": f"{address.host}:{address.port}", "group.id": "archive"}
    yield json.dumps({"conn_type": "kafka", "extra": extra})
    del broker  # the brokers live as long as it does
