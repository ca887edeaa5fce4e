"""Compression on the way in, undone on the way out: gzip and Zstandard, as the stock tools know them.

The codec is chosen for storage alone. What identifies a payload is the digest of its bytes as they came,
so that neither a codec nor its version makes equal bytes differ (ADR 0011).

Source: RFC 1952 (gzip), RFC 8878 (Zstandard).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import zlib
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, BinaryIO, Final, Protocol, cast

from platform_ops.entity import Part, Stored
from platform_ops.errors import ArchiveCorrupt, ExtraMissing
from platform_ops.settings import Codec

__all__ = ["SUFFIXES", "ChunkStream", "Encoded", "chosen", "decode", "require"]

SUFFIXES: Final = {"gzip": ".gz", "zstd": ".zst"}
"""What the key of a payload gets that is stored so."""

_ZSTD_LEVEL: Final = 1  # as dense as level 3 on JSON and CSV, at twice the speed
_GZIP_LEVEL: Final = 6
_GZIP_FRAME: Final = 16 + zlib.MAX_WBITS
_PIECE_BYTES: Final = 1 << 20

_DENSE: Final = frozenset(
    {
        *("application/gzip", "application/x-gzip", "application/zip", "application/zstd"),
        *("application/x-bzip2", "application/x-xz", "application/x-7z-compressed"),
        *("application/vnd.rar", "application/java-archive", "application/pdf"),
        *("application/vnd.apache.parquet", "application/vnd.apache.avro"),
        *("font/woff", "font/woff2"),
    }
)
_DENSE_KINDS: Final = ("image/", "audio/", "video/")
_DENSE_BEGINNINGS: Final = (
    "application/vnd.openxmlformats-officedocument",
    "application/vnd.oasis.opendocument",
)
_DENSE_SUFFIXES: Final = ("+zip", "+gzip", "+zstd")
_PLAIN_IMAGES: Final = ("image/svg+xml", "image/bmp", "image/tiff")


class _Encoder(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def chosen(codec: Codec, part: Part) -> str | None:
    """The codec that a part is stored with; None where it gains nothing from one."""
    if codec == "none" or part.codec not in (None, "", "identity"):
        return None
    return None if _is_dense(part.media_type) else codec


def _is_dense(media_type: str) -> bool:
    kind = media_type.partition(";")[0].strip().lower()
    if kind.startswith(_DENSE_KINDS):
        return kind not in _PLAIN_IMAGES
    return kind in _DENSE or kind.startswith(_DENSE_BEGINNINGS) or kind.endswith(_DENSE_SUFFIXES)


def require(codec: str | None) -> None:
    """Make sure that a codec is there, before the source is asked.

    :raises ExtraMissing: Its library is not installed.
    """
    if codec == "zstd":
        _zstd()


class Encoded:
    """Chunks as they are stored: compressed, hashed and counted on the way.

    :param chunks: The bytes as they came.
    """

    def __init__(self, codec: str, chunks: Iterable[bytes]) -> None:
        self._codec = codec
        self._chunks = chunks
        self._sha256 = hashlib.sha256()
        self._size_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        encoder = _encoder(self._codec)
        for chunk in self._chunks:
            yield from self._measured(encoder.compress(chunk))
        yield from self._measured(encoder.flush())

    def _measured(self, piece: bytes) -> Iterator[bytes]:
        if piece:
            self._sha256.update(piece)
            self._size_bytes += len(piece)
            yield piece

    @property
    def stored(self) -> Stored:
        """What lies in the store, once all chunks were drawn."""
        return Stored(self._codec, self._size_bytes, self._sha256.hexdigest())


def decode(codec: str, chunks: Iterable[bytes], url: str) -> Iterator[bytes]:
    """The bytes as they came, in pieces of up to 1 MiB.

    :param url: Where the chunks come from, for the message.
    :raises ArchiveCorrupt: They are not of this codec, or end too early.
    """
    faults: tuple[type[Exception], ...] = (gzip.BadGzipFile, zlib.error, EOFError)
    if codec == "zstd":
        faults = (_zstd().ZstdError, EOFError)
    try:
        # The files of both libraries take several frames in a row, as parallel compressors write them,
        # and never hold more than they were asked for.
        with _decoder(codec, ChunkStream(iter(chunks))) as plain:
            while piece := plain.read(_PIECE_BYTES):
                yield piece
    except faults as err:
        raise ArchiveCorrupt(f"{url}: cannot be read as {codec}: {err}") from err


class ChunkStream(io.RawIOBase):
    """Chunks as a file that is read from its beginning to its end."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's WriteableBuffer is private
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _encoder(codec: str) -> _Encoder:
    if codec == "gzip":
        # No name and no time in the frame: equal bytes make equal files.
        return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_FRAME)
    zstd = _zstd()
    level, checksum = (
        zstd.CompressionParameter.compression_level,
        zstd.CompressionParameter.checksum_flag,
    )
    encoder: _Encoder = zstd.ZstdCompressor(options={level: _ZSTD_LEVEL, checksum: 1})
    return encoder


def _decoder(codec: str, stored: io.RawIOBase) -> BinaryIO:
    if codec == "gzip":
        return cast("BinaryIO", gzip.GzipFile(fileobj=io.BufferedReader(stored), mode="rb"))
    if codec == "zstd":
        return cast("BinaryIO", _zstd().ZstdFile(io.BufferedReader(stored)))
    raise ArchiveCorrupt(
        f"stored as {codec!r}, which this release cannot read; it reads {', '.join(SUFFIXES)}"
    )


def _zstd() -> Any:  # Any: one module under two names
    try:
        return import_module(
            "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
        )
    except ModuleNotFoundError as err:
        raise ExtraMissing("backports.zstd", "zstd", "codec 'zstd'") from err
