"""Recording and alert rules for Prometheus: what makes somebody look, and where they look first.

Source: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, Literal

from platform_ops import metrics
from platform_ops.entity import Entity
from platform_ops.metrics import Metric, tag_value
from platform_ops.schedule import Schedule
from platform_ops.settings import EntitySettings, Settings

__all__ = ["ALERTS", "Alert", "rules"]

_PER_REVISION: Final = "platform_ops:bytes_per_revision:1d"
_USUAL: Final = "platform_ops:bytes_per_revision:usual"
_WHILE: Final = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, for every entity at once.

    :param name: As Prometheus calls it.
    :param when: PromQL; a series of the result is one entity that is in trouble.
    :param lasting: How long that holds before somebody is told, as Prometheus writes durations.
    :param severity: ``critical`` wakes somebody up, ``warning`` waits for the morning.
    :param summary: One line, with Prometheus' labels.
    :param runbook: Page of the site below ``runbooks/`` that says what to do.
    """

    name: str
    when: str
    lasting: str
    severity: Literal["critical", "warning"]
    summary: str
    runbook: str

    def rule(
        self, base_url: str | None, labels: dict[str, str] | None = None
    ) -> dict[str, Any]:  # Any: a part of Prometheus' document
        """The alert as Prometheus reads it.

        :param base_url: Where the site is published; no link to a runbook without.
        """
        annotations = {"summary": self.summary}
        if base_url is not None:
            annotations["runbook_url"] = f"{base_url}/runbooks/{self.runbook}.html"
        return {
            "alert": self.name,
            "expr": self.when,
            "for": self.lasting,
            "labels": {"severity": self.severity, **(labels or {})},
            "annotations": annotations,
        }


def _grown(metric: Metric, within: str) -> str:
    return f"sum by ({', '.join(metric.tags)}) (increase({metric.series}[{within}]))"


def _any(metric: Metric, within: str, by: str = "source, entity", where: str = "") -> str:
    """Whether it grew at all: a counter's first value comes from nothing, which is no increase.

    :param where: Which of its series, as Prometheus selects by labels.
    """
    series = metric.series + where
    return f"sum by ({by}) (increase({series}[{within}]) > 0 or ({series} unless {series} offset {within}))"


_WHO: Final = "{{ $labels.source }}.{{ $labels.entity }}"

ALERTS: Final = (
    Alert(
        "PlatformOpsLate",
        f"time() > max by (source, entity) ({metrics.DUE_AT.series})",
        "1m",
        "critical",
        f"{_WHO} is late: its next slot was due and is not archived",
        "slot-missing",
    ),
    Alert(
        "PlatformOpsFailing",
        f"{_any(metrics.FAILURES, '30m')} unless {_any(metrics.ENTITIES, '30m')}",
        "10m",
        "critical",
        f"{_WHO} fails, and nothing of it was archived for half an hour",
        "capture-failed",
    ),
    Alert(
        "PlatformOpsEmpty",
        _any(metrics.EMPTY, "1h"),
        "0m",
        "warning",
        f"{_WHO} arrived without a byte",
        "capture-failed",
    ),
    Alert(
        "PlatformOpsSmall",
        f"{_PER_REVISION} < 0.5 * {_USUAL}",
        "15m",
        "warning",
        f"{_WHO} brings less than half of its usual bytes per revision",
        "capture-failed",
    ),
    Alert(
        "PlatformOpsNotDeclared",
        _any(metrics.UNDECLARED, "1h"),
        "0m",
        "warning",
        f"{_WHO} is captured and not declared in platform.toml: nobody owns it",
        "capture-failed",
    ),
    Alert(
        "PlatformOpsNotArchived",
        _any(metrics.UNARCHIVED, "1h"),
        "0m",
        "warning",
        f"{_WHO} is taken in by a stock operator, and nobody can read it again",
        "capture-failed",
    ),
    Alert(
        "PlatformOpsVerifyFailed",
        _any(metrics.VERIFY_FAULTS, "1d", "source, entity, kind"),
        "0m",
        "critical",
        f"{_WHO} is not as its manifests say ({{{{ $labels.kind }}}})",
        "verify-failed",
    ),
    Alert(
        "PlatformOpsSweepBacklog",
        f"sum by (source, entity) ({metrics.SWEEP_BACKLOG.series}) > 1000",
        "1d",
        "warning",
        f"more than 1,000 objects of {_WHO} are needed by nothing, and stay",
        "archive-unavailable",
    ),
    Alert(
        "PlatformOpsNotTold",
        _any(metrics.MESSAGES, "1h", where='{outcome="failed"}'),
        "0m",
        "critical",
        "channel {{ $labels.entity }} took no message: who is on call was not told of something",
        "nobody-told",
    ),
)
"""Every alert, in the order of the site's page."""


def rules(site: Settings) -> dict[str, Any]:  # Any: Prometheus' document
    """All recording and alert rules of a site.

    :param site: Tells which entities are scheduled: each has a rule that it must arrive at all, since
        a series that never began can be in no trouble.
    """
    base_url = site.docs.base_url
    groups = [
        {"name": "platform_ops.recorded", "interval": "1m", "rules": _recorded()},
        {"name": "platform_ops.alerts", "rules": [each.rule(base_url) for each in ALERTS]},
    ]
    scheduled = [
        _never_came(entity, agreement).rule(base_url, _labels(site, entity))
        for entity in site.entities()
        if (agreement := site.entity(entity)).schedule is not None
    ]
    if scheduled:
        groups.append({"name": "platform_ops.expected", "rules": scheduled})
    return {"groups": groups}


def _recorded() -> list[dict[str, str]]:
    revisions = _grown(metrics.ENTITIES, "1d")
    return [
        {
            "record": _PER_REVISION,
            "expr": f"{_grown(metrics.BYTES, '1d')} / ({revisions} > 0)",
        },
        {"record": _USUAL, "expr": f"quantile_over_time(0.5, {_PER_REVISION}[28d])"},
        {
            "record": "platform_ops:failures:1h",
            "expr": _grown(metrics.FAILURES, "1h"),
        },
    ]


def _labels(site: Settings, entity: Entity) -> dict[str, str]:
    owner = site.entity(entity).owner or site.sources[entity.source].owner
    named = {"source": entity.source, "entity": entity.name}
    return {**named, "owner": owner} if owner else named


def _never_came(entity: Entity, agreement: EntitySettings) -> Alert:
    labels = f'source="{tag_value(entity.source)}",entity="{tag_value(entity.name)}"'
    schedule = Schedule.parse(str(agreement.schedule), agreement.timezone)
    hours = -(-_longest_gap(schedule) // timedelta(hours=1)) + -(
        -(agreement.grace_minutes or 0) // 60
    )
    return Alert(
        "PlatformOpsNeverCame",
        f"absent({metrics.COMMITTED_AT.series}{{{labels}}})",
        f"{hours}h",
        "warning",
        f"{entity} is expected ({agreement.schedule}), and nothing of it was ever measured",
        "slot-missing",
    )


def _longest_gap(schedule: Schedule) -> timedelta:
    start = datetime(2024, 1, 1, tzinfo=UTC)  # any range will do that is the same at each call
    times = list(schedule.times(start, start + _WHILE))
    return max((later - earlier for earlier, later in pairwise(times)), default=_WHILE)
