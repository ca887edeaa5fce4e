"""What telling metrics costs a task, be the backend well, dead or silent.

One capture tells ten metrics. Each backend has a process of its own, as a task has, set up by Airflow's own
options alone: statsd sends UDP, to a listener and to a port where nobody listens; OpenTelemetry posts over
TCP, to a collector that answers, to one that accepts and never answers, and to a port that refuses.

``python -m tests.benchmarks.metrics_cost`` prints the figures.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.otlp import collector
from tests.fakes.statsd import listener

__all__ = ["HEADER", "PACKAGES", "Figure", "broken", "main", "rows"]

HEADER = ("", "ms a capture", "slowest of 200", "s at exit")
PACKAGES = ("apache-airflow-core", "statsd", "opentelemetry-exporter-otlp")
_PROMISE_MS = 1.0
_TASK = """
import json, sys, time
from airflow.sdk.configuration import conf
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils

stats.initialize(
    factory=stats_utils.get_stats_factory(),
    export_legacy_names=conf.getboolean("metrics", "legacy_names_on"),
)
from platform_ops import metrics
from platform_ops.entity import Entity

entity = Entity("shop", "orders")
told = (
    metrics.SOURCE_LATENCY, metrics.ENTITIES, metrics.COMMITTED_AT, metrics.DUE_AT, metrics.PARTS,
    metrics.BYTES, metrics.DURATION, metrics.ROWS, metrics.UNCHANGED, metrics.EMPTY,
)
for metric in told:  # imports and the first of each, which a task pays as well, are not what it costs
    metrics.emit(metric, 1, entity)
rounds = []
for number in range(200):
    started = time.perf_counter()
    for metric in told:
        metrics.emit(metric, number, entity)
    rounds.append((time.perf_counter() - started) * 1000)
    time.sleep(0.001)
rounds.sort()
print("\\nFIGURES " + json.dumps([rounds[100], rounds[-1], time.time()]))
"""


@dataclass(frozen=True)
class Figure:
    """Milliseconds for the metrics of one capture, and seconds from a task's last line to its end."""

    median_ms: float
    slowest_ms: float
    exit_s: float


def main() -> dict[str, Figure]:
    """Measure each backend, in the order of the table."""
    found = {"no backend": _run({})}
    with listener() as end:
        found["statsd, heard"] = _run(_statsd(end.port))
    found["statsd, nobody listens"] = _run(_statsd(_closed(socket.SOCK_DGRAM)))
    with collector() as heard:
        found["OpenTelemetry, heard"] = _run(_otel(heard.port))
    with _black_hole() as port:
        found["OpenTelemetry, never answered"] = _run(_otel(port))
        short = {"OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
        found["the same, OTEL_EXPORTER_OTLP_TIMEOUT=1"] = _run({**_otel(port), **short})
    found["OpenTelemetry, refused"] = _run(_otel(_closed(socket.SOCK_STREAM)))
    return found


def rows(figures: Mapping[str, Figure]) -> list[tuple[str, ...]]:
    """The table."""
    return [
        (name, f"{each.median_ms:.2f}", f"{each.slowest_ms:.2f}", f"{each.exit_s:.1f}")
        for name, each in figures.items()
    ]


def broken(figures: Mapping[str, Figure]) -> list[str]:
    """Promises of the documentation that do not hold."""
    least = figures["no backend"].median_ms
    return [
        f"{name}: {each.median_ms - least:.2f} ms a capture, promised {_PROMISE_MS:g}"
        for name, each in figures.items()
        if each.median_ms - least > _PROMISE_MS
    ]


def _run(options: Mapping[str, str]) -> Figure:
    with tempfile.TemporaryDirectory(prefix="metrics-") as home:
        environment = {
            **os.environ,
            "AIRFLOW_HOME": home,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **options,
        }
        ran = subprocess.run(
            [sys.executable, "-c", _TASK],
            env=environment, check=True, capture_output=True, text=True,
        )  # fmt: skip
        ended = time.time()
    (told,) = [each for each in ran.stdout.splitlines() if each.startswith("FIGURES ")]
    median, slowest, last = json.loads(told.removeprefix("FIGURES "))
    return Figure(median, slowest, ended - last)


def _statsd(port: int) -> dict[str, str]:
    return {
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_PORT": str(port),
        "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
    }


def _otel(port: int) -> dict[str, str]:
    return {
        "AIRFLOW__METRICS__OTEL_ON": "True",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
    }


def _closed(kind: socket.SocketKind) -> int:
    """A port where nobody listens."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def _black_hole() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield server.getsockname()[1]


if __name__ == "__main__":
    measured = main()
    for row in rows(measured):
        print(*row, sep="  ")
    sys.exit("\n".join(broken(measured)) or 0)
