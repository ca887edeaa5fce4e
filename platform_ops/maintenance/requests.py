"""What somebody asks for, with a reason that is recorded: to erase, to hold, and to release.

Each is one task of a DAG that is started by hand; without a request it is skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from platform_ops import archive, metrics
from platform_ops.entity import Entity, Slot
from platform_ops.errors import ConfigError
from platform_ops.ingest import site_settings
from platform_ops.ingest.failure import no_vain_retry
from platform_ops.maintenance.terms import moment_of, number_of, steps

if TYPE_CHECKING:
    from airflow.sdk import Context

    from platform_ops.archive import Hold
    from platform_ops.settings import Settings

__all__ = ["ArchiveEraseOperator", "ArchiveHoldOperator", "ArchiveReleaseOperator"]


class ArchiveEraseOperator(BaseOperator):
    """Erase what one request asks for: a body, a revision, or all of a slot's.

    Without an entity there is no request, and the task is skipped.

    :param entity: Whose, as ``source.name``.
    :param time: Of the slot, ISO 8601 with a zone.
    :param reason: The request, in words; the tombstone keeps it.
    :param by: Who asks for it; the run where it is empty.
    :param name: Of one body, to erase that alone, in a pack too; all of the revision where empty.
    :param revision: Its number; every revision of the slot where empty.
    :param partition_key: Of the slot.
    :param map_key: Of the slot.
    :param delete: Do it; it is only named otherwise.
    :raises ConfigError: The time has no zone or is none, or the revision is no number.
    :raises ArchiveHeld: A legal hold covers the slot.
    :raises NotArchived: There is no such slot, revision or body.
    :raises ArchiveUnavailable: The store is out of reach.
    """

    template_fields: Sequence[str] = (
        *("entity", "time", "reason", "by", "name", "revision", "partition_key", "map_key"),
    )

    def __init__(
        self,
        *,
        entity: str,
        time: str,
        reason: str,
        by: str = "",
        name: str = "",
        revision: int | str = "",
        partition_key: str | None = None,
        map_key: str | None = None,
        delete: bool = False,
        **kwargs: Any,  # Any: as above
    ) -> None:
        super().__init__(**kwargs)
        self.entity = entity
        self.time = time
        self.reason = reason
        self.by = by
        self.name = name
        self.revision = revision
        self.partition_key = partition_key
        self.map_key = map_key
        self.delete = delete

    def execute(self, context: Context) -> dict[str, int]:
        """Name each step in the log; the counts of what was erased go to XCom."""
        if not self.entity:
            raise AirflowSkipException("no request: start it with an entity, a time and a reason")
        with no_vain_retry():
            moment = moment_of("time", self.time)
            slot = Slot(Entity.parse(self.entity), moment, self.partition_key, self.map_key)
            found = archive.erase(
                slot,
                number_of("revision", self.revision) if self.revision else None,
                name=self.name or None,
                reason=self.reason,
                by=self.by or _asker(context),
                delete=self.delete,
                settings=site_settings(),
            )
        done: Counter[str] = Counter()
        for each in found:
            self.log.info("%s %s %s: %s", each.step, each.url, each.body or "", each.reason)
            done.update(steps(each))
            if each.done and each.step == "remove":
                metrics.emit(metrics.REMOVED_BYTES, each.size_bytes, each.slot.entity)
        return dict(done)


class ArchiveHoldOperator(BaseOperator):
    """Forbid to remove anything of a source, an entity or a slot, until the hold is released.

    Without a scope there is no request, and the task is skipped. A retry finds the hold that it has
    placed, and so does whoever asks again for the same scope with the same words.

    :param scope: A source, such as ``weather``, or an entity, as ``source.name``.
    :param reason: Why it must stay, in words; the hold's record keeps it.
    :param by: Who asks for it; the run where it is empty.
    :param time: Of one slot of the entity, ISO 8601 with a zone; all of its slots where empty.
    :param partition_key: Of that slot.
    :param map_key: Of that slot.
    :raises ConfigError: The reason is empty, the time has no zone or is none, or a slot's part is given
        without an entity or without a time.
    :raises ArchiveCorrupt: The record of another hold is damaged: nothing is removed meanwhile.
    :raises ArchiveUnavailable: The store is out of reach.
    """

    template_fields: Sequence[str] = ("scope", "reason", "by", "time", "partition_key", "map_key")

    def __init__(
        self,
        *,
        scope: str,
        reason: str,
        by: str = "",
        time: str = "",
        partition_key: str | None = None,
        map_key: str | None = None,
        **kwargs: Any,  # Any: BaseOperator's own
    ) -> None:
        super().__init__(**kwargs)
        self.scope = scope
        self.reason = reason
        self.by = by
        self.time = time
        self.partition_key = partition_key
        self.map_key = map_key

    def execute(self, context: Context) -> str:
        """Place it; the name under which it is released goes to XCom."""
        if not self.scope:
            raise AirflowSkipException("no request: start it with a scope and a reason")
        site = site_settings()
        by = self.by or _asker(context)
        with no_vain_retry():
            scope = self._covered()
            placed = self._placed(scope, by, site)
            if placed is None:
                placed = archive.hold(scope, reason=self.reason, by=by, settings=site)
        self.log.info("%s, by %s", placed, by)
        return placed.id

    def _covered(self) -> str | Entity | Slot:
        # A source's name may not hold a dot: that of an entity always does.
        entity = Entity.parse(self.scope) if "." in self.scope else None
        if not self.time and not self.partition_key and not self.map_key:
            return entity or self.scope
        if entity is None or not self.time:
            raise ConfigError(
                f"scope={self.scope!r}, time={self.time!r}: a slot has an entity, as source.name, "
                "and a time; give both, or neither time nor keys"
            )
        moment = moment_of("time", self.time)
        return Slot(entity, moment, self.partition_key or None, self.map_key or None)

    def _placed(self, scope: str | Entity | Slot, by: str, site: Settings) -> Hold | None:
        """A hold in force that says just this."""
        wanted = (scope, self.reason, by)
        for placed, ended in archive.holds(site):
            covered = placed.slot or placed.entity or placed.source
            if ended is None and (covered, placed.reason, placed.by) == wanted:
                return placed
        return None


class ArchiveReleaseOperator(BaseOperator):
    """End a hold: what it covered may be removed again, where nothing else holds it.

    Without a hold there is no request, and the task is skipped. One that has ended already stays as it
    was ended.

    :param hold: Its name, as :class:`ArchiveHoldOperator` hands it on and ``archive holds`` lists it.
    :param reason: Why it ends, in words; the release's record keeps it.
    :param by: Who asks for it; the run where it is empty.
    :raises ConfigError: The reason is empty.
    :raises NotArchived: There is no such hold; the message lists those in force.
    :raises ArchiveCorrupt: The record of a hold is damaged.
    :raises ArchiveUnavailable: The store is out of reach.
    """

    template_fields: Sequence[str] = ("hold", "reason", "by")

    def __init__(
        self,
        *,
        hold: str,
        reason: str,
        by: str = "",
        **kwargs: Any,  # Any: as above
    ) -> None:
        super().__init__(**kwargs)
        self.hold = hold
        self.reason = reason
        self.by = by

    def execute(self, context: Context) -> dict[str, str]:
        """End it; its name, and when, by whom and why it ended go to XCom."""
        if not self.hold:
            raise AirflowSkipException("no request: start it with a hold and a reason")
        by = self.by or _asker(context)
        with no_vain_retry():
            ended = archive.release(self.hold, reason=self.reason, by=by, settings=site_settings())
        self.log.info("hold %s ended, by %s: %s", ended.id, ended.by, ended.reason)
        at = ended.at_utc.isoformat()
        return {"hold": ended.id, "at_utc": at, "by": ended.by, "reason": ended.reason}


def _asker(context: Context) -> str:
    """Who asks where nobody is named: the task, in its run."""
    run = context["dag_run"]
    return f"{run.dag_id}.{context['ti'].task_id} {run.run_id}"
