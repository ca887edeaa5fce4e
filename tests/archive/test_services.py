"""How the client of an object store is made, where it matters to the bytes."""

from __future__ import annotations

import pytest

from platform_ops.archive.stores.objects import ObjectStore
from platform_ops.archive.stores.services import client
from platform_ops.errors import ArchiveUnavailable
from tests.fakes.s3 import CREDENTIALS

KEYS = {"access_key_id": "a", "secret_access_key": "b", "region": "us-east-1"}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_UNSIGNED_PAYLOAD"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("endpoint", "unsigned"),
    [
        ("", True),
        ("https://minio.example:9000", True),
        ("http://127.0.0.1:9000", True),
        ("http://localhost:9000", True),
        ("http://minio.example:9000", False),
        ("http://127.0.0.1.example", False),
    ],
)
def test_a_body_is_signed_where_someone_could_alter_it_on_its_way(
    endpoint: str, unsigned: bool
) -> None:
    options = {**KEYS, "endpoint": endpoint} if endpoint else KEYS
    made = client("s3://lake/raw", options)
    assert ("unsigned_payload" in made.config) is unsigned


def test_the_environment_decides_where_it_says_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_UNSIGNED_PAYLOAD", "false")
    assert "unsigned_payload" not in client("s3://lake/raw", KEYS).config


def test_a_store_out_of_reach_says_where_it_was_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLATFORM_OPS_STORE_ATTEMPTS", "2")
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    lake = ObjectStore("s3://lake/raw", {})
    with pytest.raises(ArchiveUnavailable) as caught:
        lake.level("meta")
    assert str(caught.value) == (
        "s3://lake/raw/meta: Amazon S3 cannot be reached at http://127.0.0.1:1 (error sending request); "
        "check the network of this machine, and the address where one is set"
    )
