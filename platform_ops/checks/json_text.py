"""JSON and JSON lines: structure, spelling of values, UTF-8, and how many records there are.

Source: RFC 8259 (JSON); https://jsonlines.org/
"""

from __future__ import annotations

import codecs
from collections import deque

from platform_ops.checks.model import Malformed
from platform_ops.redaction import JsonCounter

__all__ = ["JsonCheck"]


class JsonCheck:
    """One JSON value, or one after another.

    :param lines: Any number of values, each of which is a record.
    """

    def __init__(self, *, lines: bool = False) -> None:
        self._lines = lines
        self._counter = JsonCounter(_malformed, lines=lines)
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def feed(self, chunk: bytes) -> None:
        self._decode(chunk)
        deque(self._counter.feed(chunk), maxlen=0)

    def end(self) -> int | None:
        self._decode(b"", last=True)
        deque(self._counter.close(), maxlen=0)
        if self._lines:
            return self._counter.values
        if self._counter.values != 1:
            raise Malformed(f"it holds {self._counter.values} values, where JSON is one")
        return self._counter.elements

    def _decode(self, chunk: bytes, *, last: bool = False) -> None:
        try:
            self._decoder.decode(chunk, last)
        except UnicodeDecodeError:
            raise Malformed("it is not UTF-8") from None


def _malformed(offset: int, fault: str) -> Malformed:
    return Malformed(f"at byte {offset:,} {fault}")
