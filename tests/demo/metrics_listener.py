"""A StatsD server of a few lines: receives Airflow's metrics over UDP, and adds them up."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

__all__ = ["Listener", "Series"]

# name,tag=value,tag=value:value|kind: StatsD with the tags of InfluxDB
_LINE = re.compile(
    r"(?P<name>[^,:|]+)(?P<tags>(?:,[^,=:|]+=[^,=:|]*)*):(?P<value>[^|]+)\|(?P<kind>c|ms|g)"
)

Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class Series:
    """What arrived under one name and set of tags.

    :param total: Sum of a counter, or of a timer in milliseconds; the last value of a gauge.
    """

    kind: str
    count: int = 0
    total: float = 0.0


@dataclass(slots=True)
class Listener:
    """What was received so far.

    :param port: UDP port on 127.0.0.1.
    """

    port: int
    packets: int = 0
    _series: dict[Key, Series] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Listener]:
        """Listen on a free port until the block ends."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.settimeout(0.2)
            listener = cls(server.getsockname()[1])
            stopped = Event()
            thread = Thread(target=listener._listen, args=(server, stopped))
            thread.start()
            try:
                yield listener
            finally:
                stopped.set()
                thread.join()

    def environment(self) -> dict[str, str]:
        """What makes Airflow send its metrics here, with tags."""
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self.port),
            "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
        }

    def series(self, prefix: str) -> dict[Key, Series]:
        """What arrived under names that start so; keys are name and tags."""
        with self._lock:
            return {
                key: found
                for key, found in sorted(self._series.items())
                if key[0].startswith(prefix)
            }

    def total(self, name: str) -> float:
        """Sum of a counter over all its tags."""
        return sum(found.total for key, found in self.series(name).items() if key[0] == name)

    def _listen(self, server: socket.socket, stopped: Event) -> None:
        while not stopped.is_set():
            try:
                packet = server.recv(65_535)
            except TimeoutError:
                continue
            with self._lock:
                self.packets += 1
                for line in packet.decode("utf-8", "replace").splitlines():
                    self._take(line)

    def _take(self, line: str) -> None:
        hit = _LINE.match(line)
        if hit is None:
            return
        tags = tuple(sorted(tuple(tag.split("=", 1)) for tag in hit["tags"].split(",")[1:]))
        found = self._series.setdefault((hit["name"], tags), Series(hit["kind"]))
        found.count += 1
        found.total = float(hit["value"]) + (0.0 if hit["kind"] == "g" else found.total)
