"""XML: well-formed, and harmless: no entity is declared, and nothing outside is read.

Source: https://docs.python.org/3/library/pyexpat.html and
https://docs.python.org/3/library/xml.html#xml-security
"""

from __future__ import annotations

from typing import Any, Final
from xml.parsers import expat  # entities are refused below, so that none can expand

from platform_ops.checks.model import HELD_BYTES, Malformed

__all__ = ["XmlCheck"]

_DEPTH_LIMIT: Final = 1000


class XmlCheck:
    """One document."""

    def __init__(self) -> None:
        parser = expat.ParserCreate()
        parser.EntityDeclHandler = _entity
        parser.ExternalEntityRefHandler = _entity
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._stop
        self._parser = parser
        self._depth = 0
        self._fed = 0

    def feed(self, chunk: bytes, *, last: bool = False) -> None:
        self._fed += len(chunk)
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as err:
            raise Malformed(
                f"line {err.lineno:,}, column {err.offset:,}: {expat.ErrorString(err.code)}"
            ) from None
        if self._fed - self._parser.CurrentByteIndex > HELD_BYTES:
            raise Malformed(f"a tag or comment is longer than {HELD_BYTES:,} bytes")

    def end(self) -> int | None:
        self.feed(b"", last=True)
        return None

    def _start(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002  # expat's
        self._depth += 1
        if self._depth > _DEPTH_LIMIT:
            raise Malformed(f"it is nested more than {_DEPTH_LIMIT:,} levels deep")

    def _stop(self, name: str) -> None:  # noqa: ARG002  # expat's
        self._depth -= 1


def _entity(*_: Any) -> int:  # Any: whatever expat tells of it
    raise Malformed("it declares an entity, which might expand without end or read a file")
