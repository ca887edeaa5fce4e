"""Every metric of the platform in one table, and the one function that emits it.

The only file that touches Airflow's stats. Emission never raises into a task, and outside of Airflow
it does nothing. Tags name the source and the entity, never a run: a run id would make every run a new
series. The site's page is drawn from :data:`METRICS`.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Final, Literal

from platform_ops import settings
from platform_ops.entity import Entity

__all__ = [
    "ADOPTED",
    "BYTES",
    "CHECKS",
    "COMMITTED_AT",
    "CONFLICTS",
    "DUE_AT",
    "DURATION",
    "EMPTY",
    "ENTITIES",
    "EXPIRED",
    "FAILURES",
    "MESSAGES",
    "METRICS",
    "PARTS",
    "REMOVED_BYTES",
    "REPLAYS",
    "RETRIES",
    "ROWS",
    "SCHEMA_DRIFT",
    "SOURCE_LATENCY",
    "SWEEP_BACKLOG",
    "SWEPT",
    "UNARCHIVED",
    "UNCHANGED",
    "UNDECLARED",
    "UNNAMED",
    "VERIFIED_BYTES",
    "VERIFY_FAULTS",
    "Metric",
    "emit",
    "tag_value",
]

log = logging.getLogger(__name__)

UNNAMED: Final = "undeclared"
"""The tag of entities that the site counts together."""
_TAG_LIMIT: Final = 120


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    :param name: As it reaches the backend, after Airflow's own prefix.
    :param kind: ``counter`` adds up; ``gauge`` is as it stands; ``timer`` is a duration per event.
    :param unit: What one unit of the value is.
    :param help: What it counts, and when it is emitted.
    :param tags: Names of the tags it carries.
    """

    name: str
    kind: Literal["counter", "gauge", "timer"]
    unit: str
    help: str
    tags: tuple[str, ...] = ("source", "entity")

    @property
    def series(self) -> str:
        """Its name in Prometheus, by that system's own rules: base units, ``_total`` for what adds up.

        Source: https://prometheus.io/docs/practices/naming/
        """
        stem = self.name.replace(".", "_")
        if self.kind == "counter":
            return f"{stem}_total"
        # An exporter of statsd turns a timer's milliseconds into Prometheus' seconds.
        unit = "_seconds" if self.kind == "timer" or self.unit.startswith("seconds") else ""
        return f"{stem}{unit}"


ENTITIES: Final = Metric(
    "platform_ops.entities",
    "counter",
    "revisions",
    "Revisions committed; at least once each, since a retry counts what it adopts.",
)
COMMITTED_AT: Final = Metric(
    "platform_ops.committed_at",
    "gauge",
    "seconds since 1970",
    "When a revision was committed last, by the clock of the worker.",
)
DUE_AT: Final = Metric(
    "platform_ops.due_at",
    "gauge",
    "seconds since 1970",
    "By when the next slot has to be there, of an entity with a ``schedule``; not sent by a backfill, "
    "whose next slot was due long ago.",
)
PARTS: Final = Metric(
    "platform_ops.parts", "counter", "payloads", "Payloads in committed revisions."
)
BYTES: Final = Metric(
    "platform_ops.bytes", "counter", "bytes", "Payload bytes in committed revisions."
)
ROWS: Final = Metric(
    "platform_ops.rows",
    "counter",
    "rows",
    "Rows in committed revisions, where the source counts them.",
)
DURATION: Final = Metric(
    "platform_ops.duration", "timer", "milliseconds", "From the first request to the commit mark."
)
SOURCE_LATENCY: Final = Metric(
    "platform_ops.source_latency", "timer", "milliseconds", "From a request to its first byte."
)
RETRIES: Final = Metric(
    "platform_ops.retries", "counter", "requests", "Requests that were sent again after a failure."
)
UNCHANGED: Final = Metric(
    "platform_ops.unchanged", "counter", "revisions", "Revisions with the bytes of the one before."
)
EMPTY: Final = Metric("platform_ops.empty", "counter", "revisions", "Revisions that hold no byte.")
ADOPTED: Final = Metric(
    "platform_ops.adopted",
    "counter",
    "revisions",
    "Revisions that were there already, taken over by a retry, a rival or policy ``reuse``.",
)
CONFLICTS: Final = Metric(
    "platform_ops.conflicts", "counter", "commits", "Commits that met another writer's revision."
)
REPLAYS: Final = Metric(
    "platform_ops.replays", "counter", "revisions", "Revisions read instead of asking the source."
)
SCHEMA_DRIFT: Final = Metric(
    "platform_ops.schema_drift",
    "counter",
    "captures",
    "Captures whose columns differ from those of the capture before.",
)
UNARCHIVED: Final = Metric(
    "platform_ops.unarchived",
    "counter",
    "tasks",
    "Tasks that took something in by a stock operator and archived nothing of it; source and entity are "
    "the connection and the task.",
    ("source", "entity", "operator"),
)
UNDECLARED: Final = Metric(
    "platform_ops.undeclared",
    "counter",
    "captures",
    "Captures of entities that platform.toml lacks.",
)
FAILURES: Final = Metric(
    "platform_ops.failures",
    "counter",
    "captures",
    "Captures that ended in an error, by its class in ``platform_ops.errors``.",
    ("source", "entity", "error"),
)
CHECKS: Final = Metric(
    "platform_ops.checks",
    "counter",
    "deliveries",
    "What the checks of an entity found: empty, truncated, unparsable, small or large; and whether that was "
    "taken with a warning (``warn``), skipped (``skip``) or failed (``fail``).",
    ("source", "entity", "check", "policy"),
)
VERIFIED_BYTES: Final = Metric(
    "platform_ops.verified_bytes",
    "counter",
    "bytes",
    "Payload bytes that ``ArchiveVerifyOperator`` read and hashed.",
)
VERIFY_FAULTS: Final = Metric(
    "platform_ops.verify_faults",
    "counter",
    "faults",
    "What ``ArchiveVerifyOperator`` found wrong, by its kind; zero is never sent.",
    ("source", "entity", "kind"),
)
SWEPT: Final = Metric(
    "platform_ops.swept", "counter", "objects", "Objects that ``ArchiveSweepOperator`` removed."
)
SWEEP_BACKLOG: Final = Metric(
    "platform_ops.sweep_backlog",
    "gauge",
    "objects",
    "Objects that a sweep found unneeded and left, since a hold covers them or it only looked.",
)
EXPIRED: Final = Metric(
    "platform_ops.expired",
    "counter",
    "revisions",
    "Revisions that ``ArchiveExpireOperator`` put a tombstone on.",
)
REMOVED_BYTES: Final = Metric(
    "platform_ops.removed_bytes",
    "counter",
    "bytes",
    "Payload bytes of expired and erased revisions that were deleted.",
)
MESSAGES: Final = Metric(
    "platform_ops.messages",
    "counter",
    "messages",
    "What became of messages to people: ``sent``, ``failed``, or ``left_out`` since the channel has had "
    "enough; source and entity are ``notify`` and the channel.",
    ("source", "entity", "outcome"),
)

METRICS: Final = (
    ENTITIES,
    COMMITTED_AT,
    DUE_AT,
    PARTS,
    BYTES,
    ROWS,
    DURATION,
    SOURCE_LATENCY,
    RETRIES,
    UNCHANGED,
    EMPTY,
    ADOPTED,
    CONFLICTS,
    REPLAYS,
    SCHEMA_DRIFT,
    UNARCHIVED,
    UNDECLARED,
    FAILURES,
    CHECKS,
    VERIFIED_BYTES,
    VERIFY_FAULTS,
    SWEPT,
    SWEEP_BACKLOG,
    EXPIRED,
    REMOVED_BYTES,
    MESSAGES,
)
"""All of them, in the order of the site's page."""


def emit(metric: Metric, value: float, entity: Entity, **tags: str) -> None:
    """Send one value to whatever backend Airflow is set up with; never raises.

    :param value: Units of ``metric.unit``; counters take whole numbers of zero or more.
    :param tags: Further tags; the metric's row names them.
    """
    try:
        from airflow.sdk.observability import stats
    except ImportError:
        return
    try:
        name = entity.name if _is_named(entity) else UNNAMED
        named = {
            tag: tag_value(text)
            for tag, text in {"source": entity.source, "entity": name, **tags}.items()
        }
        if metric.kind == "counter":
            stats.incr(metric.name, int(value), tags=named)
        elif metric.kind == "gauge":
            stats.gauge(metric.name, value, tags=named)
        else:
            stats.timing(metric.name, float(value), tags=named)
    except Exception:  # A broken backend must not cost anybody their data.
        log.warning("metric %s was not emitted", metric.name, exc_info=True)


def tag_value(text: str) -> str:
    """A value as every backend takes it: statsd's own marks would cost the tag, or tear the line in two.

    :return: Of ``A-Z a-z 0-9 . _ -``, at most 120 characters.
    """
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)[:_TAG_LIMIT]


def _is_named(entity: Entity) -> bool:
    """Whether the entity has series of its own; names that are made in code could be without end."""
    from airflow.sdk import conf

    site = settings.load(conf.get("platform_ops", "config", fallback=None)).settings
    return site.metrics.undeclared == "named" or site.declared(entity) is not None
