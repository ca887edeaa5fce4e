"""Which check a body gets: by what the site says, else by its media type, else by its name."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from email.message import Message
from typing import Final, Literal

from platform_ops.checks.model import Check, Malformed
from platform_ops.entity import Part

__all__ = ["FORMATS", "Format", "check_of", "format_of"]

Format = Literal["json", "jsonl", "csv", "parquet", "xml"]

_GZIP: Final = 16 + zlib.MAX_WBITS
_INFLATED_BYTES: Final = 1 << 20

_TYPES: Final[dict[str, Format]] = {
    "application/json": "json",
    "text/json": "json",
    "application/x-ndjson": "jsonl",
    "application/ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/x-jsonlines": "jsonl",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/xml": "xml",
    "text/xml": "xml",
}
_SUFFIXES: Final[dict[str, Format]] = {
    ".json": "json",
    ".geojson": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".xml": "xml",
}


def _json(_: str) -> Check:
    from platform_ops.checks.json_text import JsonCheck

    return JsonCheck()


def _jsonl(_: str) -> Check:
    from platform_ops.checks.json_text import JsonCheck

    return JsonCheck(lines=True)


def _csv(charset: str) -> Check:
    from platform_ops.checks.csv_text import CsvCheck

    return CsvCheck(charset)


def _parquet(_: str) -> Check:
    from platform_ops.checks.parquet import ParquetCheck

    return ParquetCheck()


def _xml(_: str) -> Check:
    from platform_ops.checks.xml_text import XmlCheck

    return XmlCheck()


FORMATS: Final[dict[Format, Callable[[str], Check]]] = {
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
    "parquet": _parquet,
    "xml": _xml,
}
"""From a format to its check; the argument is the charset that the media type names."""


def format_of(part: Part) -> Format | None:
    """What a body is said to be; None where nothing tells, or nobody can check it."""
    kind = part.media_type.partition(";")[0].strip().lower()
    if kind in _TYPES:
        return _TYPES[kind]
    if kind.endswith("+json"):
        return "json"
    if kind.endswith("+xml"):
        return "xml"
    name = part.name.lower().removesuffix(".gz") if part.codec == "gzip" else part.name.lower()
    return next((each for suffix, each in _SUFFIXES.items() if name.endswith(suffix)), None)


def check_of(part: Part, known: Format | None = None) -> Check | None:
    """The check of a body; None where it is of no format that can be checked, or in a foreign coding.

    :param known: What the site says that it is.
    """
    kind = known or format_of(part)
    if kind is None or part.codec not in (None, "", "identity", "gzip"):
        return None
    about = Message()
    about["content-type"] = part.media_type
    check = FORMATS[kind](about.get_content_charset("utf-8"))
    return _Inflated(check) if part.codec == "gzip" else check


class _Inflated:
    """A check behind gzip, one member after the other; what it inflates to is never held."""

    def __init__(self, inner: Check) -> None:
        self._inner = inner
        self._inflate = zlib.decompressobj(_GZIP)

    def feed(self, chunk: bytes) -> None:
        left = chunk
        try:
            while left:
                if self._inflate.eof:
                    self._inflate = zlib.decompressobj(_GZIP)
                self._inner.feed(self._inflate.decompress(left, _INFLATED_BYTES))
                left = self._inflate.unconsumed_tail or self._inflate.unused_data
        except zlib.error:
            raise Malformed("it is said to be gzip, and is not") from None

    def end(self) -> int | None:
        self._inner.feed(self._inflate.flush())
        if not self._inflate.eof:
            raise Malformed("its gzip ends in the middle")
        return self._inner.end()
