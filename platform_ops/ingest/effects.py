"""What follows a commit, and what follows a failure: metrics, the asset's event, a line in the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException

from platform_ops import metrics
from platform_ops.archive import Commit, Outcome
from platform_ops.entity import Entity, Slot
from platform_ops.errors import DeliveryRefused, SourceTruncated
from platform_ops.ingest import lineage
from platform_ops.ingest.capture import Capture
from platform_ops.ingest.context import asset, site_settings
from platform_ops.ingest.failure import no_vain_retry
from platform_ops.ingest.watermark import advance
from platform_ops.runconf import Wish
from platform_ops.schedule import Schedule

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["TAKEN", "reported", "take_effect"]

log = logging.getLogger("platform_ops.ingest")

TAKEN: Final = (Outcome.CREATED, Outcome.UNCHANGED, Outcome.ADOPTED)
"""Ends of a capture whose delivery this task, or the try before it, has put into the archive."""


def take_effect(context: Context, capture: Capture, wish: Wish) -> None:
    """What follows a commit, and is redone by a retry: metrics, asset event, a line in the log."""
    commit, entity = capture.commit, capture.slot.entity
    outlet, task = asset(entity), context["ti"].task
    _measure(entity, commit, (time.monotonic() - capture.started_s) * 1000)
    _warn_of_idle_redaction(capture)
    _warn_of_remarks(capture)
    if (commit.outcome is Outcome.REPLAYED and not wish.emit) or (
        commit.outcome is Outcome.NOTHING_NEW
    ):
        # Airflow announces every outlet of a task that succeeds: take it off, for this try alone.
        task.outlets = [each for each in task.outlets if each != outlet]
    elif outlet in task.outlets:
        context["outlet_events"][outlet].extra = commit.reference.to_dict()
    if commit.outcome in TAKEN:
        advance(context, commit.manifest)
    lineage.collect(capture)
    log.info(
        "%s %s: revision %d, %d bytes in %d bodies, %s",
        commit.outcome.value,
        capture.slot,
        commit.manifest.revision,
        commit.manifest.size_bytes,
        commit.manifest.bodies,
        commit.reference.manifest_url,
    )


def _warn_of_idle_redaction(capture: Capture) -> None:
    """A field that was renamed at the source is archived from then on: somebody has to hear of it."""
    for path, count in capture.manifest.redacted.items():
        if not count and capture.manifest.size_bytes:
            log.warning("%s: redact %s met nothing; was the field renamed?", capture.slot, path)


def _warn_of_remarks(capture: Capture) -> None:
    """What a check found and its policy let pass; told by the try that committed, not by a replay."""
    if capture.commit.outcome not in (Outcome.CREATED, Outcome.UNCHANGED):
        return
    for each in capture.manifest.remarks:
        if each.policy == "warn":
            where = f"{each.body}: " if each.body else ""
            log.warning("%s: %s: %s%s", capture.slot, each.check, where, each.message)
            entity = capture.slot.entity
            metrics.emit(metrics.CHECKS, 1, entity, check=each.check, policy=each.policy)


def _measure(entity: Entity, commit: Commit, duration_ms: float) -> None:
    manifest = commit.manifest
    if commit.conflicts:
        metrics.emit(metrics.CONFLICTS, commit.conflicts, entity)
    if commit.outcome is Outcome.REPLAYED:
        metrics.emit(metrics.REPLAYS, 1, entity)
        return
    if commit.outcome is Outcome.NOTHING_NEW:
        metrics.emit(metrics.UNCHANGED, 1, entity)
        return
    if commit.outcome in (Outcome.ADOPTED, Outcome.REUSED):
        metrics.emit(metrics.ADOPTED, 1, entity)
        if commit.outcome is Outcome.REUSED or commit.conflicts:
            return
        # A retry counts what it adopts: the try that committed may have died before it could.
    metrics.emit(metrics.ENTITIES, 1, entity)
    metrics.emit(metrics.COMMITTED_AT, manifest.committed_at_utc.timestamp(), entity)
    _measure_due(manifest.slot)
    metrics.emit(metrics.PARTS, manifest.bodies, entity)
    metrics.emit(metrics.BYTES, manifest.size_bytes, entity)
    if commit.outcome is not Outcome.ADOPTED:
        metrics.emit(metrics.DURATION, duration_ms, entity)
    if manifest.rows is not None:
        metrics.emit(metrics.ROWS, manifest.rows, entity)
    if commit.outcome is Outcome.UNCHANGED:
        metrics.emit(metrics.UNCHANGED, 1, entity)
    if manifest.size_bytes == 0:
        metrics.emit(metrics.EMPTY, 1, entity)


def _measure_due(slot: Slot) -> None:
    """Tell when the next slot is due, where the site says when slots are expected."""
    agreement = site_settings().declared(slot.entity)
    if agreement is None or agreement.schedule is None:
        return
    schedule = Schedule.parse(agreement.schedule, agreement.timezone)
    grace = agreement.grace_minutes
    due = schedule.due_after(slot.time_utc, None if grace is None else timedelta(minutes=grace))
    # The slot after one of a backfill was due long ago: who is on call knows, or should not be woken.
    if due is not None and due > datetime.now(UTC):
        metrics.emit(metrics.DUE_AT, due.timestamp(), slot.entity)


@contextmanager
def reported(entity: Entity) -> Iterator[None]:
    """Count a failure by its class, and tell Airflow not to retry what a retry cannot cure."""
    with no_vain_retry():
        try:
            yield
        except (AirflowSkipException, AirflowRescheduleException):  # no failures
            raise
        except Exception as err:
            if isinstance(err, SourceTruncated):
                metrics.emit(metrics.CHECKS, 1, entity, check="truncated", policy="fail")
            if isinstance(err, DeliveryRefused):
                policy = "skip" if err.skip else "fail"
                metrics.emit(metrics.CHECKS, 1, entity, check=err.check, policy=policy)
                if err.skip:
                    raise AirflowSkipException(str(err)) from err
            metrics.emit(metrics.FAILURES, 1, entity, error=type(err).__name__)
            raise
