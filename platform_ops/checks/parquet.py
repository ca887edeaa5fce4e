"""Parquet: its magic bytes, its footer, and that the footer's row groups fit into what came before.

Pages are not decoded: the archive's digest vouches for them from here on, and nothing can before.

Source: https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

import io
import struct
from typing import Any, Final

from platform_ops.checks.model import HELD_BYTES, Malformed

__all__ = ["ParquetCheck"]

_MAGIC: Final = b"PAR1"
_ENCRYPTED: Final = b"PARE"
_END: Final = struct.Struct("<I4s")


class ParquetCheck:
    """One file, of which the end is held."""

    def __init__(self) -> None:
        self._head = b""
        self._tail = bytearray()
        self._size_bytes = 0

    def feed(self, chunk: bytes) -> None:
        if len(self._head) < len(_MAGIC):
            self._head = (self._head + chunk)[: len(_MAGIC)]
            if not (_MAGIC.startswith(self._head) or _ENCRYPTED.startswith(self._head)):
                raise Malformed("it does not begin as Parquet does")
        self._size_bytes += len(chunk)
        self._tail += chunk
        if len(self._tail) > 2 * HELD_BYTES:
            del self._tail[:-HELD_BYTES]

    def end(self) -> int | None:
        if len(self._tail) < len(_MAGIC) + _END.size:
            raise Malformed("it is shorter than any Parquet file")
        length, magic = _END.unpack(self._tail[-_END.size :])
        if magic != self._head:
            raise Malformed("it does not end as Parquet does")
        if length + _END.size + len(_MAGIC) > self._size_bytes:
            raise Malformed(f"its footer is said to have {length:,} bytes, more than came")
        if magic == _ENCRYPTED or length + _END.size > len(self._tail):
            return None
        return self._rows(length)

    def _rows(self, length: int) -> int | None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ModuleNotFoundError:  # the ends were looked at all the same
            return None
        # A file of the footer alone is whole as far as its metadata goes.
        end = bytes(self._tail[-(length + _END.size) :])
        try:
            about = pq.read_metadata(io.BytesIO(_MAGIC + end))
        except (pa.ArrowException, OSError) as err:
            raise Malformed(f"its footer cannot be read ({type(err).__name__})") from None
        self._require_room(about, self._size_bytes - length - _END.size)
        return int(about.num_rows)

    def _require_room(self, about: Any, body_bytes: int) -> None:  # Any: pyarrow ships no types
        for number in range(about.num_row_groups):
            group = about.row_group(number)
            chunks = [group.column(each) for each in range(group.num_columns)]
            ends = [_start(each) + each.total_compressed_size for each in chunks]
            if max(ends, default=0) > body_bytes:
                raise Malformed(f"row group {number + 1:,} ends behind the bytes that came")


def _start(chunk: Any) -> int:  # Any: pyarrow ships no types
    first = chunk.dictionary_page_offset if chunk.has_dictionary_page else None
    return int(min(first or chunk.data_page_offset, chunk.data_page_offset))
