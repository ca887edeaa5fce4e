"""One gigabyte over HTTP, into the archive on disk and on S3, beside ``HttpToS3Operator``.

Each measurement is a process of its own; its peak memory counts from the moment before the task runs,
with everything imported and once tried on one small body.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.benchmarks import servers

CONTENDERS: Final = ("HttpToS3Operator", "archive on S3", "archive on disk")
ROUNDS: Final = 3
PROMISES: Final = {"archive on S3": 2.0, "archive on disk": 1.5}
"""Times the speed of HttpToS3Operator, at a twenty-fifth of its memory; a disk is written for good."""
PART_OF_MEMORY: Final = 25
HEADER: Final = ("1 GiB over HTTP", "MiB/s", "× HttpToS3Operator", "MiB above the start")


def main(size_bytes: int = 1 << 30) -> dict[str, dict[str, float]]:
    """Run every contender in turn, ``ROUNDS`` times; medians by contender."""
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTENDERS}
    with servers.source(size_bytes) as source, servers.s3_sink() as sink:
        for _ in range(ROUNDS):
            for name in CONTENDERS:
                samples[name].append(_sample(name, source, sink))
    return {
        name: {
            "mib_per_s": statistics.median(size_bytes / (1 << 20) / seconds for seconds, _ in rows),
            "peak_mib": statistics.median(peak for _, peak in rows),
        }
        for name, rows in samples.items()
    }


def rows(figures: dict[str, dict[str, float]]) -> list[tuple[str, ...]]:
    """The table, as the site shows it."""
    peer = figures[CONTENDERS[0]]["mib_per_s"]
    return [
        (
            name,
            f"{row['mib_per_s']:.0f}",
            f"{row['mib_per_s'] / peer:.2f}",
            f"{row['peak_mib']:.0f}",
        )
        for name, row in figures.items()
    ]


def broken(figures: dict[str, dict[str, float]]) -> list[str]:
    """Each promise that does not hold, in words."""
    peer = figures[CONTENDERS[0]]
    limit_mib = peer["peak_mib"] / PART_OF_MEMORY
    return [
        f"{name}: promised {promise} × {CONTENDERS[0]} within {limit_mib:.0f} MiB"
        for name, promise in PROMISES.items()
        if figures[name]["mib_per_s"] < promise * peer["mib_per_s"]
        or figures[name]["peak_mib"] > limit_mib
    ]


def _sample(name: str, source: str, sink: str) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        root = f"file://{folder}/archive" if name == "archive on disk" else "s3://bucket/archive"
        env = {
            **os.environ,
            "AIRFLOW_HOME": folder,
            "AIRFLOW_CONN_SOURCE": json.dumps({"conn_type": "http", "host": source}),
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(
                {
                    "conn_type": "aws",
                    "login": "benchmark",
                    "password": "benchmark",
                    "extra": {"endpoint_url": sink, "region_name": "us-east-1"},
                }
            ),
            "PLATFORM_OPS__ARCHIVE__CONNECTION": "aws_default",
            "PLATFORM_OPS__ARCHIVE__ROOT": root,
        }
        child = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.http_ingest", name],
            env=env,
            check=True,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
    line = json.loads(child.stdout.splitlines()[-1])
    return line["seconds"], line["peak_mib"]


def _child(name: str) -> None:
    from airflow.sdk import DAG

    from platform_ops.testing.runner import run_task

    with DAG("benchmark", schedule=None) as dag:
        if name == "HttpToS3Operator":
            from airflow.providers.amazon.aws.transfers.http_to_s3 import HttpToS3Operator

            HttpToS3Operator(
                task_id="take",
                endpoint="/body",
                http_conn_id="source",
                s3_bucket="bucket",
                s3_key="body",
                replace=True,
            )
        else:
            from platform_ops import ArchivingHttpOperator

            ArchivingHttpOperator(
                task_id="take", entity="benchmark.body", endpoint="/body", http_conn_id="source"
            )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    result = run_task(dag.get_task("take"), at="2015-12-01")
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if result.state != "success":
        raise SystemExit(f"{name}: {result.error!r}")
    print(json.dumps({"seconds": seconds, "peak_mib": (peak - before) / 1024}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _child(sys.argv[1])
    else:
        print(json.dumps(main(), indent=2))
