"""Keeping the archive shard by shard: verify, expire and sweep.

A shard is a prefix of the slots' folders. :class:`ArchiveShardsOperator` lists them, and the others map
over that list, so that as many workers as there are take part.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from platform_ops import archive, metrics
from platform_ops.archive import LeftAlone, Stray
from platform_ops.archive.records.tombstones import PAYLOAD
from platform_ops.entity import Entity
from platform_ops.ingest import site_settings
from platform_ops.ingest.failure import no_vain_retry
from platform_ops.maintenance.terms import steps
from platform_ops.url_scheme import Template, decode

if TYPE_CHECKING:
    from airflow.sdk import Context

    from platform_ops.settings import Settings

__all__ = [
    "ArchiveExpireOperator",
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

    What is kept of refused deliveries is checked alike.

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
            counts = {"size_bytes": verdict.size_bytes, "faults": len(verdict.faults)}
            done.update(manifests=not verdict.evidence, **counts)
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
            done.update(steps(each))
            if each.done and each.step == "bury":
                metrics.emit(metrics.EXPIRED, 1, each.slot.entity)
            elif each.done:
                metrics.emit(metrics.REMOVED_BYTES, each.size_bytes, each.slot.entity)


class _Entities:
    """Whose a URL of the archive is, as its folder tells."""

    def __init__(self, site: Settings) -> None:
        self._root = archive.root(site)
        texts = [site.archive.template]
        texts += (self._root.read(each.key).decode() for each in self._root.entries("templates"))
        self._templates = [Template.compile(text) for text in dict.fromkeys(texts)]

    def of(self, url: str) -> Entity:
        """The entity, or :data:`BESIDE`."""
        # Of a refused delivery the record lies a level deeper than a manifest.
        key = url.removeprefix(f"{self._root.url}/").removeprefix("evidence/")
        payload = PAYLOAD.fullmatch(key)
        folder = payload["folder"] if payload else key.partition("/")[2].rpartition("/")[0]
        for levels in (template.split(folder) for template in self._templates):
            if levels is not None:
                return Entity(decode(levels["source"]), decode(levels["entity"]))
        return BESIDE


def _counts(found: Stray) -> dict[str, int]:
    return {"removed" if found.removed else "left": 1, "size_bytes": found.size_bytes}
