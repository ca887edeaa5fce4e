# https://kafka.apache.org/protocol
"""Records of Kafka topics, in batches: byte for byte, with their offsets, each one once.

The archive is what decides where a batch begins: its newest manifest says up to which offset everything
is safe. The group's committed offsets only follow it, after the commit, for whoever watches the lag.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from platform_ops.entity import Manifest, Origin, Part
from platform_ops.errors import ConfigError, SourceRejected
from platform_ops.ingest import ArchivingOperator, Unchanged
from platform_ops.settings.choices import require_known
from platform_ops.sources import progress
from platform_ops.sources.nothing import OnNothing, nothing_new
from platform_ops.sources.topics.batch import Batch, Bounds, Position
from platform_ops.sources.topics.client import Start, Topics

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["ArchivingKafkaOperator"]

OnGap = Literal["fail", "accept"]
_MIB: Final = 1 << 20


class ArchivingKafkaOperator(ArchivingOperator):
    """Archive what is new in Kafka topics as one Parquet body: key, value, headers, timestamp, offset.

    A batch begins where the archive's newest one ended, and ends at the records that were there when it
    began, or at one of its limits. The offsets are committed to the group once the batch is committed to
    the archive, so that a crash between the two repeats nothing and loses nothing.

    All partitions are read by one task, without a rebalance: the group must have no other members.

    :param topics: Names of the topics.
    :param kafka_config_id: Connection of Airflow's type ``kafka``, whose extra is librdkafka's
        configuration; ``bootstrap.servers`` and ``group.id`` are needed.
    :param max_records: Most records of one batch.
    :param max_bytes: A batch ends after the record that reaches this many bytes of keys, values and
        headers.
    :param max_s: Most seconds to read for, shared by the partitions; the next run goes on from there.
    :param start: Where a partition begins that the archive does not know and the group neither:
        ``earliest`` or ``latest``.
    :param on_gap: What records mean that the topic has deleted before they were archived: ``fail``, or
        ``accept`` to go on with the oldest that is left.
    :param on_nothing: Where no record is new: ``skip`` the task and what comes after it; ``unchanged``
        refers to the newest revision, ``fail`` is tried again, and ``accept`` makes an empty revision.
    :param commit_offsets: Whether the group's offsets follow the archive, for whoever watches its lag.
    :param timeout_s: Longest wait for the brokers.
    :raises SourceRejected: Sign-in, certificate, topic or right is wrong; the group has other members;
        or records were deleted before they were archived.
    :raises SourceUnavailable: No broker answers in time.
    """

    template_fields: Sequence[str] = (
        *ArchivingOperator.template_fields,
        "topics",
        "kafka_config_id",
    )
    ui_color = "#e5e7eb"

    def __init__(
        self,
        *,
        topics: Sequence[str],
        kafka_config_id: str = "kafka_default",
        max_records: int = 1_000_000,
        max_bytes: int = 1024 * _MIB,
        max_s: float | None = None,
        start: Start = "earliest",
        on_gap: OnGap = "fail",
        on_nothing: OnNothing = "skip",
        commit_offsets: bool = True,
        timeout_s: float = 60.0,
        **kwargs: Any,  # Any: ArchivingOperator's own arguments
    ) -> None:
        super().__init__(**kwargs)
        require_known(
            start=(start, Start), on_gap=(on_gap, OnGap), on_nothing=(on_nothing, OnNothing)
        )
        if min(max_records, max_bytes) < 1:
            raise ConfigError("max_records= and max_bytes= are 1 at least")
        self.topics = topics
        self.kafka_config_id = kafka_config_id
        self.max_records = max_records
        self.max_bytes = max_bytes
        self.max_s = max_s
        self.start = start
        self.on_gap = on_gap
        self.on_nothing: OnNothing = on_nothing
        self.commit_offsets = commit_offsets
        self.timeout_s = timeout_s

    def fetch(self, context: Context) -> Iterator[Part]:
        """One part with every record; none where there is no new one."""
        before = progress.settled(context, self)
        with self._open() as topics:
            if before is None:
                batch = self._next(context, topics)
            elif (told := progress.read(before.watermark)).get("of") == topics.identity:
                batch = topics.batch(_positions(told["from"]), until=_positions(told["to"]))
            else:  # it holds no record: what came since belongs to a later slot
                raise Unchanged(before)
            if (first := batch.first()) is not None:
                part = self._part(topics, batch, first)
                yield part if before is None else _whole(part, before)
            elif before is not None:
                raise _fewer(topics.url, 0, before)
            else:
                if (
                    self.commit_offsets
                ):  # with start='latest', the one place that tells where it was
                    topics.commit(batch.ends)
                what = f"no new record in {', '.join(topics.names)}"
                yield from nothing_new(self, self.on_nothing, what)

    def acknowledge(self, context: Context, manifest: Manifest) -> None:  # noqa: ARG002  # the base class's signature
        """Commit the offsets to the group, and never back behind what it has."""
        told = progress.read(manifest.watermark)
        if told and self.commit_offsets:
            with self._open() as topics:
                topics.commit(_positions(told["to"]))

    def _open(self) -> Topics:
        names = [self.topics] if isinstance(self.topics, str) else list(self.topics)
        return Topics(self.kafka_config_id, names, self.timeout_s)

    def _next(self, context: Context, topics: Topics) -> Batch:
        def enough(found: list[dict[str, Any]]) -> bool:  # Any: JSON values
            return set(topics.names) <= {name for told in found for name in told["to"]}

        archived: dict[Position, int] = {}
        for told in progress.earlier(context, self, topics.identity, enough):
            for place, offset in _positions(told["to"]).items():
                archived[place] = max(offset, archived.get(place, 0))
        begin = topics.begin(archived, self.start, accept_gaps=self.on_gap == "accept")
        return topics.batch(begin, Bounds(self.max_records, self.max_bytes, self.max_s))

    def _part(
        self, topics: Topics, batch: Batch, first: Any
    ) -> Part:  # Any: an Arrow batch, which has no types
        from platform_ops.tabular import parquet_part

        asked = f"CONSUME\n{topics.url}\n{json.dumps(_plain(batch.begin), sort_keys=True)}"
        origin = Origin(
            url=topics.url,
            method="CONSUME",
            fingerprint=hashlib.sha256(asked.encode()).hexdigest(),
            fetched_at_utc=datetime.now(UTC),
        )
        part = parquet_part(batch.batches(first), "records.parquet", origin, schema=first.schema)
        return replace(part, watermark=lambda: _watermark(topics, batch))


def _watermark(topics: Topics, batch: Batch) -> str:
    """What the batch held, ``from`` included and ``to`` not, and so where the next one begins."""
    return json.dumps(
        {"of": topics.identity, "from": _plain(batch.begin), "to": _plain(batch.ends)}
    )


def _whole(part: Part, before: Manifest) -> Part:
    """The same records once more, or an error: a revision with fewer would hide those that it lacks."""

    def chunks() -> Iterator[bytes]:
        yield from part.body
        if part.rows_read() != before.rows:
            raise _fewer(part.origin.url, part.rows_read(), before)

    return replace(part, body=chunks())


def _fewer(url: str, rows: int | None, before: Manifest) -> SourceRejected:
    return SourceRejected(
        f"{url}: holds {rows} of the {before.rows} records of {before.slot}, since the topic has "
        f"deleted some; revision {before.revision} still holds"
    )


def _plain(positions: Mapping[Position, int]) -> dict[str, dict[str, int]]:
    plain: dict[str, dict[str, int]] = {}
    for (topic, partition), offset in sorted(positions.items()):
        plain.setdefault(topic, {})[str(partition)] = offset
    return plain


def _positions(plain: Mapping[str, Mapping[str, int]]) -> dict[Position, int]:
    return {
        (topic, int(partition)): offset
        for topic, offsets in plain.items()
        for partition, offset in offsets.items()
    }
