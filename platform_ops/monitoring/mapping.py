"""How an exporter of statsd names the platform's metrics in Prometheus.

Source: https://github.com/prometheus/statsd_exporter#metric-mapping-and-configuration
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from platform_ops.metrics import METRICS, Metric

__all__ = ["statsd_mapping"]

_BUCKETS_S: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
"""Upper bounds in seconds: from one quick request to a capture that takes an hour."""


def statsd_mapping(
    prefix: str = "airflow", metrics: Iterable[Metric] = METRICS
) -> dict[str, Any]:  # Any: a document of statsd_exporter's
    """The mapping of every metric; tags become labels by themselves.

    :param prefix: Airflow's option ``[metrics] statsd_prefix``.
    """
    return {"mappings": [_mapped(f"{prefix}.{each.name}", each) for each in metrics]}


def _mapped(match: str, metric: Metric) -> dict[str, Any]:  # Any: a part of that document
    mapped: dict[str, Any] = {"match": match, "name": metric.series, "help": metric.help}
    if metric.kind == "timer":
        mapped |= {
            "observer_type": "histogram",
            "histogram_options": {"buckets": list(_BUCKETS_S)},
        }
    return mapped
