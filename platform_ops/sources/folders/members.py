"""What is in a ZIP or tar while it passes by: names and sizes, never a byte unpacked to anywhere.

A ZIP's list stands at its end, so only the end is kept; a tar's stands between its bodies, so it is
read along. Either way memory is constant, and whatever a bomb would do stops at a limit.

Sources: PKWARE's APPNOTE.TXT; POSIX, "pax Interchange Format"; D. Fifield, "A better zip bomb".
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from queue import Full, Queue
from threading import Event, Thread
from typing import Final

from platform_ops.errors import SourceRejected

__all__ = ["Listing", "MemberLimits", "is_listed"]

_TAIL_BYTES: Final = 8 << 20
"""As much of a ZIP's end as is kept: the list of some 80,000 members."""
_HEADER_BYTES: Final = 1 << 20
"""Longest header of a tar's member, and what its reader may take ahead."""
_ZIP: Final = (".zip", ".jar", ".xlsx", ".docx")
_TAR: Final = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_DRIVE: Final = re.compile(r"^[A-Za-z]:|^[/\\]")


@dataclass(frozen=True, slots=True)
class MemberLimits:
    """Past which an archive is refused.

    :param count: Members.
    :param size_bytes: Their sizes together, unpacked.
    :param ratio: Unpacked by packed size; text seldom packs to less than a fiftieth.
    """

    count: int = 10_000
    size_bytes: int = 100 << 30
    ratio: int = 250


@dataclass(frozen=True, slots=True)
class Found:
    """One member, as the archive describes it."""

    name: str
    size_bytes: int
    kind: str = "file"


def is_listed(name: str) -> bool:
    """Whether a file of this name is an archive whose list can be read."""
    return name.lower().endswith((*_ZIP, *_TAR))


class Listing:
    """The list of one archive, written as its bytes pass through :meth:`watch`.

    :param name: Of the archive; its ending tells the kind.
    """

    def __init__(self, name: str, limits: MemberLimits) -> None:
        self.name = name
        self._limits = limits
        self.members: list[Found] = []

    def watch(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The same bytes.

        :raises SourceRejected: The archive is damaged, a bomb, or would write outside its folder.
        """
        if self.name.lower().endswith(_ZIP):
            return self._watch_zip(chunks)
        return self._watch_tar(chunks)

    def lines(self) -> Iterator[bytes]:
        """The list as JSON lines, once all has passed."""
        for member in self.members:
            yield json.dumps(asdict(member), ensure_ascii=True).encode() + b"\n"

    def _watch_zip(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        tail, size_bytes = bytearray(), 0
        for chunk in chunks:
            size_bytes += len(chunk)
            tail += chunk
            if len(tail) > 2 * _TAIL_BYTES:
                del tail[:-_TAIL_BYTES]
            yield chunk
        try:
            with zipfile.ZipFile(_Tail(tail, size_bytes)) as found:
                self._take_zip(found.infolist(), size_bytes)
        except _READING as err:
            raise self._refused(f"cannot be read as a ZIP ({type(err).__name__})") from err

    def _take_zip(self, members: list[zipfile.ZipInfo], size_bytes: int) -> None:
        total = end = 0
        for member in sorted(members, key=lambda each: each.header_offset):
            if member.header_offset < end:
                raise self._refused("is a bomb: its members lie upon each other")
            end = member.header_offset + member.compress_size
            total += member.file_size
            linked = member.external_attr >> 28 == 0xA
            kind = "link" if linked else "folder" if member.is_dir() else "file"
            self._take(Found(member.filename, member.file_size, kind), total, size_bytes)

    def _watch_tar(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        pipe = _Pipe()
        reader = Thread(target=pipe.run, args=(self._read_tar,), daemon=True)
        reader.start()
        try:
            for chunk in chunks:
                pipe.put(chunk)
                yield chunk
            pipe.put(b"")
            reader.join()
        finally:
            pipe.stopped.set()
            reader.join()
        if pipe.error is not None:
            raise pipe.error

    def _read_tar(self, pipe: _Pipe) -> None:
        try:
            plain = _Allowed(_unpacked(self.name, io.BufferedReader(pipe)))
            total = 0
            with tarfile.open(fileobj=plain, mode="r|", bufsize=tarfile.BLOCKSIZE) as found:
                for member in found:
                    total += member.size
                    kind = _kind(member)
                    self._take(Found(member.name, member.size, kind), total, pipe.size_bytes)
                    if kind == "link":
                        self._check_inside(member.linkname)
                    plain.allow(member.size)
                    found.members = []  # type: ignore[attr-defined]  # tarfile keeps every one of them
            while pipe.read(1 << 16):
                pass
        except _READING as err:
            raise self._refused(f"cannot be read as a tar ({type(err).__name__})") from err

    def _take(self, member: Found, total: int, packed_bytes: int) -> None:
        self._check_inside(member.name)
        self.members.append(member)
        if len(self.members) > self._limits.count:
            raise self._refused(f"has more than {self._limits.count} members")
        if total > self._limits.size_bytes:
            raise self._refused(f"unpacks to more than {self._limits.size_bytes} bytes")
        # A few blocks of a tar are read ahead of what they are compared with.
        if total > self._limits.ratio * max(packed_bytes, _HEADER_BYTES // 256):
            raise self._refused(
                f"is a bomb: it unpacks to more than {self._limits.ratio} times its size"
            )

    def _check_inside(self, name: str) -> None:
        steps = name.replace("\\", "/").split("/")
        if _DRIVE.match(name) or ".." in steps or "\0" in name:
            raise self._refused(f"has a member that leaves its folder: {name[:200]!a}")

    def _refused(self, why: str) -> SourceRejected:
        return SourceRejected(
            f"{self.name!a}: {why}; nothing of it was kept. Look at it by hand, give "
            "list_members= higher MemberLimits, or leave it out"
        )


_READING: Final = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    NotImplementedError,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
)


def _kind(member: tarfile.TarInfo) -> str:
    if member.islnk() or member.issym():
        return "link"
    if member.isdir():
        return "folder"
    return "file" if member.isfile() else "device"


def _unpacked(name: str, packed: io.BufferedReader) -> io.BufferedIOBase:
    lower = name.lower()
    if lower.endswith(("gz", ".tgz")):
        return gzip.GzipFile(fileobj=packed)
    if lower.endswith("bz2"):
        return bz2.BZ2File(packed)
    if lower.endswith("xz"):
        return lzma.LZMAFile(packed)
    return packed


class _Tail(io.RawIOBase):
    """A file of which only the end is there."""

    def __init__(self, tail: bytes | bytearray, size_bytes: int) -> None:
        self._tail, self._size, self._place = bytes(tail), size_bytes, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        place = offset + (0, self._place, self._size)[whence]
        if place < 0:
            raise OSError("before the file's begin")
        self._place = place
        return place

    def tell(self) -> int:
        return self._place

    def read(self, size: int = -1) -> bytes:
        start = self._place - (self._size - len(self._tail))
        if start < 0:
            raise OSError("before what was kept of the file")
        data = self._tail[start:] if size < 0 else self._tail[start : start + size]
        self._place += len(data)
        return data


class _Pipe(io.RawIOBase):
    """Chunks of one thread as a file of another's, a few at a time."""

    def __init__(self) -> None:
        self.stopped = Event()
        self.error: Exception | None = None
        self.size_bytes = 0
        self._chunks: Queue[bytes] = Queue(4)
        self._rest = memoryview(b"")
        self._ended = False

    def run(self, work: Callable[[_Pipe], None]) -> None:
        try:
            work(self)
        except Exception as err:  # noqa: BLE001  # the other thread raises it
            self.error = err
        finally:
            self.stopped.set()

    def put(self, chunk: bytes) -> None:
        """Hand a chunk over; nothing where the reader has ended.

        :raises Exception: That of the reader.
        """
        while not self.stopped.is_set():
            try:
                self._chunks.put(chunk, timeout=0.1)
            except Full:
                continue
            return
        if self.error is not None:
            raise self.error

    def readable(self) -> bool:
        return True

    def readinto(self, into: bytearray | memoryview) -> int:  # type: ignore[override]  # any buffer in the base class
        while not self._rest and not self._ended:
            if self.stopped.is_set():
                raise EOFError("the archive was given up")
            try:
                chunk = self._chunks.get(timeout=0.1)
            except Exception:  # noqa: BLE001, S112  # queue.Empty: look whether it was given up
                continue
            self.size_bytes += len(chunk)
            self._rest, self._ended = memoryview(chunk), not chunk
        taken = self._rest[: len(into)]
        into[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)


class _Allowed(io.RawIOBase):
    """Unpacked bytes, of which no header may take more than a header needs."""

    def __init__(self, plain: io.BufferedIOBase) -> None:
        self._plain, self._left = plain, 2 * _HEADER_BYTES

    def allow(self, size_bytes: int) -> None:
        self._left = size_bytes + 2 * _HEADER_BYTES

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self._left -= size if size >= 0 else 1 << 62
        if self._left < 0:
            raise ValueError("a header of more than it may have")
        return self._plain.read(size)
