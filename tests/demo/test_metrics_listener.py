"""What Airflow's StatsD client sends is added up by name and tags."""

from __future__ import annotations

import socket

from tests.demo.metrics_listener import Listener
from tests.demo.processes import poll

TWO_LINES = b"""airflow.platform_ops.bytes,source=faa,entity=airports:8|c
airflow.platform_ops.duration,source=faa,entity=airports:12.500000|ms"""
PACKETS = [
    b"airflow.platform_ops.bytes,source=noaa,entity=daily:40|c",
    b"airflow.platform_ops.bytes,source=noaa,entity=daily:2|c",
    TWO_LINES,
    b"airflow.pool.open_slots,pool_name=default:128|g",
    b"airflow.pool.open_slots,pool_name=default:127|g",
    b"airflow.scheduler_heartbeat:1|c",
    b"no metric at all",
]


def test_counters_add_up_and_gauges_keep_the_last_value() -> None:
    with Listener.started() as listener, socket.socket(type=socket.SOCK_DGRAM) as client:
        for packet in PACKETS:
            client.sendto(packet, ("127.0.0.1", listener.port))
        poll(lambda: listener.packets == len(PACKETS), "all packets", 10)

        daily = (("entity", "daily"), ("source", "noaa"))
        airports = (("entity", "airports"), ("source", "faa"))
        totals = {key: found.total for key, found in listener.series("").items()}
        assert totals == {
            ("airflow.platform_ops.bytes", daily): 42.0,
            ("airflow.platform_ops.bytes", airports): 8.0,
            ("airflow.platform_ops.duration", airports): 12.5,
            ("airflow.pool.open_slots", (("pool_name", "default"),)): 127.0,
            ("airflow.scheduler_heartbeat", ()): 1.0,
        }
        assert listener.total("airflow.platform_ops.bytes") == 50.0
        assert list(listener.series("airflow.platform_ops.d")) == [
            ("airflow.platform_ops.duration", airports)
        ]
