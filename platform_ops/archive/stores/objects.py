"""The archive on an object store: streamed multipart uploads, create-only small puts.

Sources: Amazon S3 user guide, "Conditional writes" and "Multipart upload"; Cloud Storage, "Request
preconditions" and "XML API multipart uploads"; Azure Blob Storage, "Put Blob" and "Put Block List".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from platform_ops.archive.stores import service_errors, services
from platform_ops.archive.stores.ahead import write_ahead
from platform_ops.archive.stores.store import READ_CHUNK_BYTES, Entry, Level
from platform_ops.errors import (
    ArchiveCorrupt,
    ArchiveError,
    ArchiveUnavailable,
    ArchiveUnwritable,
    ExtraMissing,
    NotArchived,
)

if TYPE_CHECKING:
    from obstore import ObjectMeta, WritableFile

__all__ = ["ObjectStore"]

MULTIPART_BYTES: Final = 8 << 20
"""Size of one uploaded part, and the limit below which one plain put does."""
PARTS_IN_FLIGHT: Final = 3


class ObjectStore:
    """Objects below one prefix of a bucket.

    :param root: ``s3://bucket/prefix``, or of another service in :data:`.services.SERVICES`.
    :param options: Client options (obstore's names); the environment fills what is missing.
    :raises ExtraMissing: obstore is not installed.
    """

    def __init__(self, root: str, options: Mapping[str, str]) -> None:
        try:
            import obstore
        except ModuleNotFoundError as err:
            extra = services.service_of(root).extra
            raise ExtraMissing("obstore", extra, f"an archive at {root}") from err
        self._obstore = obstore
        self._url = root.rstrip("/")
        self._service = services.service_of(root)
        self._client = services.client(root, options)

    @property
    def url(self) -> str:
        return self._url

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        with self._store_errors(prefix):
            for batch in self._obstore.list(self._client, prefix or None, offset=after or None):
                for each in sorted(batch, key=lambda meta: meta["path"]):
                    yield _entry(each)

    def level(self, prefix: str) -> Level:
        with self._store_errors(prefix):
            listed = self._obstore.list_with_delimiter(self._client, prefix or None)
        entries = map(_entry, listed["objects"])
        return Level(
            tuple(sorted(path.rsplit("/", 1)[-1] for path in listed["common_prefixes"])),
            tuple(sorted(entries, key=lambda entry: entry.key)),
        )

    def stat(self, key: str) -> Entry | None:
        try:
            with self._store_errors(key, missing=NotArchived):
                found = self._obstore.head(self._client, key)
                return Entry(key, found["size"], found["last_modified"])
        except NotArchived:
            return None

    def read(self, key: str) -> bytes:
        with self._store_errors(key, missing=NotArchived):
            return bytes(self._obstore.get(self._client, key).bytes())

    def chunks(self, key: str, start: int = 0) -> Iterator[bytes]:
        options: Any = {"range": {"offset": start}}  # Any: obstore's typed dict is private
        with self._store_errors(key, missing=NotArchived):
            reply = self._obstore.get(self._client, key, options=options if start else None)
            for chunk in reply.stream(min_chunk_size=READ_CHUNK_BYTES):
                yield bytes(chunk)

    def digest(self, key: str) -> tuple[str, int]:
        digest, size_bytes = hashlib.sha256(), 0
        for chunk in self.chunks(key):
            digest.update(chunk)
            size_bytes += len(chunk)
        return digest.hexdigest(), size_bytes

    def span(self, key: str, start: int, size_bytes: int) -> bytes:
        try:
            with self._store_errors(key, missing=NotArchived):
                return bytes(
                    self._obstore.get_range(self._client, key, start=start, length=size_bytes)
                )
        except ArchiveUnavailable:
            # A store refuses a range that begins where there is nothing.
            found = self.stat(key)
            if found is None or found.size_bytes > start:
                raise
            return b""

    def create(self, key: str, data: bytes) -> bool:
        from obstore.exceptions import AlreadyExistsError

        with self._store_errors(key):
            try:
                self._obstore.put(self._client, key, data, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def replace(self, key: str, data: bytes) -> None:
        with self._store_errors(key):
            self._obstore.put(self._client, key, data, mode="overwrite")

    def upload(self, key: str, chunks: Iterable[bytes]) -> None:
        from obstore.exceptions import BaseError

        # The chunks are drawn out here, not by the client: a body may read from a store itself,
        # which cannot be done inside the client's event loop.
        with self._store_errors(key):
            writer = self._obstore.open_writer(
                self._client, key, buffer_size=MULTIPART_BYTES, max_concurrency=PARTS_IN_FLIGHT
            )

        def write(batch: Sequence[bytes]) -> None:
            with self._store_errors(key):
                for chunk in batch:
                    writer.write(chunk)

        try:
            size_bytes = write_ahead(chunks, write)
        except BaseException as err:
            with suppress(BaseError, OSError):  # which would hide the error that ended the upload
                writer.__exit__(type(err), err, err.__traceback__)  # aborts it
            raise
        self._complete(key, writer, size_bytes)

    def _complete(self, key: str, writer: WritableFile, size_bytes: int) -> None:
        try:
            with self._store_errors(key):
                writer.close()
        except (ArchiveUnavailable, ArchiveUnwritable):
            # The reply may be lost while the upload was completed, and the client's own repetition
            # refused for want of the right to replace: the key itself knows.
            found = self.stat(key)
            if found is None or found.size_bytes != size_bytes:
                raise

    def delete(self, key: str) -> None:
        with suppress(NotArchived), self._store_errors(key, missing=NotArchived):
            self._obstore.delete(self._client, key)

    @contextmanager
    def _store_errors(
        self, key: str, *, missing: type[ArchiveError] = ArchiveUnavailable
    ) -> Iterator[None]:
        """Turn the client's errors into ours.

        :param missing: What a 404 means: to a reader that there is nothing, to a writer that its
            upload was taken away.
        """
        from obstore.exceptions import BaseError

        url = f"{self._url}/{key}"
        try:
            yield
        except FileNotFoundError as err:
            fault = service_errors.told(url, self._service.name, err)
            if isinstance(fault, ArchiveUnwritable):  # it is the bucket that is missing
                raise fault from None
            raise missing(f"{url}: no such object") from None
        except (BaseError, OSError) as err:
            raise service_errors.told(url, self._service.name, err) from None
        except ValueError as err:
            first_line = service_errors.first_line(err)
            raise ArchiveCorrupt(f"{url}: no key of an archive ({first_line})") from None


def _entry(meta: ObjectMeta) -> Entry:
    return Entry(meta["path"], meta["size"], meta["last_modified"])
