# https://docs.confluent.io/platform/current/clients/confluent-kafka-python/html/index.html
"""Partitions of Kafka topics, read one after the other from an offset on, as Arrow batches.

Partitions are assigned and never subscribed to, so that no rebalance takes one away in the middle, and
they are read in order, so that the same offsets always make the same file.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from platform_ops.errors import SourceRejected, SourceUnavailable
from platform_ops.ingest import connection
from platform_ops.sources.topics.batch import Batch, Bounds, Position
from platform_ops.sources.topics.settings import consumer_of

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

__all__ = ["Start", "Topics"]

log = logging.getLogger("platform_ops.sources")

Start = Literal["earliest", "latest"]

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
        self._consumer = consumer_of(self._conn_id, self._told.append)
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
                # The first wakes us, the rest is there: asked for many, a client waits for all of them.
                came = self._consumer.consume(1, timeout=1.0)
                came += self._consumer.consume(_AT_ONCE, timeout=0.0) if came else []
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


def _named(place: Position) -> str:
    return f"{place[0]}[{place[1]}]"
