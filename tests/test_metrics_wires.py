"""The other wires that metrics leave by: Datadog's tags, OpenTelemetry, and backends that are broken."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
from airflow.sdk.observability import stats
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_DELTA

from platform_ops import metrics
from platform_ops.entity import Entity, Origin, Part
from platform_ops.ingest import ArchivingOperator
from platform_ops.metrics import METRICS
from platform_ops.settings import Settings
from platform_ops.testing.runner import run_task
from tests.fakes.otlp import collector
from tests.fakes.statsd import Listener

ROOT = Path(__file__).parent.parent
KINDS = {"counter": "sum", "gauge": "gauge", "timer": "exponential_histogram"}


def sent(archive: Path) -> dict[str, list[Any]]:
    """What a collector got of ``tests/measured.py``, by Airflow's and OpenTelemetry's options alone."""
    with collector() as end:
        environment = {
            **os.environ,
            "AIRFLOW__METRICS__OTEL_ON": "True",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{end.port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
            "PLATFORM_OPS__ARCHIVE__ROOT": f"file://{archive}",
            "PYTHONPATH": str(ROOT),
        }
        ran = subprocess.run(
            [sys.executable, "-m", "tests.measured"],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return end.metrics()


def test_every_metric_reaches_a_collector_with_its_kind_and_tags(tmp_path: Path) -> None:
    found = sent(tmp_path)
    for metric in METRICS:
        messages = found[f"airflow.{metric.name}"]
        kind = KINDS[metric.kind]
        assert {each.WhichOneof("data") for each in messages} == {kind}, metric.name
        points = [point for each in messages for point in getattr(each, kind).data_points]
        tags = {tuple(sorted(pair.key for pair in point.attributes)) for point in points}
        assert tags == {tuple(sorted(metric.tags))}, metric.name
        if metric.kind != "gauge":
            temporality = getattr(messages[0], kind).aggregation_temporality
            assert temporality == AGGREGATION_TEMPORALITY_DELTA, metric.name
    revisions = [
        point.as_int or point.as_double
        for each in found[f"airflow.{metrics.ENTITIES.name}"]
        for point in each.sum.data_points
        if {pair.value.string_value for pair in point.attributes} == {"shop", "orders"}
    ]
    assert sum(revisions) == 3  # created, adopted by its retry, and unchanged in another run


# --- How many series there are --------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "platform.toml"
    path.write_text('[metrics]\nundeclared = "together"\n[sources.shop.entities.orders]\n')
    monkeypatch.setenv("PLATFORM_OPS_CONFIG", str(path))
    return path


def test_entities_that_code_makes_up_share_one_series(site: Path, statsd: Listener) -> None:
    for number in range(1000):
        metrics.emit(metrics.ENTITIES, 1, Entity("shop", f"customer-{number}"))
    metrics.emit(metrics.ENTITIES, 1, Entity("shop", "orders"))
    tags = {tuple(each.tags.items()) for each in statsd.ours()}
    assert tags == {
        (("source", "shop"), ("entity", metrics.UNNAMED)),
        (("source", "shop"), ("entity", "orders")),
    }


def test_a_value_is_bounded_and_holds_nothing_that_a_line_is_made_of() -> None:
    assert metrics.tag_value("a:b|c=d,e f\nö") == "a_b_c_d_e_f__"
    assert len(metrics.tag_value("x" * 5000)) == 120


# --- Backends that are broken ---------------------------------------------------------------------


class Given(ArchivingOperator):
    def fetch(self, context: Any) -> Iterator[Part]:  # noqa: ARG002  # the base class's signature
        yield Part("body.txt", [b"sunny"], Origin("test://given"))


class Broken(NoStatsLogger):
    """Fails at each of the platform's metrics, as a client does that is set up wrongly."""

    @classmethod
    def incr(cls, stat: str, *args: Any, **kwargs: Any) -> None:
        if stat.startswith("platform_ops."):
            raise RuntimeError("no backend")
        super().incr(stat, *args, **kwargs)

    gauge = timing = incr


def test_a_backend_that_raises_costs_nobody_their_data(platform_archive: Settings) -> None:
    stats.initialize(factory=Broken, export_legacy_names=False)
    try:
        with DAG("wires"):
            operator = Given(task_id="capture", entity="shop.orders")
        ran = run_task(operator, at="2024-03-05")
    finally:
        stats.initialize(factory=NoStatsLogger, export_legacy_names=False)
    assert ran.state == "success"
    assert ran.xcom["size_bytes"] == 5


def test_a_site_file_that_breaks_later_costs_a_metric_and_nothing_else(
    site: Path, statsd: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    site.write_text("[metrics\n")
    metrics.emit(metrics.ENTITIES, 1, Entity("shop", "orders"))
    assert statsd.ours() == []
    assert "metric platform_ops.entities was not emitted" in caplog.text
