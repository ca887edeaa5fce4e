# https://docs.confluent.io/platform/current/clients/confluent-kafka-python/html/index.html
"""Partitions of Kafka topics, read one after the other from an offset on, as Arrow batches.

Partitions are assigned and never subscribed to, so that no rebalance takes one away in the middle, and
they are read in order, so that the same offsets always make the same file.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal, Self, cast

from platform_ops.errors import ConfigError, ExtraMissing, SourceRejected, SourceUnavailable
from platform_ops.ingest import connection

if TYPE_CHECKING:
    import pyarrow as pa
    from confluent_kafka import Consumer, KafkaError, Message

__all__ = ["Batch", "Bounds", "Position", "Start", "Topics"]

log = logging.getLogger("platform_ops.sources")

Start = Literal["earliest", "latest"]
Position = tuple[str, int]
"""A topic and the number of a partition."""

_END: Final = "_PARTITION_EOF"
_SIGN_IN: Final = "check the sign-in in the connection's extra"
_RIGHTS: Final = "give the account the right to read it"
_ALONE: Final = "the group has other members; give this task a group of its own"
_GONE: Final = "records were deleted while they were read; see on_gap="
_ADVICE: Final = {
    "_AUTHENTICATION": _SIGN_IN,
    "SASL_AUTHENTICATION_FAILED": _SIGN_IN,
    "UNSUPPORTED_SASL_MECHANISM": _SIGN_IN,
    "_SSL": "check the certificates in the connection's extra",
    "TOPIC_AUTHORIZATION_FAILED": _RIGHTS,
    "GROUP_AUTHORIZATION_FAILED": _RIGHTS,
    "CLUSTER_AUTHORIZATION_FAILED": _RIGHTS,
    "UNKNOWN_TOPIC_OR_PART": "check topics=",
    "_UNKNOWN_TOPIC": "check topics=",
    "_UNKNOWN_PARTITION": "check topics=",
    "_AUTO_OFFSET_RESET": _GONE,
    "OFFSET_OUT_OF_RANGE": _GONE,
    "UNKNOWN_MEMBER_ID": _ALONE,
    "ILLEGAL_GENERATION": _ALONE,
    "REBALANCE_IN_PROGRESS": _ALONE,
}
"""What no retry cures, by the client's name for it, and what does."""

_AT_ONCE: Final = 1000
_BATCH_BYTES: Final = 8 << 20
_SETTINGS: Final = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    # Never jump where an offset is gone: that is for on_gap= to decide.
    "auto.offset.reset": "error",
}
_DEFAULTS: Final = {"isolation.level": "read_committed", "fetch.wait.max.ms": 100, "log_level": 2}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a batch ends that finds more than it may take."""

    records: int
    size_bytes: int
    seconds: float | None


class Topics:
    """A client of some topics, a context manager.

    :param conn_id: Airflow connection of type ``kafka``.
    :param timeout_s: Longest wait for the brokers.
    """

    def __init__(self, conn_id: str, names: Sequence[str], timeout_s: float) -> None:
        self._conn_id, self.names, self._timeout_s = conn_id, sorted(set(names)), timeout_s
        self._told: list[KafkaError] = []
        self._cluster = ""

    @property
    def url(self) -> str:
        """The topics' address, without whoever reads them."""
        return f"kafka://{self._cluster}/{','.join(self.names)}"

    @property
    def identity(self) -> str:
        """Tells this cluster from every other."""
        return f"kafka:{hashlib.sha256(self._cluster.encode()).hexdigest()[:16]}"

    def __enter__(self) -> Self:
        self._consumer = _client(self._conn_id, self._told.append)
        try:
            with self._errors("looking the topics up"):
                about = self._looked_up()
                self._cluster = about.cluster_id or self._consumer_bootstrap()
                self.partitions = [
                    (name, number)
                    for name in self.names
                    for number in sorted(self._topic(name).partitions)
                ]
        except BaseException:
            self._consumer.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def begin(
        self, archived: Mapping[Position, int], start: Start, *, accept_gaps: bool
    ) -> dict[Position, int]:
        """Where each partition goes on: where the archive ended, else the group, else ``start``.

        :param archived: Offsets up to which the archive has everything.
        :raises SourceRejected: Records are gone that the archive has not.
        """
        committed = self._committed()
        topics = {topic for topic, _ in archived}
        begin: dict[Position, int] = {}
        for place in self.partitions:
            lowest, highest = self._watermarks(place)
            known = archived.get(place, committed.get(place))
            if known is None:
                # A partition that a known topic has gained is new from its first record on.
                fresh = start == "latest" and place[0] not in topics
                begin[place] = highest if fresh else lowest
            elif lowest <= known <= highest:
                begin[place] = known
            else:
                begin[place] = self._over_gap(place, known, lowest, highest, accept=accept_gaps)
            if place in archived and committed.get(place, -1) > archived[place]:
                log.warning(
                    "%s: the group is at %d, past what is archived; reading on at %d",
                    _named(place),
                    committed[place],
                    begin[place],
                )
        return begin

    def batch(
        self,
        begin: Mapping[Position, int],
        bounds: Bounds | None = None,
        until: Mapping[Position, int] | None = None,
    ) -> Batch:
        """The records from ``begin`` on, to the end as it is now, within the bounds.

        :param until: Ends of the partitions, where they are known from before.
        """
        ends = (
            dict(until)
            if until is not None
            else {place: self._watermarks(place)[1] for place in begin}
        )
        return Batch(self, dict(begin), ends, bounds)

    def commit(self, positions: Mapping[Position, int]) -> None:
        """Move the group to these offsets, and never back.

        :raises SourceRejected: The group has members, or it may not be written.
        """
        from confluent_kafka import TopicPartition

        committed = self._committed()
        ahead = [
            TopicPartition(topic, partition, offset)
            for (topic, partition), offset in positions.items()
            if offset > committed.get((topic, partition), -1)
        ]
        if ahead:
            with self._errors("committing offsets"):
                for each in self._consumer.commit(offsets=ahead, asynchronous=False) or ():
                    if each.error is not None:
                        raise self._fault("committing offsets", each.error)

    def read(self, place: Position, start: int) -> Iterator[Message]:
        """Records of a partition from an offset on; the last thing given says that it ended there.

        :raises SourceUnavailable: Nothing came in time.
        """
        from confluent_kafka import TopicPartition

        with self._errors(f"reading {_named(place)}"):
            self._consumer.assign([TopicPartition(*place, start)])
            deadline = time.monotonic() + self._timeout_s
            while True:
                came = self._consumer.consume(_AT_ONCE, timeout=1.0)
                if not came and time.monotonic() > deadline:
                    raise self._silent(f"reading {_named(place)}")
                for message in came:
                    deadline = time.monotonic() + self._timeout_s
                    error = message.error()
                    if error is not None and error.name() != _END:
                        raise self._fault(f"reading {_named(place)}", error)
                    yield message

    def _looked_up(self) -> Any:  # Any: confluent_kafka's metadata, which has no types
        """What the brokers tell of themselves; a wrong sign-in is not tried until the time is up."""
        from confluent_kafka import KafkaException

        deadline = time.monotonic() + self._timeout_s
        while True:
            left_s = deadline - time.monotonic()
            try:
                return self._consumer.list_topics(timeout=max(0.1, min(1.0, left_s)))
            except KafkaException:
                self._consumer.poll(0)
                if left_s <= 1.0 or any(each.name() in _ADVICE for each in self._told):
                    raise

    def _topic(self, name: str) -> Any:  # Any: confluent_kafka's metadata, which has no types
        about = self._consumer.list_topics(name, timeout=self._timeout_s).topics[name]
        if about.error is not None:
            raise self._fault(f"looking up topic {name!r}", about.error)
        return about

    def _committed(self) -> dict[Position, int]:
        from confluent_kafka import TopicPartition

        wanted = [TopicPartition(*place) for place in self.partitions]
        with self._errors("asking for the group's offsets"):
            found = self._consumer.committed(wanted, timeout=self._timeout_s)
        for each in found:
            if each.error is not None:
                raise self._fault("asking for the group's offsets", each.error)
        return {(each.topic, each.partition): each.offset for each in found if each.offset >= 0}

    def _watermarks(self, place: Position) -> tuple[int, int]:
        from confluent_kafka import TopicPartition

        with self._errors(f"asking how far {_named(place)} goes"):
            found = self._consumer.get_watermark_offsets(
                TopicPartition(*place), timeout=self._timeout_s
            )
        if found is None:
            raise self._silent(f"asking how far {_named(place)} goes")
        lowest, highest = found
        return lowest or 0, highest or 0

    def _over_gap(
        self, place: Position, known: int, lowest: int, highest: int, *, accept: bool
    ) -> int:
        if known < lowest:
            what = f"records {known} to {lowest - 1} were deleted before they were archived"
        else:
            what = f"ends at {highest}, and {known} was archived: it was made anew or cut off"
        told = f"{self.url}: {_named(place)}: {what}"
        if not accept:
            raise SourceRejected(
                f"{told}; keep records for longer than the time between two runs, and go on with "
                f"on_gap='accept' once, at {lowest}"
            )
        log.warning("%s; going on at %d", told, lowest)
        return lowest

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        from confluent_kafka import KafkaException

        try:
            yield
        except KafkaException as err:
            # Not from err: its text may hold what a broker quotes.
            raise self._fault(doing, err.args[0]) from None

    def _silent(self, doing: str) -> SourceRejected | SourceUnavailable:
        return self._fault(doing, None)

    def _fault(self, doing: str, error: KafkaError | None) -> SourceRejected | SourceUnavailable:
        """The error in our own words; what the client was told before says more than a time-out."""
        self._consumer.poll(0)  # hands over what else was told
        names = [each.name() for each in self._told if each.name() in _ADVICE]
        name = next(iter(names), "_TIMED_OUT" if error is None else error.name())
        where = self.url if self._cluster else f"connection {self._conn_id!r}"
        said = f"{where}: {doing}: {name.lstrip('_')}"
        if name in _ADVICE:
            return SourceRejected(f"{said}; {_ADVICE[name]}")
        return SourceUnavailable(said)

    def _consumer_bootstrap(self) -> str:
        servers = connection(self._conn_id).extra_dejson["bootstrap.servers"]
        return ",".join(sorted(each.strip() for each in servers.split(",")))


@dataclass(slots=True)
class Batch:
    """Records of one capture, read as they are asked for.

    :param begin: First offset of each partition.
    :param ends: Where each partition ends, the offset after its last record; exact once all was read.
    """

    _topics: Topics
    begin: dict[Position, int]
    ends: dict[Position, int]
    _bounds: Bounds | None
    _rows: Iterator[pa.RecordBatch] = field(init=False, default_factory=lambda: iter(()))

    def first(self) -> pa.RecordBatch | None:
        """The first records; None where there are none."""
        self._rows = self._read()
        return next(self._rows, None)

    def batches(self, first: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """All records, the first ones in front."""
        return chain([first], self._rows)

    def _read(self) -> Iterator[pa.RecordBatch]:
        rest = [place for place, start in self.begin.items() if start < self.ends[place]]
        for place in set(self.begin) - set(rest):
            self.ends[place] = self.begin[place]
        share = _Share(self._bounds, len(rest))
        held = _Rows()
        for place in sorted(rest):
            for row in self._partition(place, share.next()):
                held.add(row)
                if held.size_bytes >= _BATCH_BYTES:
                    yield held.taken()
        if held.count:
            yield held.taken()

    def _partition(self, place: Position, share: _Share) -> Iterator[Message]:
        end, reached = self.ends[place], self.begin[place]
        try:
            for message in self._topics.read(place, reached):
                offset = message.offset() or 0
                if message.error() is not None:  # the end; before it may be marks of transactions
                    reached = max(reached, min(offset, end))
                    return
                if offset >= end:
                    reached = end
                    return
                reached = offset + 1
                yield message
                if reached == end or share.spent(message):
                    return
        finally:
            self.ends[place] = reached


class _Share:
    """What each partition may take, so that a long one leaves the others theirs."""

    def __init__(self, bounds: Bounds | None, partitions: int) -> None:
        self._bounds, self._left = bounds, partitions
        if bounds is not None:
            self._records, self._size_bytes = bounds.records, bounds.size_bytes
            self._until = time.monotonic() + bounds.seconds if bounds.seconds is not None else None
        self._own: tuple[int, int, float | None] = (0, 0, None)

    def next(self) -> Self:
        if self._bounds is not None:
            left, self._left = max(self._left, 1), self._left - 1
            now = time.monotonic()
            self._own = (
                max(1, self._records // left),
                max(1, self._size_bytes // left),
                None if self._until is None else now + max(0.0, self._until - now) / left,
            )
        return self

    def spent(self, message: Message) -> bool:
        """Whether this record was the partition's last of the batch."""
        if self._bounds is None:
            return False
        size = _size(message)
        self._records -= 1
        self._size_bytes -= size
        records, size_bytes, until = self._own
        self._own = (records - 1, size_bytes - size, until)
        return (
            records <= 1 or size_bytes <= size or (until is not None and time.monotonic() >= until)
        )


class _Rows:
    """Records on their way into one Arrow batch."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self.size_bytes = 0

    @property
    def count(self) -> int:
        return len(self._messages)

    def add(self, message: Message) -> None:
        self._messages.append(message)
        self.size_bytes += _size(message) + 100

    def taken(self) -> pa.RecordBatch:
        import pyarrow as pa

        messages, self._messages, self.size_bytes = self._messages, [], 0
        stamps = [each.timestamp() for each in messages]
        columns = [
            [each.topic() for each in messages],
            [each.partition() for each in messages],
            [each.offset() for each in messages],
            [None if kind == 0 else moment for kind, moment in stamps],
            [_KINDS[kind] for kind, _ in stamps],
            [each.key() for each in messages],
            [each.value() for each in messages],
            [[{"key": key, "value": value} for key, value in _headers(each)] for each in messages],
        ]
        schema = _schema()
        arrays = [
            pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


_KINDS: Final = (None, "create", "append")


def _schema() -> pa.Schema:
    import pyarrow as pa

    header = pa.struct(
        [pa.field("key", pa.string(), nullable=False), pa.field("value", pa.binary())]
    )
    return pa.schema(
        [
            pa.field("topic", pa.string(), nullable=False),
            pa.field("partition", pa.int32(), nullable=False),
            pa.field("offset", pa.int64(), nullable=False),
            pa.field("timestamp", pa.timestamp("ms", tz="UTC")),
            pa.field("timestamp_type", pa.string()),
            pa.field("key", pa.binary()),
            pa.field("value", pa.binary()),
            pa.field("headers", pa.list_(header), nullable=False),
        ]
    )


def _size(message: Message) -> int:
    headers = sum(len(key) + len(value or b"") for key, value in _headers(message))
    return len(message.key() or b"") + len(message.value() or b"") + headers


def _headers(message: Message) -> list[tuple[str, bytes | None]]:
    # Written by the client as pairs, whatever its stubs say of other ways to give them to a producer.
    return cast("list[tuple[str, bytes | None]]", message.headers() or [])


def _named(place: Position) -> str:
    return f"{place[0]}[{place[1]}]"


def _client(conn_id: str, told: Callable[[KafkaError], object]) -> Consumer:
    """A consumer by the connection, as Airflow's own hooks read it: cloud sign-in and callbacks included."""
    try:
        from airflow.providers.apache.kafka.hooks.base import KafkaBaseHook
        from confluent_kafka import Consumer, KafkaException
    except ModuleNotFoundError as err:
        raise ExtraMissing("confluent-kafka", "kafka", "ArchivingKafkaOperator") from err

    class Hook(KafkaBaseHook):
        def _get_client(self, config: dict[str, Any]) -> Consumer:  # Any: librdkafka's values
            return Consumer({**_DEFAULTS, "error_cb": told, **config, **_SETTINGS}, logger=log)

    extra = connection(conn_id).extra_dejson
    missing = [name for name in ("bootstrap.servers", "group.id") if not extra.get(name)]
    if missing:
        raise ConfigError(
            f"connection {conn_id!r} lacks {' and '.join(missing)}; its extra is librdkafka's configuration"
        )
    try:
        consumer: Consumer = Hook(conn_id).get_conn  # type: ignore[no-untyped-call]  # the provider's signature has no types
    except (KafkaException, ValueError, TypeError) as err:
        # Not from err: its text may quote a value.
        raise ConfigError(
            f"connection {conn_id!r}: librdkafka refuses its extra ({type(err).__name__}); see its page on "
            "configuration properties"
        ) from None
    return consumer
