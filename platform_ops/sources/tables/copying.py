r"""Arrow batches as the text that PostgreSQL's COPY reads, without a Python object for each value.

The format is COPY's own, not CSV: up to PostgreSQL 17 a line of ``\.`` ends CSV even inside of quotes.

Source: https://www.postgresql.org/docs/current/sql-copy.html
"""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["copied"]

_ESCAPES: Final = (("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"), ("\r", r"\r"))
"""The backslash first, else those of the others would be doubled."""


def copied(batch: pa.RecordBatch) -> bytes:
    r"""The rows, a line each: columns between tabs, nulls as ``\N``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not batch.num_rows:
        return b""
    texts = [_escaped(_texts(column)) for column in batch.columns]
    lines = pc.binary_join_element_wise(
        *texts, pa.scalar("\t", pa.large_string()), null_handling="replace", null_replacement=r"\N"
    )
    joined = pc.binary_join(
        pa.LargeListArray.from_arrays([0, len(lines)], lines), pa.scalar("\n", pa.large_string())
    )
    return bytes(joined[0].as_buffer()) + b"\n"


def _texts(column: pa.Array) -> pa.Array:
    """Values as PostgreSQL reads them."""
    import pyarrow as pa

    kind = column.type
    if isinstance(kind, pa.BaseExtensionType) and not isinstance(kind, pa.UuidType):
        return _texts(column.storage)
    slow = (pa.types.is_nested, pa.types.is_duration, _is_binary)
    if isinstance(kind, pa.UuidType) or any(each(kind) for each in slow):
        values = (None if each is None else _text(each) for each in column.to_pylist())
        return pa.array(values, pa.large_string())
    return column.cast(pa.large_string())


def _is_binary(kind: pa.DataType) -> bool:
    import pyarrow as pa

    known = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(each(kind) for each in known)


def _escaped(texts: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    held = texts.buffers()[2]
    whole = memoryview(held).tobytes() if held else b""
    for plain, escaped in _ESCAPES:
        if plain.encode() in whole:
            texts = pc.replace_substring(texts, plain, escaped)
    return texts


def _text(value: Any) -> str:  # Any: a value of a column, not null
    if isinstance(value, bytes):
        return rf"\x{value.hex()}"
    if isinstance(value, datetime.timedelta):
        return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"
    if isinstance(value, list):
        return f"{{{','.join(map(_element, value))}}}"
    return json.dumps(value, default=str) if isinstance(value, dict) else str(value)


def _element(value: Any) -> str:  # Any: an element of a list
    """In an array's literal: quoted, but for nulls and arrays within."""
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return _text(value)
    text = _text(value).replace("\\", r"\\").replace('"', r"\"")
    return f'"{text}"'
