"""Keeping the archive on Airflow's own workers: verify, expire, sweep, erase and export.

A shard is a prefix of the slots' folders. :class:`ArchiveShardsOperator` lists them, and the others map
over that list, so that as many workers as there are take part.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from platform_ops import archive, metrics
from platform_ops.archive import LeftAlone, Removal, Stray
from platform_ops.archive.records.tombstones import PAYLOAD
from platform_ops.entity import Entity, Slot
from platform_ops.errors import ConfigError, NotArchived
from platform_ops.ingest import site_settings
from platform_ops.ingest.failure import no_vain_retry
from platform_ops.url_scheme import Template, decode

if TYPE_CHECKING:
    from airflow.sdk import Context

    from platform_ops.settings import Settings

__all__ = [
    "ArchiveEraseOperator",
    "ArchiveExpireOperator",
    "ArchiveExportOperator",
    "ArchiveShardsOperator",
    "ArchiveSweepOperator",
    "ArchiveVerifyOperator",
]

BESIDE: Final = Entity("archive", "records")
"""In the metrics' tags: what belongs to no entity, such as templates, holds and temporary files."""
_NAMED: Final = 20
"""Findings that a failure's message spells out; the task's log has all of them."""


class ArchiveShardsOperator(BaseOperator):
    """List the shards of the archive, for the other operators to map over.

    :param depth: Levels of the folders that make a shard: 1 is a source, 2 an entity, by the default
        URL template.
    """

    def __init__(self, *, depth: int = 2, **kwargs: Any) -> None:  # Any: BaseOperator's own
        super().__init__(**kwargs)
        self.depth = depth

    def execute(self, context: Context) -> list[str]:  # noqa: ARG002  # the base class's signature
        """List them; the last, ``.``, is what lies beside all slots."""
        return archive.shards(self.depth, site_settings())


class _ShardOperator(BaseOperator):
    """Work on one shard; fails with what it found, which no retry would cure.

    :param prefix: The shard, such as ``v1/weather``; all of the archive where empty.
    """

    template_fields: Sequence[str] = ("prefix",)

    def __init__(self, *, prefix: str = "", **kwargs: Any) -> None:  # Any: BaseOperator's own
        super().__init__(**kwargs)
        self.prefix = prefix

    def execute(self, context: Context) -> dict[str, int]:
        """Do the work; the counts of what was found and done go to XCom."""
        done: Counter[str] = Counter()
        findings = []
        with no_vain_retry():
            for finding in self._work(context, site_settings(), done):
                self.log.error("%s", finding)
                findings.append(finding)
        self.log.info("%s: %s", self.prefix or "all of the archive", dict(done))
        if findings:
            named = "\n".join(islice(findings, _NAMED))
            more = f"\nand {len(findings) - _NAMED} more" if len(findings) > _NAMED else ""
            raise AirflowFailException(f"{len(findings)} findings:\n{named}{more}")
        return dict(done)

    @abstractmethod
    def _work(self, context: Context, site: Settings, done: Counter[str]) -> Iterator[str]:
        """Count what is done, and yield what somebody must look at."""


class ArchiveVerifyOperator(_ShardOperator):
    """Check every manifest of a shard, the chain between them, and the bytes of its payloads.

    :param prefix: The shard, such as ``v1/weather``; all of the archive where empty.
    :param share: How many of the payloads to read and hash: 1 is all of them, 0 compares sizes only.
        Between, a share of 1/n takes another nth on each day, and all of them in n days.
    :raises ArchiveUnavailable: The store is out of reach.
    """

    def __init__(self, *, share: float = 1.0, **kwargs: Any) -> None:  # Any: as above
        super().__init__(**kwargs)
        self.share = share

    def _work(self, context: Context, site: Settings, done: Counter[str]) -> Iterator[str]:
        entities = _Entities(site)
        read: Counter[Entity] = Counter()
        # The run's day, not today's: a retry reads the same share.
        day = context["dag_run"].run_after.toordinal()
        for verdict in archive.verify(self.prefix, share=self.share, day=day, settings=site):
            entity = entities.of(verdict.manifest_url)
            read[entity] += verdict.size_bytes
            done.update(manifests=1, size_bytes=verdict.size_bytes, faults=len(verdict.faults))
            for fault in verdict.faults:
                metrics.emit(metrics.VERIFY_FAULTS, 1, entity, kind=fault.kind)
                yield f"{fault.kind}: {fault.message}"
        for entity, size_bytes in read.items():
            metrics.emit(metrics.VERIFIED_BYTES, size_bytes, entity)


class ArchiveSweepOperator(_ShardOperator):
    """Find, and with ``delete`` remove, what crashed writers left in a shard.

    :param prefix: The shard, such as ``v1/weather``; all of the archive where empty.
    :param delete: Remove it; it is only counted otherwise.
    :param grace_days: How long an object was left as it is: longer than any task runs.
    :raises ConfigError: The grace period is shorter than a day.
    :raises ArchiveUnavailable: The store is out of reach.
    """

    def __init__(
        self,
        *,
        delete: bool = False,
        grace_days: int = 7,
        **kwargs: Any,  # Any: as above
    ) -> None:
        super().__init__(**kwargs)
        self.delete = delete
        self.grace_days = grace_days

    def _work(
        self,
        context: Context,  # noqa: ARG002  # the base class's signature
        site: Settings,
        done: Counter[str],
    ) -> Iterator[str]:
        entities = _Entities(site)
        swept: Counter[Entity] = Counter()
        backlog: Counter[Entity] = Counter()
        grace = timedelta(days=self.grace_days)
        for found in archive.sweep(self.prefix, grace=grace, delete=self.delete, settings=site):
            if isinstance(found, LeftAlone):
                yield f"left alone: {found.message}"
                continue
            done.update(_counts(found))
            entity = entities.of(found.url)
            swept[entity] += found.removed
            backlog[entity] += not found.removed
        for entity in swept.keys() | backlog.keys():
            metrics.emit(metrics.SWEPT, swept[entity], entity)
            metrics.emit(metrics.SWEEP_BACKLOG, backlog[entity], entity)


class ArchiveExpireOperator(_ShardOperator):
    """Find, and with ``delete`` remove, the payloads of a shard whose time is over.

    :param prefix: The shard, such as ``v1/weather``; all of the archive where empty.
    :param delete: Put tombstones, and remove what was buried a pause ago; it is only counted otherwise.
    :param pause_days: How long a tombstone stands before the payloads go.
    :param shorten: Let today's ``retention_days`` end what a manifest promised to keep for longer.
    :raises ArchiveUnavailable: The store is out of reach.
    """

    def __init__(
        self,
        *,
        delete: bool = False,
        pause_days: float = 1,
        shorten: bool = False,
        **kwargs: Any,  # Any: as above
    ) -> None:
        super().__init__(**kwargs)
        self.delete = delete
        self.pause_days = pause_days
        self.shorten = shorten

    def _work(self, context: Context, site: Settings, done: Counter[str]) -> Iterator[str]:
        run = context["dag_run"]
        found = archive.expire(
            self.prefix,
            delete=self.delete,
            pause=timedelta(days=self.pause_days),
            shorten=self.shorten,
            by=f"{run.dag_id}.{self.task_id} {run.run_id}",
            settings=site,
        )
        for each in found:
            if isinstance(each, LeftAlone):
                yield f"left alone: {each.message}"
                continue
            done.update(_steps(each))
            if each.done and each.step == "bury":
                metrics.emit(metrics.EXPIRED, 1, each.slot.entity)
            elif each.done:
                metrics.emit(metrics.REMOVED_BYTES, each.size_bytes, each.slot.entity)


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
        run = context["dag_run"]
        with no_vain_retry():
            moment = _moment("time", self.time)
            slot = Slot(Entity.parse(self.entity), moment, self.partition_key, self.map_key)
            found = archive.erase(
                slot,
                _number("revision", self.revision) if self.revision else None,
                name=self.name or None,
                reason=self.reason,
                by=self.by or f"{run.dag_id}.{self.task_id} {run.run_id}",
                delete=self.delete,
                settings=site_settings(),
            )
        done: Counter[str] = Counter()
        for each in found:
            self.log.info("%s %s %s: %s", each.step, each.url, each.body or "", each.reason)
            done.update(_steps(each))
            if each.done and each.step == "remove":
                metrics.emit(metrics.REMOVED_BYTES, each.size_bytes, each.slot.entity)
        return dict(done)


class ArchiveExportOperator(BaseOperator):
    """Write revisions as a BagIt bag (RFC 8493) into a new folder of the worker.

    A selection that is empty makes no bag, and skips the task.

    :param folder: Where; it appears once the bag is whole.
    :param entity: Only its revisions, as ``source.name``; every entity's otherwise.
    :param since: Slots from this time on, ISO 8601 with a zone.
    :param until: Slots before this time.
    :raises ConfigError: The folder is there already, or a time is none or has no zone.
    :raises ArchiveCorrupt: A payload is not what was committed; there is no bag then.
    """

    template_fields: Sequence[str] = ("folder", "entity", "since", "until")

    def __init__(
        self,
        *,
        folder: str,
        entity: str | None = None,
        since: str | None = None,
        until: str | None = None,
        **kwargs: Any,  # Any: as above
    ) -> None:
        super().__init__(**kwargs)
        self.folder = folder
        self.entity = entity
        self.since = since
        self.until = until

    def execute(self, context: Context) -> str:  # noqa: ARG002  # the base class's signature
        """Write it; the folder's path goes to XCom."""
        with no_vain_retry():
            since = _moment("since", self.since) if self.since else None
            until = _moment("until", self.until) if self.until else None
            try:
                bag = archive.export(
                    self.folder, self.entity, since, until, settings=site_settings()
                )
            except NotArchived as err:
                raise AirflowSkipException(str(err)) from err
        self.log.info("%s: %d revisions, %d bytes", bag.path, bag.manifests, bag.size_bytes)
        return str(bag.path)


class _Entities:
    """Whose a URL of the archive is, as its folder tells."""

    def __init__(self, site: Settings) -> None:
        self._root = archive.root(site)
        texts = [site.archive.template]
        texts += (self._root.read(each.key).decode() for each in self._root.entries("templates"))
        self._templates = [Template.compile(text) for text in dict.fromkeys(texts)]

    def of(self, url: str) -> Entity:
        """The entity, or :data:`BESIDE`."""
        key = url.removeprefix(f"{self._root.url}/")
        payload = PAYLOAD.fullmatch(key)
        folder = payload["folder"] if payload else key.partition("/")[2].rpartition("/")[0]
        for levels in (template.split(folder) for template in self._templates):
            if levels is not None:
                return Entity(decode(levels["source"]), decode(levels["entity"]))
        return BESIDE


def _moment(name: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{name}={text!r} is no time; write 2026-01-05T06:00+00:00") from None
    if found.tzinfo is None:
        raise ConfigError(f"{name}={text!r} has no zone; write 2026-01-05T06:00+00:00")
    return found


def _number(name: str, text: int | str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{name}={text!r} is no number; write 1 or more") from None


def _counts(found: Stray) -> dict[str, int]:
    return {"removed" if found.removed else "left": 1, "size_bytes": found.size_bytes}


def _steps(found: Removal) -> dict[str, int]:
    verb = "held" if found.held_by else found.step if found.done else f"to_{found.step}"
    return {verb: 1, f"{verb}_bytes": found.size_bytes}
