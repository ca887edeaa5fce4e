"""A broker of one topic with one partition, which speaks Kafka's own protocol and keeps the log it is told.

Tansu, the real one of the tests, knows neither deletion of records, compaction nor aborted transactions.
It offers old versions of each request, which every client still speaks.

Source: https://kafka.apache.org/protocol and https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

import socketserver
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

TOPIC: Final = "orders"
_PRODUCE, _FETCH, _LIST, _METADATA, _COMMIT, _COMMITTED, _COORDINATOR, _VERSIONS = (
    *(0, 1, 2, 3, 8, 9, 10),
    18,
)
_OFFERED: Final = {  # the versions of each: lowest and highest
    _PRODUCE: (0, 3),  # none is taken; without it a client reads no modern log
    _FETCH: (4, 4),
    _LIST: (2, 2),
    _METADATA: (2, 2),
    _COMMIT: (2, 2),
    _COMMITTED: (1, 1),
    _COORDINATOR: (0, 0),
    _VERSIONS: (0, 0),
}
_OUT_OF_RANGE, _UNKNOWN_TOPIC, _UNKNOWN_MEMBER, _UNSUPPORTED_VERSION = 1, 3, 25, 35
_TRANSACTIONAL, _CONTROL = 0x10, 0x20
_EARLIEST: Final = -2


@dataclass(frozen=True)
class Batch:
    """What lies in the log as one piece.

    :param records: Value by offset; those that compaction took away are missing.
    :param last: Its last offset, whether a record is left there or not.
    :param producer: Number of the transaction's producer; below 0 where there is none.
    :param marker: ``commit`` or ``abort``, where the batch is the mark that ends a transaction.
    """

    first: int
    last: int
    records: Mapping[int, bytes]
    producer: int = -1
    marker: str = ""

    def encoded(self) -> bytes:
        kind = (_TRANSACTIONAL if self.producer >= 0 else 0) | (_CONTROL if self.marker else 0)
        if self.marker:
            key = struct.pack(">hh", 0, self.marker == "commit")
            records = [_record(0, key, struct.pack(">hi", 0, 0))]
        else:
            records = [
                _record(each - self.first, None, body) for each, body in self.records.items()
            ]
        stamp = 1_709_596_800_000
        inner = struct.pack(
            ">hiqqqhii",
            *(kind, self.last - self.first, stamp, stamp, self.producer, 0, -1, len(records)),
        )
        tail = inner + b"".join(records)
        # Its checksum stays 0: clients look at it only where they are told to.
        head = struct.pack(">iBI", 0, 2, 0)
        return struct.pack(">qi", self.first, len(head) + len(tail)) + head + tail


@dataclass
class Broker:
    """The log, as a test wants it.

    :param start: Oldest offset that is left.
    :param stable: Up to where all transactions have ended; the end where it is None.
    :param aborted: Producer and first offset of each transaction that was given up.
    :param members: Whether the group has some already.
    :param starts_after: By number of fetches: the oldest offset that is left from then on.
    """

    port: int = 0
    log: list[Batch] = field(default_factory=list)
    start: int = 0
    stable: int | None = None
    aborted: list[tuple[int, int]] = field(default_factory=list)
    members: bool = False
    committed: int = -1
    starts_after: dict[int, int] = field(default_factory=dict)
    fetches: int = 0

    def connection(self) -> dict[str, Any]:  # Any: librdkafka's values
        """What a client has to know."""
        return {"bootstrap.servers": f"127.0.0.1:{self.port}", "group.id": "archivists"}

    @property
    def end(self) -> int:
        return max((each.last + 1 for each in self.log), default=self.start)

    @property
    def settled(self) -> int:
        return self.end if self.stable is None else self.stable

    def append(self, *values: bytes | None, producer: int = -1) -> None:
        """One batch; None stands for a record that compaction took away."""
        first = self.end
        kept = {first + number: each for number, each in enumerate(values) if each is not None}
        self.log.append(Batch(first, first + len(values) - 1, kept, producer))

    def mark(self, how: str, producer: int) -> None:
        """End a transaction."""
        self.log.append(Batch(self.end, self.end, {}, producer, how))

    def answer(self, api: int, body: _Reader) -> bytes:
        answers = {
            _METADATA: self._metadata,
            _LIST: self._offsets,
            _FETCH: self._fetched,
            _COORDINATOR: lambda _: struct.pack(">hi", 0, 1) + self._address(),
            _COMMITTED: self._group,
            _COMMIT: self._commit,
        }
        return answers[api](body)

    def _address(self) -> bytes:
        return _text("127.0.0.1") + struct.pack(">i", self.port)

    def _metadata(self, body: _Reader) -> bytes:
        count = body.number("i")
        names = [TOPIC] if count < 0 else [body.text() for _ in range(count)]
        brokers = struct.pack(">ii", 1, 1) + self._address() + _text(None)
        partition = struct.pack(">hiiiiii", 0, 0, 1, 1, 1, 1, 1)
        topics = [
            struct.pack(">h", 0 if name == TOPIC else _UNKNOWN_TOPIC)
            + _text(name)
            + struct.pack(">b", 0)
            + (_list(partition) if name == TOPIC else _list())
            for name in names
        ]
        return brokers + _text("fake-cluster") + struct.pack(">i", 1) + _list(*topics)

    def _offsets(self, body: _Reader) -> bytes:
        _, committed_only = body.number("i"), body.number("b")
        _, _, _, _, when = (body.number("i"), body.text(), *(body.number(k) for k in "iiq"))
        end = self.settled if committed_only else self.end
        found = self.start if when == _EARLIEST else end
        return struct.pack(">i", 0) + _topic(struct.pack(">ihqq", 0, 0, -1, found))

    def _fetched(self, body: _Reader) -> bytes:
        _, wait_ms, _, _ = (body.number("i") for _ in range(4))
        committed_only = body.number("b")
        if not body.number("i"):  # no topic: the client has paused
            time.sleep(wait_ms / 1000)
            return struct.pack(">ii", 0, 0)
        body.text()
        _, _, offset = (body.number(kind) for kind in "iiq")
        self.fetches += 1
        self.start = self.starts_after.get(self.fetches, self.start)
        limit = self.settled if committed_only else self.end
        outside = not self.start <= offset <= self.end
        found = [each for each in self.log if each.last >= offset and each.first < limit]
        if not found and not outside:
            time.sleep(wait_ms / 1000)
        data = b"" if outside else b"".join(each.encoded() for each in found[:1])
        told = self.aborted if committed_only else []
        aborted = _list(*(struct.pack(">qq", *each) for each in told))
        head = struct.pack(">ihqq", 0, _OUT_OF_RANGE if outside else 0, self.end, self.settled)
        return struct.pack(">i", 0) + _topic(head + aborted + struct.pack(">i", len(data)) + data)

    def _group(self, _: _Reader) -> bytes:
        return _topic(struct.pack(">iq", 0, self.committed) + _text("") + struct.pack(">h", 0))

    def _commit(self, body: _Reader) -> bytes:
        body.text(), body.number("i"), body.text(), body.number("q"), body.number("i"), body.text()
        _, _, offset = (body.number(kind) for kind in "iiq")
        if not self.members:
            self.committed = offset
        return _topic(struct.pack(">ih", 0, _UNKNOWN_MEMBER if self.members else 0))


@contextmanager
def broker() -> Iterator[Broker]:
    """Serve on a free port of loopback until the block ends."""
    made = Broker()

    class Handler(_Handler):
        broker = made

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_address[1]
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


class _Handler(socketserver.StreamRequestHandler):
    broker: Broker

    def handle(self) -> None:
        with suppress(OSError):
            while head := self.rfile.read(4):
                body = _Reader(self.rfile.read(struct.unpack(">i", head)[0]))
                api, version, number = (body.number(kind) for kind in "hhi")
                body.text()  # the client's name
                reply = struct.pack(">i", number)
                if api == _VERSIONS:
                    error = 0 if version == 0 else _UNSUPPORTED_VERSION
                    rows = [struct.pack(">hhh", key, *span) for key, span in _OFFERED.items()]
                    reply += struct.pack(">h", error) + _list(*rows)
                else:
                    reply += self.broker.answer(api, body)
                self.wfile.write(struct.pack(">i", len(reply)) + reply)


class _Reader:
    """A request, field by field."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def number(self, kind: str) -> int:
        (found,) = struct.unpack_from(f">{kind}", self._data, self._at)
        self._at += struct.calcsize(kind)
        return int(found)

    def text(self) -> str:
        size = max(self.number("h"), 0)
        self._at += size
        return self._data[self._at - size : self._at].decode()


def _text(value: str | None) -> bytes:
    if value is None:
        return struct.pack(">h", -1)
    return struct.pack(">h", len(value)) + value.encode()


def _list(*rows: bytes) -> bytes:
    return struct.pack(">i", len(rows)) + b"".join(rows)


def _topic(partition: bytes) -> bytes:
    """The answer about the one partition of the one topic."""
    return _list(_text(TOPIC) + _list(partition))


def _record(delta: int, key: bytes | None, value: bytes) -> bytes:
    inner = b"\0" + _varint(0) + _varint(delta)
    inner += _varint(-1) if key is None else _varint(len(key)) + key
    inner += _varint(len(value)) + value + _varint(0)
    return _varint(len(inner)) + inner


def _varint(value: int) -> bytes:
    left = (value << 1) ^ (value >> 63)
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*out, left])
