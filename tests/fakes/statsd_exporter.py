"""An exporter of statsd, as far as the platform needs one: UDP in, a mapping, Prometheus' text out.

Prometheus' own ``statsd_exporter`` is a program that no package index carries. This one reads the same
mapping file, takes tags in the styles of InfluxDB and Datadog, and answers scrapes over HTTP.

Source: https://github.com/prometheus/statsd_exporter
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

_LINE = re.compile(
    r"(?P<name>[^,:|]+)(?P<influx>(?:,[^:|]*)?):(?P<value>[^|]+)\|(?P<kind>[a-z]+)(?:\|#(?P<dog>.*))?"
)


@dataclass
class Exporter:
    """What it was sent so far.

    :param mapping: By the name on the wire, an entry of the mapping file.
    :param unmapped: Names on the wire that no entry matches.
    """

    mapping: Mapping[str, Any]
    udp: socket.socket
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    unmapped: set[str] = field(default_factory=set)
    http_port: int = 0
    _known: dict[str, Any] = field(default_factory=dict)

    @property
    def udp_port(self) -> int:
        return int(self.udp.getsockname()[1])

    def listen(self) -> None:
        while datagram := self.udp.recv(65536):
            for line in datagram.decode().splitlines():
                self.take(line)

    def take(self, line: str) -> None:
        found = _LINE.fullmatch(line)
        assert found is not None, line
        pairs = [each.split("=", 1) for each in found["influx"].split(",") if each]
        pairs += [each.split(":", 1) for each in (found["dog"] or "").split(",") if each]
        entry = self.mapping.get(found["name"])
        if entry is None:
            self.unmapped.add(found["name"])
            return
        labels, value = dict(pairs), float(found["value"])
        series = self._series(entry, found["kind"], tuple(labels)).labels(**labels)
        match found["kind"]:
            case "c":
                series.inc(value)
            case "g":
                series.set(value)
            case "ms":
                series.observe(value / 1000)

    def _series(self, entry: Mapping[str, Any], kind: str, labels: tuple[str, ...]) -> Any:
        name = entry["name"]
        if name not in self._known:
            options: dict[str, Any] = {}
            if kind == "ms":
                options["buckets"] = entry["histogram_options"]["buckets"]
            made = {"c": Counter, "g": Gauge, "ms": Histogram}[kind]
            self._known[name] = made(name, entry["help"], labels, registry=self.registry, **options)
        return self._known[name]


@contextmanager
def exporter(mapping: Mapping[str, Any]) -> Iterator[Exporter]:
    """One that runs on loopback, on free ports.

    :param mapping: The mapping file's document.
    """
    entries = {entry["match"]: entry for entry in mapping["mappings"]}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        udp.bind(("127.0.0.1", 0))
        running = Exporter(entries, udp)
        server, serving = start_http_server(0, "127.0.0.1", running.registry)
        running.http_port = server.server_port
        taking = threading.Thread(target=running.listen)
        taking.start()
        try:
            yield running
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", ("127.0.0.1", running.udp_port))
            taking.join()
            server.shutdown()
            server.server_close()
            serving.join()
