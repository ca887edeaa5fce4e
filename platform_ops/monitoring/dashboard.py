"""A Grafana dashboard over every metric of the platform: arrivals, trouble, sources, the archive's keep.

Source: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from platform_ops import metrics
from platform_ops.metrics import Metric

__all__ = ["dashboard"]

_SELECTED: Final = 'source=~"$source",entity=~"$entity"'
_PROMETHEUS: Final = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS: Final = 24
_HEIGHT: Final = 8


@dataclass(frozen=True, slots=True)
class _Panel:
    """One panel.

    :param promql: Each with the legend of its series.
    :param unit: As Grafana names units.
    :param kind: ``timeseries``, ``stat`` or ``table``.
    :param width: Columns of 24.
    """

    title: str
    description: str
    promql: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8


def _rate(metric: Metric, title: str, unit: str = "short") -> _Panel:
    by, legend = ", ".join(metric.tags), _legend(metric.tags)
    promql = f"sum by ({by}) (increase({metric.series}{{{_SELECTED}}}[$__rate_interval]))"
    return _Panel(title, metric.help, ((promql, legend),), unit)


def _messages(title: str, description: str, outcomes: str) -> _Panel:
    """Messages by channel: they belong to no source, and what is chosen above does not narrow them."""
    metric = metrics.MESSAGES
    tags = tuple(tag for tag in metric.tags if tag != "source")
    grown = f'increase({metric.series}{{outcome=~"{outcomes}"}}[$__rate_interval])'
    promql = f"sum by ({', '.join(tags)}) ({grown})"
    return _Panel(title, description, ((promql, _legend(tags)),), width=12)


def _legend(tags: tuple[str, ...]) -> str:
    return " ".join(f"{{{{{tag}}}}}" for tag in tags)


def _as_it_stands(metric: Metric, title: str) -> _Panel:
    promql = f"max by (source, entity) ({metric.series}{{{_SELECTED}}})"
    return _Panel(title, metric.help, ((promql, "{{source}} {{entity}}"),))


def _age(metric: Metric, title: str, promql: str) -> _Panel:
    asked = promql.format(series=f"{metric.series}{{{_SELECTED}}}")
    return _Panel(title, metric.help, ((asked, "{{source}} {{entity}}"),), "s", "stat", 12)


def _quantiles(metric: Metric, title: str) -> _Panel:
    buckets = f"sum by (le) (rate({metric.series}_bucket{{{_SELECTED}}}[$__rate_interval]))"
    asked = tuple(
        (f"histogram_quantile({share}, {buckets})", name)
        for share, name in ((0.5, "half"), (0.95, "95 of 100"), (0.99, "99 of 100"))
    )
    return _Panel(title, metric.help, asked, "s")


_ROWS: Final = (
    (
        "Arrivals",
        (
            _age(
                metrics.COMMITTED_AT,
                "Since the last revision",
                "time() - max by (source, entity) ({series})",
            ),
            _age(
                metrics.DUE_AT,
                "Until the next is due",
                "max by (source, entity) ({series}) - time()",
            ),
            _rate(metrics.ENTITIES, "Revisions"),
            _rate(metrics.BYTES, "Bytes", "bytes"),
            _rate(metrics.ROWS, "Rows"),
            _rate(metrics.PARTS, "Payloads"),
            _rate(metrics.UNCHANGED, "Unchanged"),
            _quantiles(metrics.DURATION, "Duration of a capture"),
        ),
    ),
    (
        "Trouble",
        (
            _rate(metrics.FAILURES, "Failures by error"),
            _rate(metrics.EMPTY, "Empty revisions"),
            _rate(metrics.UNDECLARED, "Not declared"),
            _rate(metrics.UNARCHIVED, "Taken in and not archived"),
            _rate(metrics.CHECKS, "Deliveries that a check found wrong"),
            _rate(metrics.CONFLICTS, "Rival writers"),
            _rate(metrics.ADOPTED, "Adopted by retries"),
            _rate(metrics.REPLAYS, "Replays"),
        ),
    ),
    (
        "People",
        (
            _messages("Messages", metrics.MESSAGES.help, ".+"),
            _messages(
                "Messages that did not arrive",
                "By channel: `failed`, since it did not take them, or `left_out`, since it has had enough.",
                "failed|left_out",
            ),
        ),
    ),
    (
        "Sources",
        (
            _quantiles(metrics.SOURCE_LATENCY, "To the first byte"),
            _rate(metrics.RETRIES, "Requests sent again"),
            _rate(metrics.SCHEMA_DRIFT, "Columns changed"),
        ),
    ),
    (
        "Keeping",
        (
            _rate(metrics.VERIFY_FAULTS, "Faults found"),
            _rate(metrics.VERIFIED_BYTES, "Bytes verified", "bytes"),
            _as_it_stands(metrics.SWEEP_BACKLOG, "Unneeded objects"),
            _rate(metrics.SWEPT, "Objects swept"),
            _rate(metrics.EXPIRED, "Revisions expired"),
            _rate(metrics.REMOVED_BYTES, "Bytes removed", "bytes"),
        ),
    ),
)


def dashboard() -> dict[str, Any]:  # Any: Grafana's document
    """The dashboard, to be imported or provisioned; it asks for its data source when it is opened."""
    return {
        "uid": "platform-ops",
        "title": "Platform: what arrives",
        "tags": ["platform-ops"],
        "schemaVersion": 39,
        "timezone": "utc",
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": list(_variables())},
        "panels": list(_placed()),
    }


def _variables() -> Iterator[dict[str, Any]]:  # Any: parts of that document
    yield {"name": "datasource", "type": "datasource", "query": "prometheus"}
    of = {"source": "", "entity": '{source=~"$source"}'}
    for name, within in of.items():
        yield {
            "name": name,
            "type": "query",
            "datasource": _PROMETHEUS,
            "query": f"label_values({metrics.ENTITIES.series}{within}, {name})",
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        }


def _placed() -> Iterator[dict[str, Any]]:  # Any: parts of that document
    number, top = 0, 0
    for title, panels in _ROWS:
        number += 1
        yield {"id": number, "type": "row", "title": title, "gridPos": _place(0, top, _COLUMNS, 1)}
        left, top = 0, top + 1
        for panel in panels:
            if left + panel.width > _COLUMNS:
                left, top = 0, top + _HEIGHT
            number += 1
            yield _drawn(panel, number, _place(left, top, panel.width, _HEIGHT))
            left += panel.width
        top += _HEIGHT


def _drawn(panel: _Panel, number: int, place: dict[str, int]) -> dict[str, Any]:  # Any: as above
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description.replace("``", "`"),
        "datasource": _PROMETHEUS,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": promql, "legendFormat": legend}
            for index, (promql, legend) in enumerate(panel.promql)
        ],
    }


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}
