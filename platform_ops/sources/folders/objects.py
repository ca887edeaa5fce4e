"""A bucket of S3, Google Cloud Storage or Azure Blob Storage, through the archive's own client.

Source: https://developmentseed.org/obstore/latest/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final

from platform_ops.archive.stores import services
from platform_ops.errors import (
    ConfigError,
    ExtraMissing,
    SourceChanged,
    SourceRejected,
    SourceUnavailable,
)
from platform_ops.sources.folders import Folder, RemoteFile, shown

if TYPE_CHECKING:
    from obstore import ObjectMeta

__all__ = ["ObjectFolder", "bucket_of"]

_READ_BYTES: Final = 256 << 10
"""Bytes handed over at once: small enough that the allocator has room for them from those before."""
_NO_BUCKET: Final = re.compile("<Code>(NoSuchBucket|ContainerNotFound)</Code>")
_DISTRUSTED: Final = "InvalidCertificate("
_REFUSAL: Final = re.compile(r"status code: 40[13] ")


class ObjectFolder(Folder):
    """Objects of one bucket; a path is a key.

    :param bucket: ``s3://bucket``, or of another service in :data:`.services.SERVICES`.
    :param options: The client's, by obstore's names; the environment fills what is missing.
    """

    root: ClassVar[str] = ""

    def __init__(self, bucket: str, options: Mapping[str, str], conn_id: str | None) -> None:
        super().__init__(bucket)
        self._who = f"connection {conn_id!r}" if conn_id else "the environment"
        try:
            import obstore
        except ModuleNotFoundError as err:
            raise ExtraMissing("obstore", services.service_of(bucket).extra, bucket) from err
        self._obstore = obstore
        self._client = services.client(bucket, options, self._who)

    def files(self, below: str, *, deep: bool) -> Iterator[RemoteFile]:
        prefix = below.strip("/") or None
        with self._errors(below):
            if deep:
                for batch in self._obstore.list(self._client, prefix):
                    yield from map(_file, batch)
            else:
                listed = self._obstore.list_with_delimiter(self._client, prefix)
                yield from map(_file, listed["objects"])

    def stat(self, path: str) -> RemoteFile | None:
        with self._errors(path):
            try:
                return _file(self._obstore.head(self._client, path))
            except FileNotFoundError as err:
                if _NO_BUCKET.search(str(err)):
                    raise
                return None

    def read(self, file: RemoteFile, offset: int = 0) -> Iterator[bytes]:
        if offset >= file.size_bytes:
            return
        options: Any = {"range": (offset, file.size_bytes)}  # Any: obstore's typed dict is private
        if file.etag is not None:
            options["if_match"] = file.etag
        with self._errors(file.path):
            reply = self._obstore.get(self._client, file.path, options=options)
            for chunk in reply.stream(min_chunk_size=_READ_BYTES):
                yield bytes(chunk)

    def move(self, path: str, target: str) -> None:
        with self._errors(path):
            self._obstore.copy(self._client, path, target)
            self._obstore.delete(self._client, path)

    def delete(self, path: str) -> None:
        with self._errors(path):
            try:
                self._obstore.delete(self._client, path)
            except FileNotFoundError:  # S3 does not tell, the others do
                return

    @contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        """Turn the client's errors into ours; never in its own words, which quote the request."""
        from obstore.exceptions import (
            BaseError,
            InvalidPathError,
            PermissionDeniedError,
            PreconditionError,
            UnauthenticatedError,
        )

        where = f"{self.address} {shown(path)}"
        try:
            yield
        except PreconditionError:
            raise SourceChanged(f"{where}: was replaced while it was read") from None
        except (InvalidPathError, ValueError) as err:
            raise SourceRejected(
                f"{where}: a key there that the client cannot take, such as one with the end of a line "
                f"({type(err).__name__}); rename it, or name a folder= without it"
            ) from None
        except (FileNotFoundError, BaseError, OSError) as err:
            said = str(err)
            if _NO_BUCKET.search(said):
                raise SourceRejected(f"{self.address}: no such bucket; check folder=") from None
            if _DISTRUSTED in said:
                raise SourceRejected(
                    f"{where}: its certificate is not to be trusted; check the endpoint of {self._who}"
                ) from None
            refused = (PermissionDeniedError, UnauthenticatedError, PermissionError)
            if isinstance(err, refused) or _REFUSAL.search(said):
                raise SourceRejected(
                    f"{where}: the store refuses the credentials of {self._who}, or the right to "
                    "do this"
                ) from None
            if isinstance(err, FileNotFoundError):
                raise SourceUnavailable(f"{where}: is gone") from None
            raise SourceUnavailable(f"{where}: {type(err).__name__}") from None


def bucket_of(folder: str) -> tuple[str, str]:
    """Bucket and prefix of ``s3://bucket/prefix``.

    :raises ConfigError: It is no such URL; the message lists the schemes that are right.
    """
    scheme, found, rest = folder.partition("://")
    bucket, _, prefix = rest.partition("/")
    if not found or scheme not in services.SERVICES or not bucket:
        right = ", ".join(f"{each}://" for each in services.SERVICES)
        raise ConfigError(f"folder={folder!r} names no bucket; it begins with one of {right}")
    return f"{scheme}://{bucket}", prefix


def _file(meta: ObjectMeta) -> RemoteFile:
    return RemoteFile(meta["path"], meta["size"], meta["last_modified"], meta["e_tag"])
