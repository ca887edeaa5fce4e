"""The scanner of JSON with no field to hide: what is left is whether it is JSON, and how many records."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final

from platform_ops.redaction.json_fields import KEY_LIMIT_BYTES, JsonRedactor

__all__ = ["JsonCounter"]

_SCAN: Final = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # typeshed lacks it
_COLON: Final = re.compile(r"[ \t\n\r]*:[ \t\n\r]*")
_COMMA: Final = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")
_NUMBERS: Final = re.compile(
    r"(?:-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+[ \t\n\r]*+,[ \t\n\r]*+)++"
)
_SPACE: Final = re.compile(r"[ \t\n\r]+")


class JsonCounter(JsonRedactor):
    """Scans a body for its structure, and counts what is in it.

    :param refuse: Makes the error from the byte where the fault is, and the fault in words.
    :param lines: Values follow one another, each of which is a record.
    :ivar values: Values of the outermost level.
    :ivar elements: Of the array that is the outermost value; None where it is none.
    """

    def __init__(self, refuse: Callable[[int, str], Exception], *, lines: bool = False) -> None:
        super().__init__("", ())
        self._refuse = refuse
        self._lines = lines
        self.values = 0
        self.elements: int | None = None

    def _at_once(self, text: bytes, letters: str, position: int) -> tuple[str, int]:
        """Whole records, as many as came: nearly all bytes of a body pass here."""
        level = self._levels[-1] if self._levels else None
        if level is not None and level.is_object:
            if self._expected.startswith("key") and (end := _members(letters, position)) > position:
                return "run", end
        elif self._expected.startswith("value") and (level or self._lines):
            count, end = _run(letters, position, _COMMA if level else _SPACE)
            if count:
                self._counted(count)
                return "run", end
        if level is None:  # an array that comes in one piece is still to be counted
            return "", position
        return super()._at_once(text, letters, position)

    def _taken(self, kind: str, text: bytes) -> bytes:
        if kind == "run":
            self._expected = "key" if self._levels and self._levels[-1].is_object else "value"
            return text
        return super()._taken(kind, text)

    def _value(self, kind: str, text: bytes) -> bytes:
        if not self._levels and text == b"[":
            self.elements = 0
        return super()._value(kind, text)

    def _skim_at(
        self, is_object: bool, behind: tuple[frozenset[int], ...]
    ) -> re.Pattern[bytes] | None:
        # What is skimmed is not counted, and elements of the outermost array are.
        return super()._skim_at(is_object, behind) if is_object or self._levels else None

    def _end_value(self) -> None:
        super()._end_value()
        self._counted(1)

    def _counted(self, count: int) -> None:
        if not self._levels:
            self.values += count
        elif len(self._levels) == 1 and self.elements is not None:
            self.elements += count

    def _refused(self, fault: str) -> Exception:  # type: ignore[override]  # another room's error
        return self._refuse(self._offset, fault)


def _run(letters: str, position: int, separator: re.Pattern[str]) -> tuple[int, int]:
    """How many values follow one another here, each with its separator, and where they end."""
    count, end = 0, position
    try:
        while True:
            if separator is _COMMA and (numbers := _NUMBERS.match(letters, end)):
                count, end = count + letters.count(",", end, numbers.end()), numbers.end()
            hit = separator.match(letters, _SCAN(letters, end)[1])
            if hit is None:
                return count, end
            count, end = count + 1, hit.end()
    except (StopIteration, ValueError, RecursionError):
        return count, end


def _members(letters: str, position: int) -> int:
    """Where the members of an object end that follow one another here, each with its comma."""
    end = position
    try:
        while letters[end] == '"':
            key_end = _SCAN(letters, end)[1]
            colon = _COLON.match(letters, key_end)
            if colon is None or key_end - end > KEY_LIMIT_BYTES:
                return end
            comma = _COMMA.match(letters, _SCAN(letters, colon.end())[1])
            if comma is None:
                return end
            end = comma.end()
    except (StopIteration, ValueError, RecursionError, IndexError):
        pass
    return end
