"""The archive on an object store: streamed multipart uploads, create-only small puts.

Source: Amazon S3 user guide, "Conditional writes" (``If-None-Match: *``) and "Multipart upload".
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from platform_ops.archive.store import READ_CHUNK_BYTES, Entry, Level
from platform_ops.errors import ArchiveUnavailable, ArchiveUnwritable, ExtraMissing, NotArchived

if TYPE_CHECKING:
    from obstore.store import S3Store

__all__ = ["ObjectStore"]

MULTIPART_BYTES: Final = 8 << 20
"""Size of one uploaded part, and the limit below which one plain put does."""
PARTS_IN_FLIGHT: Final = 3
_ENDPOINT_VARIABLES: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


class ObjectStore:
    """Objects below one prefix of a bucket.

    :param root: ``s3://bucket/prefix``.
    :param options: Client options (obstore's names); the environment fills what is missing.
    :raises ExtraMissing: obstore is not installed.
    """

    def __init__(self, root: str, options: Mapping[str, str]) -> None:
        try:
            import obstore
        except ModuleNotFoundError as err:
            raise ExtraMissing("obstore", "s3", f"an archive at {root}") from err
        self._obstore = obstore
        self._url = root.rstrip("/")
        self._client = _client(root, options)

    @property
    def url(self) -> str:
        return self._url

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        with self._store_errors(prefix):
            for batch in self._obstore.list(self._client, prefix or None, offset=after or None):
                for each in sorted(batch, key=lambda meta: meta["path"]):
                    yield Entry(each["path"], each["size"])

    def level(self, prefix: str) -> Level:
        with self._store_errors(prefix):
            listed = self._obstore.list_with_delimiter(self._client, prefix or None)
        entries = (Entry(each["path"], each["size"]) for each in listed["objects"])
        return Level(
            tuple(sorted(path.rsplit("/", 1)[-1] for path in listed["common_prefixes"])),
            tuple(sorted(entries, key=lambda entry: entry.key)),
        )

    def stat(self, key: str) -> Entry | None:
        try:
            with self._store_errors(key):
                return Entry(key, self._obstore.head(self._client, key)["size"])
        except NotArchived:
            return None

    def read(self, key: str) -> bytes:
        with self._store_errors(key):
            return bytes(self._obstore.get(self._client, key).bytes())

    def chunks(self, key: str, start: int = 0) -> Iterator[bytes]:
        with self._store_errors(key):
            options: Any = {"range": {"offset": start}} if start else None  # Any: obstore's typed dict is private
            reply = self._obstore.get(self._client, key, options=options)
            for chunk in reply.stream(min_chunk_size=READ_CHUNK_BYTES):
                yield bytes(chunk)

    def create(self, key: str, data: bytes) -> bool:
        from obstore.exceptions import AlreadyExistsError

        try:
            with self._store_errors(key):
                self._obstore.put(self._client, key, data, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def upload(self, key: str, chunks: Iterable[bytes]) -> None:
        watched = _Watched(chunks)
        first = watched.first_part()
        try:
            with self._store_errors(key):
                self._put(key, first, watched)
        except BaseException:
            # obstore has aborted the upload; the reader of the source says best why.
            if watched.error is not None:
                raise watched.error from None
            raise

    def _put(self, key: str, first: bytes, rest: _Watched) -> None:
        if len(first) < MULTIPART_BYTES:
            self._obstore.put(self._client, key, first, use_multipart=False)
            return
        self._obstore.put(
            self._client,
            key,
            chain([first], rest),
            use_multipart=True,
            chunk_size=MULTIPART_BYTES,
            max_concurrency=PARTS_IN_FLIGHT,
        )

    @contextmanager
    def _store_errors(self, key: str) -> Iterator[None]:
        from obstore.exceptions import (
            AlreadyExistsError,
            BaseError,
            PermissionDeniedError,
            UnauthenticatedError,
        )

        url = f"{self._url}/{key}"
        try:
            yield
        except AlreadyExistsError:
            raise
        except FileNotFoundError as err:
            missing = "no such bucket" if "NoSuchBucket" in str(err) else "no such object"
            raise NotArchived(f"{url}: {missing}") from None
        except (PermissionDeniedError, UnauthenticatedError, PermissionError) as err:
            raise ArchiveUnwritable(
                f"{url}: the store refuses these credentials ({_first_line(err)}); "
                "give the worker the rights that the site's page on stores lists"
            ) from None
        except (BaseError, OSError) as err:
            raise ArchiveUnavailable(f"{url}: {_first_line(err)}") from None


class _Watched:
    """Chunks that remember the error they ended with, since a client may wrap or drop it."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.error: BaseException | None = None

    def __iter__(self) -> _Watched:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._chunks)
        except StopIteration:
            raise
        except BaseException as err:
            self.error = err
            raise

    def first_part(self) -> bytes:
        """Enough bytes to tell a small object from one that needs a multipart upload."""
        buffer = bytearray()
        for chunk in self:
            buffer += chunk
            if len(buffer) >= MULTIPART_BYTES:
                break
        return bytes(buffer)


def _client(root: str, options: Mapping[str, str]) -> S3Store:
    from obstore.store import S3Store

    parts = urlsplit(root)
    endpoint = options.get("endpoint") or next(
        (os.environ[name] for name in _ENDPOINT_VARIABLES if os.environ.get(name)), ""
    )
    settings: dict[str, Any] = {**options}  # Any: obstore's options are strings and nested tables
    if endpoint:
        settings |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    return S3Store(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        client_options={"allow_http": endpoint.startswith("http://"), "timeout": "60s"},
        retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=60)},
        **settings,
    )


def _first_line(err: Exception) -> str:
    # The rest is a dump of the request; it may name hosts and headers at length.
    return str(err).strip().split("\n", 1)[0].split(" - <?xml")[0][:300]
