"""CSV: its charset, its quotes, and as many fields in each record as in the first.

Source: RFC 4180; the delimiter is the one that the first record holds most of.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable
from typing import Final

from platform_ops.checks.model import HELD_BYTES, Malformed

__all__ = ["CsvCheck"]

_DELIMITERS: Final = ",;\t|"
_FIELD_LETTERS: Final = HELD_BYTES


class CsvCheck:
    """Records of equal length below a header.

    :param charset: As the media type names it.
    """

    def __init__(self, charset: str = "utf-8") -> None:
        try:
            self._decoder = codecs.getincrementaldecoder(charset)()
        except LookupError:
            raise Malformed(f"its charset {charset!r} is none that Python knows") from None
        self._charset = charset
        self._held = ""
        self._fields: int | None = None
        self._delimiter = ","
        self._records = 0
        self._begun = False

    def feed(self, chunk: bytes) -> None:
        self._held += self._decoded(chunk)
        if not self._begun and self._held:
            self._held, self._begun = self._held.removeprefix("\ufeff"), True
        end = _end_of_records(self._held)
        if end:
            self._read(self._held[:end])
            self._held = self._held[end:]
        elif len(self._held) > HELD_BYTES:
            raise Malformed(f"record {self._records + 1:,} is longer than {HELD_BYTES:,} letters")

    def end(self) -> int | None:
        self._held += self._decoded(b"", last=True)
        if self._held.count('"') % 2:
            raise Malformed(f"a quote that opens in record {self._records + 1:,} never closes")
        self._read(self._held)
        return max(0, self._records - 1)

    def _decoded(self, chunk: bytes, *, last: bool = False) -> str:
        try:
            return self._decoder.decode(chunk, last)
        except UnicodeDecodeError:
            raise Malformed(f"it is not {self._charset}") from None

    def _read(self, text: str) -> None:
        if self._fields is None:
            first = text.lstrip("\r\n").partition("\n")[0]
            self._delimiter = max(_DELIMITERS, key=first.count)
        limit = csv.field_size_limit(_FIELD_LETTERS)
        try:
            self._count(csv.reader(_lines(text), delimiter=self._delimiter, strict=True))
        except csv.Error as err:
            raise Malformed(f"record {self._records + 1:,}: {err}") from None
        finally:
            csv.field_size_limit(limit)

    def _count(self, records: Iterable[list[str]]) -> None:
        for record in records:
            if not record:
                continue
            self._records += 1
            if self._fields is None:
                self._fields = len(record)
            elif len(record) != self._fields:
                raise Malformed(
                    f"record {self._records:,} has {len(record)} fields, and the first has "
                    f"{self._fields}"
                )


def _lines(text: str) -> Iterable[str]:
    # Not splitlines(), which takes a form feed and the like for the end of a line.
    return (f"{line}\n" for line in text.split("\n"))


def _end_of_records(text: str) -> int:
    """Where the last record ends that is whole: a line's end outside of quotes; 0 where none does."""
    quotes, end = text.count('"'), len(text)
    while (end := text.rfind("\n", 0, end)) >= 0:
        quotes -= text.count('"', end, _next(text, end))
        if quotes % 2 == 0:
            return end + 1
    return 0


def _next(text: str, end: int) -> int:
    """The line's end after this one, or the end of all."""
    found = text.find("\n", end + 1)
    return len(text) if found < 0 else found
