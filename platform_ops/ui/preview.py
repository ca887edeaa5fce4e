"""The first rows or bytes of a body, whatever it holds: bounded in time, memory and length.

Nothing here trusts a media type or a name: what cannot be read as it says is shown as text, else as bytes.
Parquet is read by a process of its own (:mod:`~platform_ops.ui.parquet_rows`).
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import IO, Any, Final

from platform_ops.archive import Body
from platform_ops.checks import Format, format_of
from platform_ops.entity import Part

__all__ = ["Preview", "preview"]

_HEAD_BYTES: Final = 64 << 10
_TEXT_LETTERS: Final = 16_000
_HEX_BYTES: Final = 512
_ROWS: Final = 50
_COLUMNS: Final = 40
_CELL_LETTERS: Final = 200
_PARQUET_BYTES: Final = 64 << 20
_PARQUET_S: Final = 20


@dataclass(frozen=True, slots=True)
class Preview:
    """What a page shows of a body.

    :param columns: Names, where it has rows; ``rows`` are texts already.
    :param text: Where it is text without rows.
    :param lines: Offset, bytes in hex, and letters, where it is neither.
    :param note: What was left out, in words.
    """

    kind: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    text: str = ""
    lines: tuple[tuple[str, str, str], ...] = ()
    note: str = ""


def preview(body: Body, known: Format | None = None) -> Preview:
    """The beginning of a body.

    :param known: What the site says that it is.
    :raises ArchiveError: It cannot be read.
    """
    if body.size_bytes == 0:
        return Preview("empty", note="It holds no byte.")
    part = Part(body.name, (), body.origin, body.media_type, body.codec)
    kind = known or format_of(part)
    if kind == "parquet" and body.codec in (None, "", "identity"):
        return _parquet(body)
    with closing(body.open(verify=False)) as file:
        head = file.read(_HEAD_BYTES)
    whole = len(head) == body.size_bytes
    if body.codec == "gzip":
        head, whole = _inflated(head, whole)
    return _text(head, whole, kind) or _bytes(head, whole)


def _inflated(head: bytes, whole: bool) -> tuple[bytes, bool]:
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        found = inflate.decompress(head, _HEAD_BYTES)
    except zlib.error:
        return head, whole
    return found, inflate.eof and not inflate.unused_data


def _text(head: bytes, whole: bool, kind: Format | None) -> Preview | None:
    if b"\0" in head:
        return None
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        if whole or err.start < len(head) - 3:  # else the cut went through a letter
            return None
        text = head[: err.start].decode("utf-8-sig")
    note = "" if whole else "Only the beginning is shown."
    readers = {"csv": _csv, "jsonl": _jsonl, "json": _json}
    if kind in readers:
        found = readers[kind](text, whole, note)
        if found is not None:
            return found
    if len(text) > _TEXT_LETTERS:
        text, note = text[:_TEXT_LETTERS], "Only the beginning is shown."
    return Preview("text", text=text, note=note)


def _csv(text: str, whole: bool, note: str) -> Preview | None:
    first = text.partition("\n")[0]
    delimiter = max("\t;|,", key=first.count)
    lines = io.StringIO(text if whole else text.rpartition("\n")[0], newline="")
    read: list[list[str]] = []
    try:
        for row in csv.reader(lines, delimiter=delimiter):
            read.append(row)
            if len(read) > _ROWS:
                note = f"The first {_ROWS} rows are shown."
                break
    except csv.Error:
        return None
    return _table("csv", read[0], read[1 : _ROWS + 1], note) if read else None


def _jsonl(text: str, whole: bool, note: str) -> Preview | None:
    lines = (text if whole else text.rpartition("\n")[0]).splitlines()
    if len(lines) > _ROWS:
        note = f"The first {_ROWS} rows are shown."
    try:
        found = [json.loads(line) for line in lines[:_ROWS] if line.strip()]
    except (ValueError, RecursionError):
        return None
    return _records("jsonl", found, note)


def _json(text: str, whole: bool, note: str) -> Preview | None:
    if not whole:
        return None
    try:
        found = json.loads(text)
        if isinstance(found, list) and (shown := _records("json", found[:_ROWS], note)):
            return shown
        pretty = json.dumps(found, ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return None
    if len(pretty) > _TEXT_LETTERS:
        pretty, note = pretty[:_TEXT_LETTERS], "Only the beginning is shown."
    return Preview("json", text=pretty, note=note)


def _records(kind: str, found: Sequence[Any], note: str) -> Preview | None:  # Any: JSON values
    if not found or not all(isinstance(each, dict) for each in found):
        return None
    columns = list(dict.fromkeys(key for each in found for key in each))
    return _table(
        kind, columns, ([_json_cell(each.get(key)) for key in columns] for each in found), note
    )


def _json_cell(value: Any) -> str:  # Any: a JSON value
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _table(kind: str, columns: Sequence[str], found: Iterable[Sequence[str]], note: str) -> Preview:
    if len(columns) > _COLUMNS:
        note = f"{note} {_COLUMNS} of {len(columns)} columns are shown.".strip()
    names = tuple(_cut(each) for each in columns[:_COLUMNS])
    rows = tuple(
        tuple(_cut(each) for each in [*row, *[""] * len(names)][: len(names)]) for row in found
    )
    return Preview(kind, names, rows, note=note)


def _cut(text: str) -> str:
    return text if len(text) <= _CELL_LETTERS else f"{text[:_CELL_LETTERS]}…"


def _bytes(head: bytes, whole: bool, note: str = "") -> Preview:
    shown = head[:_HEX_BYTES]
    if not whole or len(shown) < len(head):
        note = f"{note} The first {len(shown)} bytes are shown.".strip()
    lines = []
    for start in range(0, len(shown), 16):
        piece = shown[start : start + 16]
        letters = "".join(chr(each) if 32 <= each < 127 else "." for each in piece)
        lines.append((f"{start:08x}", piece.hex(" "), letters))
    return Preview("bytes", lines=tuple(lines), note=note)


def _parquet(body: Body) -> Preview:
    told, head = f"Larger than {_PARQUET_BYTES >> 20} MiB: download it to read its rows.", b""
    with closing(body.open(verify=False)) as file, tempfile.TemporaryFile() as copy:
        head = file.read(_HEX_BYTES)
        if body.size_bytes <= _PARQUET_BYTES:
            copy.write(head)
            while chunk := file.read(1 << 20):
                copy.write(chunk)
            copy.seek(0)
            found = _parquet_rows(copy)
            if isinstance(found, Preview):
                return found
            told = found
    return _bytes(head, len(head) == body.size_bytes, told)


def _parquet_rows(file: IO[bytes]) -> Preview | str:
    """Its first rows, or why they cannot be had."""
    # None of Airflow's secrets for a process that parses what strangers sent.
    environment = {
        name: os.environ[name]
        for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
        if name in os.environ
    }
    limits = [str(each) for each in (_ROWS, _COLUMNS, _CELL_LETTERS, _PARQUET_S)]
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "platform_ops.ui.parquet_rows", *limits],
            stdin=file,
            capture_output=True,
            env={**environment, "ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"},
            timeout=2 * _PARQUET_S,
            check=False,
        )
        found = json.loads(ended.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return "Its rows cannot be shown here: they take too much memory or time, or are damaged."
    if "fault" in found:
        return f"Its rows cannot be shown: {found['fault']}."
    note = "" if found["whole"] else f"The first {_ROWS} rows are shown."
    return _table("parquet", found["columns"], found["rows"], note)
