"""The bodies of one capture on their way into the store: measured, compressed, packed or shared."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Protocol

from platform_ops.archive.payloads import codec as codecs
from platform_ops.archive.payloads.codec import SUFFIXES, Encoded
from platform_ops.archive.payloads.pack import BODY_LIMIT_BYTES, Member, Names, Pack
from platform_ops.archive.stores.store import Store
from platform_ops.archive.writing.inspection import BodyWatch, Inspection
from platform_ops.entity import Part, Payload, Stored
from platform_ops.errors import PlatformError, SourceTruncated
from platform_ops.settings import Codec

__all__ = ["Intake", "Lend"]


class Lend(Protocol):
    """Finds the payload of the revision before that holds the same, and still does."""

    def __call__(
        self, sha256: str, size_bytes: int, zipped: Stored | None = None, /
    ) -> Payload | None: ...


class Intake:
    """Takes the bodies of one capture, and says in the end what the manifest commits to.

    :param of: What is captured, for messages.
    :param key_of: From a payload's name and the file names taken so far to its key.
    :param lend: Finds a payload with the same bytes.
    :param codec: How to store what gains from it.
    :param inspection: Looks at what passes.
    :param pack: Whether small bodies share one object.
    """

    def __init__(
        self,
        of: object,
        store: Store,
        key_of: Callable[[str, set[str]], str],
        lend: Lend,
        codec: Codec,
        inspection: Inspection,
        *,
        pack: bool,
    ) -> None:
        self._of = of
        self._inspection = inspection
        self._store = store
        self._key_of = key_of
        self._lend = lend
        self._codec = codec
        self._packs = pack
        self._names = Names()
        self._taken: set[str] = set()
        self._payloads: list[Payload] = []
        self._pack: Pack | None = None
        self._pack_place = 0
        self._alone: Part | None = None
        self._packed = 0

    @property
    def begun(self) -> bool:
        """Whether a body was taken."""
        return bool(self._payloads) or self._pack is not None

    def take(self, part: Part) -> Payload | Member:
        """Store one body, or put it into the pack.

        :raises PlatformError: Another has its name.
        :raises SourceTruncated: It ended before the announced length, or went past it.
        :raises DeliveryRefused: The entity's policy does not let it pass; it was read to its end.
        """
        if not self._names.add(part.name):
            raise self._twice(part.name)
        taken = self._take(part)
        self._inspection.require()
        return taken

    def _take(self, part: Part) -> Payload | Member:
        body = _Measured(part, self._inspection.body(part))
        chunks = body.chunks()
        if self._packs:
            small, chunks = _held(chunks)
            if small is not None:
                return self._into_pack(body.known, small, body.sha256)
        self._payloads.append(self._stored(part, body, chunks))
        return self._payloads[-1]

    def close(self) -> tuple[Payload, ...]:
        """All payloads, once the last body was taken.

        :raises PlatformError: Two bodies have one name.
        """
        self._seal()
        return tuple(self._payloads)

    def _stored(self, part: Part, body: _Measured, chunks: Iterable[bytes]) -> Payload:
        codec = codecs.chosen(self._codec, part)
        key = self._key(part.name + SUFFIXES.get(codec or "", ""))
        new = self._unless_lent(body, chunks)
        encoded = Encoded(codec, new) if codec else None
        try:
            self._store.upload(key, encoded or new)
        except _Lent as lent:
            return body.payload(lent.payload.key, lent.payload.stored)
        return body.payload(key, encoded.stored if encoded else None)

    def _unless_lent(self, body: _Measured, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The body; ends with an error where the upload must not be completed."""
        yield from chunks
        if (payload := self._lend(body.sha256, body.size_bytes)) is not None:
            raise _Lent(payload)

    def _into_pack(self, part: Part, body: bytes, sha256: str) -> Member:
        if self._pack is None:
            self._pack = Pack(compress=self._codec != "none")
            self._pack_place = len(self._payloads)
        member = self._pack.add(part, body, sha256)
        self._alone = None
        if self._pack.count == 1:
            known = replace(part, rows=member.rows, schema_sha256=member.schema_sha256)
            self._alone = replace(known, body=[body], size_bytes=None)
        if self._pack.full:
            self._seal()
        return member

    def _seal(self) -> None:
        pack, self._pack = self._pack, None
        if pack is not None:
            # A pack of one body is none: whoever asks for that body finds it as it came.
            alone = self._alone
            payload = self._pack_payload(pack) if alone is None else self._single(alone)
            self._payloads.insert(self._pack_place, payload)
        if (name := self._names.seal()) is not None:
            raise self._twice(name)

    def _single(self, part: Part) -> Payload:
        body = _Measured(part)
        return self._stored(part, body, body.chunks())

    def _pack_payload(self, pack: Pack) -> Payload:
        self._packed += 1
        stem = f"pack-{self._packed:04d}"
        packed = pack.close()
        earlier = self._lend(packed.sha256, packed.size_bytes, packed.stored)
        key = earlier.key if earlier else self._key(f"{stem}.zip")
        if earlier is None:
            self._store.upload(key, packed.chunks())
        list_key = self._key(f"{stem}.members.jsonl.gz")
        self._store.upload(list_key, [packed.listing])
        return packed.payload(f"{stem}.zip", key, list_key)

    def _twice(self, name: str) -> PlatformError:
        return PlatformError(
            f"{self._of}: two parts are named {name!r}; name each part differently"
        )

    def _key(self, name: str) -> str:
        key = self._key_of(name, self._taken)
        self._taken.add(key.rpartition("/")[2].lower())
        return key


class _Lent(Exception):
    """Ends an upload whose bytes the revision before holds already."""

    def __init__(self, payload: Payload) -> None:
        self.payload = payload


class _Measured:
    """The body of a part, hashed and counted as it passes.

    :param watch: Looks at it on the way; None where it was looked at before.
    """

    def __init__(self, part: Part, watch: BodyWatch | None = None) -> None:
        self._part = part
        self._watch = watch
        self._sha256 = hashlib.sha256()
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def known(self) -> Part:
        """The part, with the rows that the watch counted where the source does not know."""
        rows = self._part.rows_read()
        return replace(self._part, rows=self._watch.rows if rows is None and self._watch else rows)

    def chunks(self) -> Iterator[bytes]:
        """The body; ends with an error where it has not the announced length."""
        wanted = True
        try:
            for piece in self._part.body:
                # The same object, unless a source hands out a buffer, which it may fill anew while a
                # store still reads it.
                chunk = bytes(piece)
                self._sha256.update(chunk)
                self.size_bytes += len(chunk)
                if self._too_long:
                    break
                wanted = self._watch is None or self._watch.saw(chunk)
                yield chunk
                if not wanted:
                    break
        except SourceTruncated as err:
            self._cut(str(err), err)
        announced = self._part.size_bytes
        if wanted and announced is not None and self.size_bytes != announced:
            message = (
                f"{self._part.origin.url}: {self._part.name} ended after {self.size_bytes} of the "
                f"{announced} bytes that the source announced"
            )
            self._cut(message, SourceTruncated(f"{message}; nothing of it was kept"))
        if self._watch is not None:
            self._watch.end(self.size_bytes)

    @property
    def _too_long(self) -> bool:
        announced = self._part.size_bytes
        keeps = self._watch is not None and self._watch.keeps_what_is_cut
        return announced is not None and self.size_bytes > announced and not keeps

    def _cut(self, message: str, err: SourceTruncated) -> None:
        if self._watch is None or not self._watch.keeps_what_is_cut:
            raise err
        self._watch.cut(message)

    def payload(self, key: str, stored: Stored | None) -> Payload:
        part = self._part
        return Payload(
            key=key,
            name=part.name,
            size_bytes=self.size_bytes,
            sha256=self.sha256,
            media_type=part.media_type,
            origin=part.origin,
            codec=part.codec,
            rows=self.known.rows_read(),
            schema_sha256=part.schema_read(),
            stored=stored,
        )


def _held(chunks: Iterator[bytes]) -> tuple[bytes | None, Iterator[bytes]]:
    """The body, if it is small; else nothing, and the chunks as if they had not been touched."""
    held: list[bytes] = []
    size_bytes = 0
    for chunk in chunks:
        held.append(chunk)
        size_bytes += len(chunk)
        if size_bytes > BODY_LIMIT_BYTES:
            return None, chain(held, chunks)
    return b"".join(held), iter(())
