"""The bodies of a revision, as they came: streamed, sought in, or one of a pack; checked on the way.

However a body is stored, alone, compressed or in a pack, its reader gets the bytes that came from the
source, and learns at the end of each whether they are those.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from platform_ops.archive.payloads import blobs, codec, pack
from platform_ops.archive.payloads.pack import Member, PackReader
from platform_ops.archive.records.excisions import COUNTED, excisions, name_digest
from platform_ops.archive.records.read import key_of
from platform_ops.archive.stores.store import Store, locate
from platform_ops.entity import Manifest, Origin, Payload
from platform_ops.errors import ArchiveCorrupt, NotArchived

__all__ = ["Body", "bodies", "find", "holder", "only", "stream"]

_BUFFER_BYTES = 1 << 20
_SEEK_BUFFER_BYTES = 1 << 16
_NAMES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Body:
    """One body of a revision: a payload, or one of the many in a pack.

    Its name, media type, origin, digest and size are those of the bytes as they came.
    """

    about: Payload | Member
    _store: Store
    _payload: Payload
    _pack: PackReader | None = None

    @property
    def name(self) -> str:
        """Its name within the revision."""
        return self.about.name

    @property
    def size_bytes(self) -> int:
        """Length of the bytes as they came."""
        return self.about.size_bytes

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes as they came."""
        return self.about.sha256

    @property
    def media_type(self) -> str:
        """RFC 6838 type of the bytes as they came."""
        return self.about.media_type

    @property
    def codec(self) -> str | None:
        """Content coding that the bytes as they came still carry."""
        return self.about.codec

    @property
    def rows(self) -> int | None:
        """Records in it, where the source knew."""
        return self.about.rows

    @property
    def origin(self) -> Origin:
        """Where it came from."""
        return self.about.origin

    @property
    def url(self) -> str:
        """The stored object that holds it: its own, or the pack."""
        return locate(self._store, self._payload.key)

    def read(self, *, verify: bool = True) -> bytes:
        """All of it.

        :raises ArchiveCorrupt: It is not what was committed.
        """
        if isinstance(self.about, Member):
            reader = self._pack or PackReader(self._store, self._payload, 0)
            return reader.read(self.about, verify=verify)
        return b"".join(_chunks(self._store, self._payload, verify))

    def open(self, *, verify: bool = True, seekable: bool = False) -> BinaryIO:
        """It as a binary stream.

        :param verify: Compare length and digest. With ``seekable`` it is read once to its end for
            that, before anything of it is given out: a part alone can be compared with nothing.
        :param seekable: Allow to seek; of what is stored as it came, only what is read is fetched,
            and what is stored compressed is unpacked into a temporary file.
        :raises ArchiveCorrupt: It is not what was committed.
        """
        if isinstance(self.about, Member):
            return io.BytesIO(self.read(verify=verify))
        if not seekable:
            return stream(self._store, [self._payload], verify=verify)
        return self._seekable(verify)

    def _seekable(self, verify: bool) -> BinaryIO:
        if self._payload.stored is not None:
            unpacked = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115  # the caller closes it
            for chunk in _chunks(self._store, self._payload, verify):
                unpacked.write(chunk)
            unpacked.seek(0)
            return unpacked
        if verify:
            for _ in _chunks(self._store, self._payload, verify):
                pass
        (blob,) = self._payload.blobs
        return io.BufferedReader(blobs.BlobFile(self._store, blob), _SEEK_BUFFER_BYTES)


def stream(store: Store, payloads: Iterable[Payload], *, verify: bool = True) -> io.BufferedReader:
    """The bytes of payloads in order, each body checked against its digest as it ends.

    :param verify: Compare length and SHA-256; a mismatch raises at the body's end, before a reader is
        told that the stream is over.
    """
    chunks = (chunk for payload in payloads for chunk in _chunks(store, payload, verify))
    return io.BufferedReader(codec.ChunkStream(chunks), _BUFFER_BYTES)


def bodies(store: Store, manifest: Manifest) -> Iterator[Body]:
    """Every body of a revision; those of a pack are read one after another when asked for in order."""
    for payload in manifest.payloads:
        if payload.members is None:
            yield Body(payload, store, payload)
            continue
        reader = PackReader(store, payload)
        for member in pack.members(store, payload):
            yield Body(member, store, payload, reader)


def find(store: Store, manifest: Manifest, name: str) -> Body:
    """The body of a name.

    :raises Removed: It was erased.
    :raises NotArchived: The revision has none of this name; the message lists those that it has.
    """
    if (found := holder(store, manifest, name)) is not None:
        payload, about = found
        return Body(about, store, payload)
    if COUNTED in manifest.redacted:
        for record in excisions(store, key_of(manifest)):
            if record.name_sha256 == name_digest(name):
                raise record.error()
    raise NotArchived(f"{manifest.slot}: no body {name!r}; it has: {_names(manifest)}")


def holder(store: Store, manifest: Manifest, name: str) -> tuple[Payload, Payload | Member] | None:
    """The payload that holds the body of a name, and what is known of the body; None where none does."""
    for payload in manifest.payloads:
        if payload.members is None:
            if payload.name == name:
                return payload, payload
        elif (member := pack.find(store, payload, name)) is not None:
            return payload, member
    return None


def only(store: Store, manifest: Manifest) -> Body:
    """The body of a revision that has but one.

    :raises NotArchived: It has none, or several; the message lists them.
    """
    if manifest.bodies != 1:
        raise NotArchived(
            f"{manifest.slot}: say which body, by its name; it has: {_names(manifest)}"
        )
    return next(bodies(store, manifest))


def _names(manifest: Manifest) -> str:
    def text(payload: Payload) -> str:
        listed = payload.members
        if listed is None:
            return payload.name
        bounds = f" from {listed.first} to {listed.last}" if listed.last else ""
        return f"{listed.count}{bounds}"

    names = [text(payload) for payload in manifest.payloads[:_NAMES_SHOWN]]
    more = len(manifest.payloads) - len(names)
    return ", ".join([*names, *([f"and {more} more"] if more else [])]) or "none"


def _chunks(store: Store, payload: Payload, verify: bool) -> Iterator[bytes]:
    """One payload's bytes as they came."""
    if payload.members is not None:
        reader = PackReader(store, payload)
        for member in pack.members(store, payload):
            yield reader.read(member, verify=verify)
        return
    chunks = blobs.chunks(store, payload.key)
    if payload.stored is not None:
        chunks = codec.decode(payload.stored.codec, chunks, locate(store, payload.key))
    yield from _checked(chunks, payload, locate(store, payload.key)) if verify else chunks


def _checked(chunks: Iterator[bytes], payload: Payload, url: str) -> Iterator[bytes]:
    digest, size_bytes, last = hashlib.sha256(), 0, b""
    for chunk in chunks:
        digest.update(chunk)
        size_bytes += len(chunk)
        yield last
        last = chunk
    if (digest.hexdigest(), size_bytes) != (payload.sha256, payload.size_bytes):
        raise ArchiveCorrupt(
            f"{url}: {size_bytes} bytes with SHA-256 {digest.hexdigest()}, "
            f"where the manifest says {payload.size_bytes} with {payload.sha256}"
        )
    # Only now: whoever stops at the last byte has passed the check too.
    yield last
