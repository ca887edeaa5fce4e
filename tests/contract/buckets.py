"""Objects of a bucket: the same files as in a folder, in each of the three object stores."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pytest
from airflow.sdk import BaseOperator

from platform_ops.sources.files import ArchivingObjectStoreOperator
from tests.contract.case import SECRETS, Case, HookCase
from tests.contract.files import BODIES, MAPPED, NAMES, LocalCase, ServedSource
from tests.fakes.azurite import ACCOUNT, KEY
from tests.fakes.gcs import key_file
from tests.servers import running
from tests.servers.program import free_port


class Store(Protocol):
    """One object store, from behind."""

    def new_bucket(self) -> str:
        """A bucket that nobody has used."""

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """Write an object."""

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Every object."""

    def connection(self, url: str, secret: str | None = None) -> str:
        """The connection to it at this address, as ``AIRFLOW_CONN_…`` holds it.

        :param secret: What lets in, where it is not the right one.
        """


class S3:
    """moto."""

    def __init__(self) -> None:
        self.server = running("moto").server

    def new_bucket(self) -> str:
        return str(self.server.new_bucket())

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self.server.client().put_object(Bucket=bucket, Key=key, Body=body)

    def objects(self, bucket: str) -> dict[str, bytes]:
        client = self.server.client()
        listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
        keys = [each["Key"] for each in listed]
        return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def connection(self, url: str, secret: str | None = None) -> str:
        return _connection(
            "aws",
            {"endpoint_url": url, "region_name": "us-east-1"},
            login="testing",
            password=secret or SECRETS["password"],
        )


class Gcs:
    """A server of Google's XML API."""

    def __init__(self) -> None:
        self.server = running("gcs").server

    def new_bucket(self) -> str:
        return str(self.server.new_bucket())

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self.server.buckets[bucket].blobs[key] = self.server.stored(body)

    def objects(self, bucket: str) -> dict[str, bytes]:
        return {key: blob.body for key, blob in self.server.buckets[bucket].blobs.items()}

    def connection(self, url: str, secret: str | None = None) -> str:
        key = key_file(url)
        if secret is not None:
            key["private_key"] = secret
        extra = {"keyfile_dict": json.dumps(key), "gcs.endpoint": url}
        return _connection("google_cloud_platform", extra)


class Azure:
    """Azurite."""

    def __init__(self) -> None:
        self.server = running("azurite").server

    def new_bucket(self) -> str:
        return str(self.server.new_bucket())

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self.server.client(bucket).put(key, body)

    def objects(self, bucket: str) -> dict[str, bytes]:
        client = self.server.client(bucket)
        keys = [each["path"] for batch in client.list() for each in batch]
        return {key: bytes(client.get(key).bytes()) for key in keys}

    def connection(self, url: str, secret: str | None = None) -> str:
        host = f"{url}/{ACCOUNT}"
        return _connection("wasb", {}, host=host, login=ACCOUNT, password=secret or KEY)


def _connection(conn_type: str, extra: Mapping[str, str], **fields: str) -> str:
    return json.dumps({"conn_type": conn_type, "extra": extra, **fields})


STORES: Final[Mapping[str, type[Store]]] = {"s3": S3, "gs": Gcs, "abfs": Azure}
"""By the scheme of their URLs."""
SERVERS: Final = {"s3": "moto", "gs": "gcs", "abfs": "azurite"}


@dataclass
class BucketCase(LocalCase):
    """The files of a folder, in a bucket."""

    name: str = "S3"
    servers: tuple[str, ...] = ("moto",)
    operator: type[BaseOperator] = ArchivingObjectStoreOperator
    scheme: str = "s3"
    _bucket: str = ""

    @contextmanager
    def serve(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:  # Any: a Source
        store, proxy = STORES[self.scheme](), running(SERVERS[self.scheme]).proxy
        monkeypatch.setenv("PLATFORM_OPS_STORE_ATTEMPTS", "1")
        self._bucket = store.new_bucket()
        files = {**dict(zip(NAMES, BODIES, strict=True)), **MAPPED}
        for name, body in files.items():
            store.put(self._bucket, f"incoming/{name}", body)
        read = f"/{self._bucket}/incoming/"
        monkeypatch.setenv("AIRFLOW_CONN_SOURCE", store.connection(proxy.url))
        yield ServedSource(
            lambda: sum(line.startswith("GET") and read in line for line in proxy.seen),
            store.connection(f"http://127.0.0.1:{free_port()}"),
            monkeypatch,
        )

    @property
    def arguments(self) -> dict[str, Any]:  # Any: the operator's own
        folder = f"{self.scheme}://{self._bucket}/incoming"
        given = {**super().arguments, "conn_id": "source", "folder": folder}
        del given["fs_conn_id"]
        return given


CASES: tuple[Case, ...] = (
    BucketCase(),
    BucketCase(name="GCS", servers=("gcs",), scheme="gs"),
    BucketCase(name="Azure", servers=("azurite",), scheme="abfs"),
)
HOOK_CASES: tuple[HookCase, ...] = ()
