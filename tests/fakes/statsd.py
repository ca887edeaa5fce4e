"""The far end of statsd: a UDP socket that keeps what Airflow's real client sends."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

_LINE = re.compile(r"(?P<name>[^,:|]+)(?P<tags>(?:,[^:|]*)?):(?P<value>[^|]+)\|(?P<kind>.+)")


@dataclass(frozen=True)
class Emitted:
    """One line of statsd's protocol, with tags in InfluxDB's style.

    :param kind: ``c`` for a counter, ``ms`` for a timer.
    """

    name: str
    tags: dict[str, str]
    value: float
    kind: str

    @classmethod
    def parse(cls, line: str) -> Self:
        found = _LINE.fullmatch(line)
        assert found is not None, line
        pairs = [pair.split("=", 1) for pair in found["tags"].split(",") if pair]
        return cls(found["name"], dict(pairs), float(found["value"]), found["kind"])


@dataclass
class Listener:
    """What arrived so far."""

    socket: socket.socket

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def lines(self) -> list[str]:
        """Every line since the last call; on loopback a datagram is here once it was sent."""
        found = []
        while True:
            try:
                found += self.socket.recv(65536).decode().splitlines()
            except BlockingIOError:
                return found

    def ours(self) -> list[Emitted]:
        """The platform's metrics among them, without Airflow's prefix."""
        own = [line for line in self.lines() if line.startswith("airflow.platform_ops.")]
        return [Emitted.parse(line.removeprefix("airflow.")) for line in own]


@contextmanager
def listener() -> Iterator[Listener]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        end.bind(("127.0.0.1", 0))
        end.setblocking(False)
        yield Listener(end)
