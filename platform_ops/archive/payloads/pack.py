"""Packs: many small bodies as one ZIP, and beside it the list of what came, in JSON lines (ADR 0008).

The ZIP holds bytes alone and nothing of the fetch, so that equal bodies make equal packs, which
revisions share. What was asked and answered for each body stands in the list, which is the
revision's own. Both are sealed by their digests in the manifest, which stays small.

Source: PKWARE, APPNOTE.TXT 6.3.10; JSON Lines.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from platform_ops.archive.payloads import blobs, codec
from platform_ops.archive.stores.store import Store, locate
from platform_ops.entity import Members, Origin, Part, Payload, Stored, digest_line
from platform_ops.errors import ArchiveCorrupt
from platform_ops.url_scheme import file_name

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = [
    "BODIES_LIMIT",
    "BODY_LIMIT_BYTES",
    "PACK_LIMIT_BYTES",
    "Member",
    "Names",
    "Pack",
    "PackReader",
    "Packed",
    "find",
    "listing",
    "members",
]

BODY_LIMIT_BYTES: Final = 4 << 20
"""A longer body is a payload of its own: it gains nothing from a pack."""
PACK_LIMIT_BYTES: Final = 32 << 20
"""Past this much the next pack begins: a pack is put together in memory."""
BODIES_LIMIT: Final = 10_000
"""Past this many as well: what bounds the list, and any ZIP reader takes up to 65,535."""

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
_VERSION: Final = 20
_STORED, _DEFLATED = 0, 8
_EPOCH: Final = 1 << 5 | 1  # 1980-01-01, the first day of a ZIP: equal bodies make equal packs
_UNIX: Final = 3
_FILE_MODE: Final = 0o100644
_WINDOW_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """One body in a pack, as the pack's list has it.

    :param size_bytes: Length of the bytes as they came, and ``sha256`` their digest.
    :param entry: Its name in the ZIP, which no file system takes for more than a file's.
    :param offset: Where its bytes begin in the ZIP.
    :param stored_bytes: How many they are there.
    :param deflated: Whether they are compressed there.
    """

    name: str
    size_bytes: int
    sha256: str
    media_type: str
    origin: Origin
    codec: str | None
    rows: int | None
    schema_sha256: str | None
    entry: str
    offset: int
    stored_bytes: int
    deflated: bool


class Pack:
    """A pack in the making.

    :param compress: Deflate what gains from it.
    """

    def __init__(self, *, compress: bool) -> None:
        self._compress = compress
        self._body = bytearray()
        self._directory = bytearray()
        self._entries: set[str] = set()
        self._list = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
        self._lines: list[bytes] = []
        self._content = hashlib.sha256()
        self._origin = Origin("")
        self._bounds = ("", "")
        self._rows: int | None = 0
        self.size_bytes = 0
        self.count = 0

    @property
    def full(self) -> bool:
        """Whether the next body begins another pack."""
        return self.count >= BODIES_LIMIT or self.size_bytes >= PACK_LIMIT_BYTES

    def add(self, part: Part, body: bytes, sha256: str) -> Member:
        """Append one body."""
        deflate = self._compress and codec.chosen("gzip", part) is not None
        entry = file_name(part.name, self._entries)
        self._entries.add(entry.lower())
        stored = zlib.compress(body, wbits=-zlib.MAX_WBITS) if deflate else body
        offset = self._append(entry, body, stored, _DEFLATED if deflate else _STORED)
        member = Member(
            name=part.name,
            size_bytes=len(body),
            sha256=sha256,
            media_type=part.media_type,
            origin=part.origin,
            codec=part.codec,
            rows=part.rows_read(),
            schema_sha256=part.schema_read(),
            entry=entry,
            offset=offset,
            stored_bytes=len(stored),
            deflated=deflate,
        )
        self._count(member)
        return member

    def keep(self, member: Member, body: bytes) -> None:
        """Append a body of another pack, under the name and in the way in which it lay there."""
        stored = zlib.compress(body, wbits=-zlib.MAX_WBITS) if member.deflated else body
        method = _DEFLATED if member.deflated else _STORED
        offset = self._append(member.entry, body, stored, method)
        self._count(replace(member, offset=offset, stored_bytes=len(stored)))

    def _append(self, entry: str, body: bytes, stored: bytes, method: int) -> int:
        """Write one file of the ZIP; where its bytes begin."""
        # Not zipfile: it would want to be closed when a capture is given up, and takes twice the time.
        name, start = entry.encode("ascii"), len(self._body)
        about = (method, 0, _EPOCH, zlib.crc32(body), len(stored), len(body), len(name), 0)
        self._body += _LOCAL.pack(b"PK\x03\x04", _VERSION, 0, *about) + name
        offset = len(self._body)
        self._body += stored
        made_by = _UNIX << 8 | _VERSION
        after = (0, 0, 0, _FILE_MODE << 16, start)
        self._directory += _CENTRAL.pack(b"PK\x01\x02", made_by, _VERSION, 0, *about, *after) + name
        return offset

    def _count(self, member: Member) -> None:
        name = member.name
        if not self.count:
            self._origin = Origin(member.origin.url, member.origin.method)
            self._bounds = (name, name)
        self._bounds = (min(self._bounds[0], name), max(self._bounds[1], name))
        self._rows = None if self._rows is None or member.rows is None else self._rows + member.rows
        self._content.update(digest_line(name, member.sha256))
        self._lines.append(self._list.compress(_line(member)))
        self.size_bytes += member.size_bytes
        self.count += 1

    def close(self) -> Packed:
        """The pack and its list, whole."""
        end = (0, 0, self.count, self.count, len(self._directory), len(self._body), 0)
        self._body += self._directory
        self._body += _END.pack(b"PK\x05\x06", *end)
        body = memoryview(self._body)
        listing = b"".join([*self._lines, self._list.flush()])
        return Packed(
            body=body,
            listing=listing,
            stored=Stored("zip", len(body), hashlib.sha256(body).hexdigest()),
            sha256=self._content.hexdigest(),
            size_bytes=self.size_bytes,
            count=self.count,
            bounds=self._bounds,
            rows=self._rows,
            origin=self._origin,
        )


@dataclass(frozen=True, slots=True)
class Packed:
    """A whole pack, ready to be stored."""

    body: memoryview
    listing: bytes
    stored: Stored
    sha256: str
    size_bytes: int
    count: int
    bounds: tuple[str, str]
    rows: int | None
    origin: Origin

    def chunks(self) -> Iterator[bytes]:
        """The ZIP, piece by piece."""
        for start in range(0, len(self.body), _WINDOW_BYTES):
            yield bytes(self.body[start : start + _WINDOW_BYTES])

    def payload(self, name: str, key: str, list_key: str) -> Payload:
        """What the manifest says of it."""
        return Payload(
            key=key,
            name=name,
            size_bytes=self.size_bytes,
            sha256=self.sha256,
            media_type="application/zip",
            origin=self.origin,
            rows=self.rows,
            stored=self.stored,
            members=Members(
                key=list_key,
                size_bytes=len(self.listing),
                sha256=hashlib.sha256(self.listing).hexdigest(),
                count=self.count,
                first=self.bounds[0],
                last=self.bounds[1],
            ),
        )


class Names:
    """The names that a capture has used; of packs that are sealed, eight bytes a name."""

    def __init__(self) -> None:
        self._open: set[str] = set()
        self._sealed: list[array[int]] = []

    def add(self, name: str) -> bool:
        """Take a name; False where it is known to be taken already."""
        known = name in self._open
        self._open.add(name)
        return not known

    def seal(self) -> str | None:
        """Forget all but the digests of the names so far; one that was sealed before, if any was."""
        new = {hash(name): name for name in self._open}
        for each in self._sealed:
            if twice := new.keys() & each:
                return new[min(twice)]
        self._sealed.append(array("q", new))
        self._open.clear()
        return None


class PackReader:
    """Bodies of one pack, read as they are asked for.

    What lies near a body is read with it, so that whoever asks in order asks the store seldom.

    :param ahead_bytes: How much to read with a body.
    """

    def __init__(self, store: Store, payload: Payload, ahead_bytes: int = _WINDOW_BYTES) -> None:
        self._store = store
        self._blob = payload.blobs[0]
        self._ahead_bytes = ahead_bytes
        self._start = 0
        self._window = b""

    def read(self, member: Member, *, verify: bool = True) -> bytes:
        """The bytes of a body as they came.

        :raises ArchiveCorrupt: They are not what was committed.
        """
        data = self._range(member.offset, member.stored_bytes)
        try:
            body = zlib.decompress(data, -zlib.MAX_WBITS) if member.deflated else data
        except zlib.error as err:
            raise ArchiveCorrupt(f"{self._url}: {member.name!r} cannot be unpacked: {err}") from err
        if verify and hashlib.sha256(body).hexdigest() != member.sha256:
            raise ArchiveCorrupt(
                f"{self._url}: {member.name!r} has not SHA-256 {member.sha256}, as was committed"
            )
        return body

    def _range(self, start: int, size_bytes: int) -> bytes:
        end = start + size_bytes
        if not self._start <= start <= end <= self._start + len(self._window):
            size_bytes = max(size_bytes, min(self._ahead_bytes, self._blob.size_bytes - start))
            self._start, self._window = (
                start,
                blobs.span(self._store, self._blob.key, start, size_bytes),
            )
        if end > self._start + len(self._window):
            raise ArchiveCorrupt(f"{self._url}: ends before byte {end}, which its list names")
        return self._window[start - self._start : end - self._start]

    @property
    def _url(self) -> str:
        return locate(self._store, self._blob.key)


def members(store: Store, payload: Payload) -> Iterator[Member]:
    """The bodies of a pack, in the order in which they came.

    :raises ArchiveCorrupt: The pack's list is not the one that was committed.
    """
    url = locate(store, payload.blobs[-1].key)
    blob = payload.blobs[-1]
    for line in listing(store, blob.key, blob.sha256).splitlines():
        yield _member(line, url)


def find(store: Store, payload: Payload, name: str) -> Member | None:
    """The body of a name, if the pack holds it.

    :raises ArchiveCorrupt: The pack's list is not the one that was committed.
    """
    listed = payload.members
    if listed is None or (listed.last and not listed.first <= name <= listed.last):
        return None
    text = b"\n" + listing(store, listed.key, listed.sha256)
    start = text.find(b"\n" + _beginning(name)) + 1
    if start == 0:
        return None
    return _member(text[start : text.index(b"\n", start)], locate(store, listed.key))


def listing(store: Store, key: str, sha256: str) -> bytes:
    """A pack's list, unpacked: one JSON line a body.

    :raises ArchiveCorrupt: It is not the one that was committed.
    """
    data = blobs.whole(store, key)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ArchiveCorrupt(
            f"{locate(store, key)}: not the list that was committed, with SHA-256 {sha256}"
        )
    return zlib.decompress(data, 16 + zlib.MAX_WBITS)


def _line(member: Member) -> bytes:
    return _encode(_adapter().dump_python(member)).encode() + b"\n"


def _beginning(name: str) -> bytes:
    """What the line of a body begins with: its name is the first of its fields."""
    return json.dumps({"name": name}).encode()[:-1] + b","


def _member(line: bytes, url: str) -> Member:
    try:
        return _adapter().validate_python(json.loads(line))
    except ValueError as err:
        raise ArchiveCorrupt(f"{url}: no list of this release: {err}") from err


@cache
def _adapter() -> TypeAdapter[Member]:
    from pydantic import TypeAdapter

    return TypeAdapter(Member)


def _time_text(time: Any) -> str:  # Any: the one kind of value that JSON has no word for
    return str(time.isoformat()).replace("+00:00", "Z")


_encode: Final = json.JSONEncoder(default=_time_text).encode
