"""Records of Kafka as rows of Arrow, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    import pyarrow as pa
    from confluent_kafka import Message

__all__ = ["Rows", "size_of"]


class Rows:
    """Records on their way into one Arrow batch."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self.size_bytes = 0

    @property
    def count(self) -> int:
        return len(self._messages)

    def add(self, message: Message) -> None:
        self._messages.append(message)
        self.size_bytes += size_of(message) + 100

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


def size_of(message: Message) -> int:
    """Bytes of its key, value and headers."""
    headers = sum(len(key) + len(value or b"") for key, value in _headers(message))
    return len(message.key() or b"") + len(message.value() or b"") + headers


def _headers(message: Message) -> list[tuple[str, bytes | None]]:
    # Written by the client as pairs, whatever its stubs say of other ways to give them to a producer.
    return cast("list[tuple[str, bytes | None]]", message.headers() or [])
