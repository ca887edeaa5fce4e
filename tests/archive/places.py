"""The stores under test, as one sees them from behind: raw keys and bytes, past the archive."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pytest

from platform_ops import archive
from platform_ops.archive import Store
from platform_ops.settings import ArchiveSettings, Settings
from tests.fakes.gcs import Bucket as Objects
from tests.fakes.gcs import GcsServer
from tests.fakes.s3 import S3Server


class Place(Protocol):
    """Where an archive is, for tests that look at or damage what is stored."""

    @property
    def root(self) -> str: ...
    def objects(self) -> list[str]:
        """Every stored object, sorted; on disk the unfinished ones too."""

    def read(self, key: str) -> bytes: ...
    def write(self, key: str, data: bytes) -> None: ...
    def remove(self, key: str) -> None: ...
    def date(self, key: str, when: datetime) -> None:
        """Make the store say that an object was stored then."""

    def unfinished(self) -> list[str]:
        """Temporary files, or multipart uploads that are neither completed nor aborted."""


class ObjectServer(Protocol):
    """A server of an object store, whichever it is."""

    @property
    def url(self) -> str: ...
    @property
    def scheme(self) -> str:
        """With which roots in it begin."""

    def environment(self, url: str | None = None) -> dict[str, str]: ...
    def new_bucket(self) -> str: ...


def settings_of(place: Place, **fields: Any) -> Settings:  # Any: fields of [archive]
    return Settings(archive=ArchiveSettings.model_validate({"root": place.root, **fields}))


def store_of(place: Place) -> Store:
    return archive.root(settings_of(place))


def place_of(request: pytest.FixtureRequest, folder: Path) -> Place:
    """A new place of the kind that the fixture's parameter names; on disk it is the folder."""
    if request.param == "disk":
        return Disk(folder)
    if request.param == "gcs":
        return Gcs(request.getfixturevalue("gcs_server"), request.getfixturevalue("gcs_bucket"))
    return Bucket(request.getfixturevalue("s3_server"), request.getfixturevalue("s3_bucket"))


def bucket_of(server: ObjectServer, url: str) -> Place:
    """The bucket of a URL, as its server sees it."""
    name = url.partition("://")[2]
    if isinstance(server, GcsServer):
        return Gcs(server, name)
    assert isinstance(server, S3Server)
    return Bucket(server, name)


@dataclass(frozen=True)
class Disk:
    folder: Path

    @property
    def root(self) -> str:
        return f"file://{self.folder}"

    def objects(self) -> list[str]:
        return sorted(self._key(path) for path in self.folder.rglob("*") if path.is_file())

    def read(self, key: str) -> bytes:
        return (self.folder / key).read_bytes()

    def write(self, key: str, data: bytes) -> None:
        (self.folder / key).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / key).write_bytes(data)

    def remove(self, key: str) -> None:
        (self.folder / key).unlink()

    def date(self, key: str, when: datetime) -> None:
        os.utime(self.folder / key, (when.timestamp(), when.timestamp()))

    def unfinished(self) -> list[str]:
        return [key for key in self.objects() if key.startswith(".tmp/")]

    def _key(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


@dataclass(frozen=True)
class Bucket:
    server: S3Server
    name: str

    @property
    def root(self) -> str:
        return f"s3://{self.name}/some/prefix"

    def objects(self) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        found = [each["Key"] for page in pages for each in page.get("Contents", [])]
        return sorted(key.removeprefix("some/prefix/") for key in found)

    def read(self, key: str) -> bytes:
        reply = self._client.get_object(Bucket=self.name, Key=f"some/prefix/{key}")
        return bytes(reply["Body"].read())

    def write(self, key: str, data: bytes) -> None:
        self._client.put_object(Bucket=self.name, Key=f"some/prefix/{key}", Body=data)

    def remove(self, key: str) -> None:
        self._client.delete_object(Bucket=self.name, Key=f"some/prefix/{key}")

    def date(self, key: str, when: datetime) -> None:
        self.server.date(self.name, f"some/prefix/{key}", when)

    def unfinished(self) -> list[str]:
        reply = self._client.list_multipart_uploads(Bucket=self.name)
        return [each["Key"] for each in reply.get("Uploads", [])]

    def encryption(self) -> dict[str, tuple[str, str]]:
        """By key: how the object is encrypted, and by which key."""
        found = {}
        for key in self.objects():
            head = self._client.head_object(Bucket=self.name, Key=f"some/prefix/{key}")
            found[key] = (head.get("ServerSideEncryption", ""), head.get("SSEKMSKeyId", ""))
        return found

    @property
    def _client(self) -> Any:  # Any: boto3 makes its clients at run time
        return self.server.client()


@dataclass(frozen=True)
class Gcs:
    """A bucket of Cloud Storage; its server runs in this process."""

    server: GcsServer
    name: str

    @property
    def root(self) -> str:
        return f"gs://{self.name}/some/prefix"

    def objects(self) -> list[str]:
        return sorted(key.removeprefix("some/prefix/") for key in self._bucket.blobs)

    def read(self, key: str) -> bytes:
        return self._bucket.blobs[f"some/prefix/{key}"].body

    def write(self, key: str, data: bytes) -> None:
        self._bucket.blobs[f"some/prefix/{key}"] = self.server.stored(data)

    def remove(self, key: str) -> None:
        del self._bucket.blobs[f"some/prefix/{key}"]

    def date(self, key: str, when: datetime) -> None:
        blobs = self._bucket.blobs
        blobs[f"some/prefix/{key}"] = replace(blobs[f"some/prefix/{key}"], modified_utc=when)

    def unfinished(self) -> list[str]:
        return [upload.key for upload in self._bucket.uploads.values()]

    @property
    def _bucket(self) -> Objects:
        return self.server.buckets[self.name]
