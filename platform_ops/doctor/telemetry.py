"""Whether metrics arrive as they were meant, and cost no task its time: what Airflow's options leave open."""

from __future__ import annotations

import os
from typing import Final

from platform_ops.doctor import rules
from platform_ops.doctor.airflow import AirflowView
from platform_ops.doctor.fact import Fact, Observed

__all__ = ["of_metrics"]

_TIMEOUTS: Final = ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
_TEMPORALITY: Final = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"


def of_metrics(view: AirflowView) -> Observed:
    """Look at the backend that Airflow sends metrics to."""
    yield Fact("software", "metrics", view.metrics or "off")
    if view.metrics is None:
        yield rules.METRICS_OFF.at(
            "[metrics]", "statsd_on and otel_on are both off", "set one of them in airflow.cfg"
        )
    elif view.metrics == "statsd" and not view.statsd_tags:
        yield rules.METRICS_UNTAGGED.at(
            "[metrics]",
            "statsd_influxdb_enabled and statsd_datadog_enabled are both off",
            "set the one that your backend reads",
        )
    elif view.metrics == "OpenTelemetry":
        yield from _of_opentelemetry()


def _of_opentelemetry() -> Observed:
    if not any(os.environ.get(name) for name in _TIMEOUTS):
        yield rules.COLLECTOR_HOLDS.at(
            _TIMEOUTS[1], "not set: the client waits ten seconds", f"set {_TIMEOUTS[1]}=1"
        )
    preference = os.environ.get(_TEMPORALITY, "")
    if preference.lower() != "delta":
        yield rules.METRICS_CUMULATIVE.at(
            _TEMPORALITY, f"it is {preference or 'not set'}", f"set {_TEMPORALITY}=delta"
        )
