"""Each type of connection opens the store it is for, and no other; no message tells a secret."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Connection

import platform_ops.ingest  # noqa: F401  # it lets the archive see connections
from platform_ops import archive, credentials
from platform_ops.archive.stores import store
from platform_ops.errors import ArchiveUnwritable, ConfigError
from platform_ops.settings import Settings
from tests.archive.samples import commit
from tests.fakes.faulty import faulty_proxy
from tests.fakes.gcs import GcsServer, gcs_server, key_file
from tests.fakes.s3 import CREDENTIALS, S3Server
from tests.fakes.wire import Wire, say
from tests.servers.certificate import self_signed

SECRET = "c2VjcmV0LW9mLXRoZS1hY2NvdW50"


def connect(
    monkeypatch: pytest.MonkeyPatch,
    conn_type: str,
    extra: Mapping[str, Any] | None = None,  # Any: JSON values
    **fields: Any,  # Any: a connection's
) -> None:
    """Make a connection ``store`` known to Airflow."""
    plain = {"conn_type": conn_type, "extra": extra or {}, **fields}
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(plain))


def site_at(root: str) -> Settings:
    return Settings.model_validate({"archive": {"root": root, "connection": "store"}})


def options(conn_type: str, scheme: str, **fields: Any) -> dict[str, str]:  # Any: a connection's
    extra = json.dumps(fields.pop("extra", {}))
    connection = Connection(conn_id="store", conn_type=conn_type, extra=extra, **fields)
    return credentials.store_options(connection, scheme)


# --- Against servers that check them --------------------------------------------------------------


@pytest.fixture
def guarded() -> Iterator[GcsServer]:
    """Cloud Storage that admits the archive's service account alone."""
    with gcs_server() as server:
        server.open = False
        yield server


@pytest.mark.parametrize("form", ["keyfile_dict", "text", "key_path", "long name"])
def test_a_google_connection_signs_as_its_service_account(
    guarded: GcsServer, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_file(guarded.url)
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key), encoding="utf-8")
    extras: dict[str, dict[str, Any]] = {
        "keyfile_dict": {"keyfile_dict": key},
        "text": {"keyfile_dict": json.dumps(key)},
        "key_path": {"key_path": str(path)},
        "long name": {"extra__google_cloud_platform__keyfile_dict": json.dumps(key)},
    }
    connect(monkeypatch, "google_cloud_platform", {**extras[form], "gcs.endpoint": guarded.url})
    done = commit(site := site_at(f"gs://{guarded.new_bucket()}/x"))
    assert archive.open(done.reference, settings=site).read() == b"sunny"


def test_a_google_key_in_the_environment_serves_without_a_connection(
    guarded: GcsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key_file(guarded.url)), encoding="utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    monkeypatch.setenv("GOOGLE_BASE_URL", guarded.url)
    root = f"gs://{guarded.new_bucket()}"
    done = commit(site := Settings.model_validate({"archive": {"root": root}}))
    assert archive.open(done.reference, settings=site).read() == b"sunny"


def test_a_google_store_that_refuses_says_so(
    guarded: GcsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_BASE_URL", guarded.url)
    monkeypatch.setenv("GOOGLE_BEARER_TOKEN", SECRET)
    root = f"gs://{guarded.new_bucket()}"
    with pytest.raises(ArchiveUnwritable, match="the store refuses these credentials") as caught:
        commit(Settings.model_validate({"archive": {"root": root}}))
    assert SECRET not in str(caught.value)


def test_an_aws_connection_opens_s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"region_name": "us-east-1", "service_config": {"s3": {"endpoint_url": s3_server.url}}}
    connect(monkeypatch, "aws", extra, login="testing", password="testing")
    done = commit(site := site_at(f"s3://{s3_server.new_bucket()}/x"))
    assert archive.open(done.reference, settings=site).read() == b"sunny"


def test_a_service_account_of_amazon_writes_as_its_role(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Web identity: a token in a file is changed for a key at the security token service."""
    file = tmp_path / "token"
    file.write_text("token-of-the-pod", encoding="utf-8")
    role = "arn:aws:iam::123456789012:role/archive-writer"
    certificate = self_signed(tmp_path, authority=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    # A token is sent over TLS alone, whatever the store itself speaks.
    with faulty_proxy(s3_server.url, certificate) as sts:
        for name, value in {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
            "AWS_ROLE_ARN": role,
            "AWS_ROLE_SESSION_NAME": "archive",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_STS": sts.url,
            "AWS_ENDPOINT_URL": s3_server.url,
        }.items():
            monkeypatch.setenv(name, value)
        connect(monkeypatch, "aws", {})
        done = commit(site := site_at(f"s3://{s3_server.new_bucket()}/x"))
        assert archive.open(done.reference, settings=site).read() == b"sunny"
    for each in ("Action=AssumeRoleWithWebIdentity", "=token-of-the-pod", f"RoleArn={role}"):
        assert all(each in line for line in sts.seen)
    assert sts.seen


def test_a_machine_of_amazon_writes_as_its_own_role(
    s3_server: S3Server, server: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection without a key leads to the machine's own credentials."""
    role = {
        "AccessKeyId": CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        "Token": "token",
        "Expiration": "2999-01-01T00:00:00Z",
    }
    listed = "/latest/meta-data/iam/security-credentials/"
    server.on("/latest/api/token", say(b"session"))
    server.on(listed, say(b"archive-writer"))
    server.on(f"{listed}archive-writer", say(json.dumps(role).encode()))
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", server.url)
    connect(monkeypatch, "aws", {"region_name": "us-east-1", "endpoint_url": s3_server.url})
    commit(site_at(f"s3://{s3_server.new_bucket()}/x"))
    assert f"{listed}archive-writer" in [each.path for each in server.requests]


# --- Azure's forms, which Azurite tries in the integration tests ------------------------------------


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"login": "lake", "password": SECRET},
            {"account_name": "lake", "account_key": SECRET},
        ),
        (
            {"host": "https://lake.blob.core.windows.net/", "extra": {"shared_access_key": SECRET}},
            {"account_name": "lake", "account_key": SECRET},
        ),
        (
            {"login": "lake", "extra": {"extra__wasb__sas_token": f"?sig={SECRET}"}},
            {"account_name": "lake", "sas_key": f"sig={SECRET}"},
        ),
        (
            {"extra": {"sas_token": f"https://lake.blob.core.windows.net?sig={SECRET}"}},
            {"account_name": "lake", "sas_key": f"sig={SECRET}"},
        ),
        (
            {
                "host": "lake.blob.core.windows.net",
                "login": "app",
                "password": SECRET,
                "extra": {"tenant_id": "tenant"},
            },
            {
                "account_name": "lake",
                "tenant_id": "tenant",
                "client_id": "app",
                "client_secret": SECRET,
            },
        ),
        (
            {"login": "lake", "extra": {"managed_identity_client_id": "identity"}},
            {"account_name": "lake", "client_id": "identity"},
        ),
        (
            {"login": "lake", "host": "https://blobs.example/", "password": SECRET},
            {"account_name": "lake", "account_key": SECRET, "endpoint": "https://blobs.example"},
        ),
        (
            {
                "extra": {
                    "connection_string": "DefaultEndpointsProtocol=https;AccountName=lake;"
                    f"AccountKey={SECRET}==;EndpointSuffix=core.chinacloudapi.cn"
                }
            },
            {
                "account_name": "lake",
                "account_key": f"{SECRET}==",
                "endpoint": "https://lake.blob.core.chinacloudapi.cn",
            },
        ),
        (
            {
                "extra": {
                    "connection_string": "BlobEndpoint=https://lake.blob.core.windows.net/;"
                    f"SharedAccessSignature=sv=2024&sig={SECRET}"
                }
            },
            {
                "account_name": "lake",
                "sas_key": f"sv=2024&sig={SECRET}",
                "endpoint": "https://lake.blob.core.windows.net",
            },
        ),
    ],
)
def test_a_wasb_connection_is_read_as_airflow_reads_it(
    fields: dict[str, Any], expected: dict[str, str]
) -> None:
    assert options("wasb", "abfs", **fields) == expected


# --- What is wrong is told, and never the secret --------------------------------------------------


@pytest.mark.parametrize(
    ("conn_type", "scheme"),
    [("http", "gs"), ("aws", "gs"), ("wasb", "s3"), ("google_cloud_platform", "abfs")],
)
def test_another_type_of_connection_is_refused(conn_type: str, scheme: str) -> None:
    with pytest.raises(ConfigError) as caught:
        options(conn_type, scheme, password=SECRET)
    assert str(caught.value) == (
        f"archive.connection = 'store' is of type {conn_type!r}, which opens no root of {scheme}://; "
        "right are: aws for s3://, google_cloud_platform for gs://, wasb for abfs://"
    )


@pytest.mark.parametrize(
    ("conn_type", "scheme", "field"),
    [
        ("aws", "s3", "role_arn"),
        ("google_cloud_platform", "gs", "impersonation_chain"),
        ("wasb", "az", "client_secret_auth_config"),
    ],
)
def test_a_field_that_makes_one_somebody_else_is_not_overlooked(
    conn_type: str, scheme: str, field: str
) -> None:
    with pytest.raises(ConfigError, match=f"connection 'store': {field}: the archive's client"):
        options(conn_type, scheme, extra={field: SECRET})


@pytest.mark.parametrize("key", [SECRET, {"private_key": SECRET}, f'["{SECRET}"]', {"x": "y"}])
def test_a_keyfile_that_is_none_is_told_without_its_text(key: object) -> None:
    with pytest.raises(ConfigError, match="connection 'store': keyfile_dict: ") as caught:
        options("google_cloud_platform", "gs", extra={"keyfile_dict": key})
    assert SECRET not in str(caught.value)


def test_a_connection_string_that_is_none_is_told_without_its_text() -> None:
    with pytest.raises(ConfigError, match="connection_string: no AccountName") as caught:
        options("wasb", "az", extra={"connection_string": f"AccountKey={SECRET}"})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("root", "conn_type", "fields"),
    [
        (
            "gs://lake",
            "google_cloud_platform",
            {
                "keyfile_dict": {
                    "client_email": "a@b",
                    "private_key": SECRET,
                    "private_key_id": "1",
                }
            },
        ),
        ("abfs://lake", "wasb", {"account_name": "lake", "account_key": f"{SECRET}!"}),
    ],
)
def test_a_key_that_the_client_cannot_read_is_told_without_its_text(
    root: str, conn_type: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, conn_type, fields)
    with pytest.raises(ConfigError, match=f"{root}: the client of .* cannot be made") as caught:
        archive.root(site_at(root))
    assert SECRET not in str(caught.value)


def test_a_shared_access_signature_is_not_told_with_the_url(
    server: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on("*", say(b"", 403))
    extra = {"sas_token": f"sv=2024-11-04&sig={SECRET}"}
    connect(monkeypatch, "wasb", extra, host=server.url, login="lake")
    with pytest.raises(ArchiveUnwritable, match="the store refuses these credentials") as caught:
        commit(site_at("abfs://raw"))
    assert all("sig=" in each.path for each in server.requests)
    assert SECRET not in str(caught.value)


def test_a_root_of_azure_without_an_account_says_where_it_belongs() -> None:
    with pytest.raises(ConfigError) as caught:
        store.at("abfs://lake/raw")
    assert str(caught.value) == (
        "abfs://lake/raw: no account_name for Azure Blob Storage; set AZURE_STORAGE_ACCOUNT_NAME, "
        "or archive.connection"
    )


@pytest.mark.parametrize("text", ["0", "-1", "many"])
def test_a_wrong_number_of_attempts_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORM_OPS_STORE_ATTEMPTS", text)
    with pytest.raises(ConfigError, match=r"^\$PLATFORM_OPS_STORE_ATTEMPTS: .* write 1 or more$"):
        store.at("gs://lake")
