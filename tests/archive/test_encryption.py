"""Encryption at rest on S3: asked for with every object, and recorded."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from platform_ops import archive
from platform_ops.settings import ArchiveSettings, Settings
from tests.archive.places import Bucket
from tests.archive.samples import commit, faults, part
from tests.fakes.s3 import S3Server

KEY = "arn:aws:kms:us-east-1:123456789012:key/0f7c1f7e-0000-4000-8000-000000000000"


@pytest.fixture
def bucket(s3_server: S3Server, s3_bucket: str) -> Bucket:
    return Bucket(s3_server, s3_bucket)


def site_of(bucket: Bucket, **fields: str) -> Settings:
    return Settings(archive=ArchiveSettings.model_validate({"root": bucket.root, **fields}))


@pytest.mark.parametrize("size", [1000, 12 << 20], ids=["one put", "multipart"])
def test_every_object_is_encrypted_by_the_key(bucket: Bucket, size: int) -> None:
    site = site_of(bucket, encryption="aws:kms", kms_key=KEY)
    done = commit(site, part(b"x" * size))
    stored = bucket.encryption()
    assert len(stored) == 3  # payload, manifest, record of the template
    assert set(stored.values()) == {("aws:kms", KEY)}
    assert done.manifest.encryption == f"aws:kms {KEY}"
    assert archive.open(done.reference, settings=site_of(bucket)).read() == b"x" * size
    assert faults(site) == []


def test_without_the_setting_the_bucket_decides(bucket: Bucket) -> None:
    done = commit(site_of(bucket), part(b"x"))
    assert done.manifest.encryption is None
    assert "aws:kms" not in {algorithm for algorithm, _ in bucket.encryption().values()}


@pytest.mark.parametrize(
    ("fields", "right"),
    [
        (
            {"root": "file:///srv/archive", "encryption": "aws:kms"},
            "for roots in s3://; set a default",
        ),
        ({"root": "gs://lake/raw", "encryption": "AES256"}, "for roots in s3://"),
        ({"root": "s3://lake/raw", "kms_key": KEY}, "is for encryption = 'aws:kms'"),
        ({"root": "s3://lake/raw", "kms_key": KEY, "encryption": "AES256"}, "is for encryption ="),
        ({"root": "s3://lake/raw", "encryption": "rot13"}, "'AES256', 'aws:kms' or 'aws:kms:dsse'"),
    ],
)
def test_what_cannot_be_honoured_is_refused(fields: dict[str, str], right: str) -> None:
    with pytest.raises(ValidationError, match=right):
        ArchiveSettings.model_validate(fields)
