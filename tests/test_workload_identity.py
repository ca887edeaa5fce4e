"""Workload identity against services that check every token: the right one works, no other does.

A wrong, expired or missing token ends in an error that says whose identity was refused, and that no
retry can mend; it never tells the token.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sized
from pathlib import Path

import boto3
import pytest

import platform_ops.ingest  # noqa: F401  # it lets the archive see connections
from platform_ops import archive
from platform_ops.archive.stores import store
from platform_ops.errors import ArchiveUnavailable, ArchiveUnwritable, ConfigError
from platform_ops.settings import Settings
from tests.archive.samples import commit, part, run, slot
from tests.fakes import amazon_identity as amazon
from tests.fakes import azure_identity as azure
from tests.fakes.gcs import GcsServer, gcs_server
from tests.fakes.google_identity import MetadataServer, metadata_server
from tests.fakes.issuer import Issuer
from tests.fakes.s3 import S3Server, s3_server
from tests.servers.certificate import self_signed


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="module")
def stranger() -> Issuer:
    """Another cluster, whose signature proves nothing here."""
    return Issuer()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    return tmp_path / "token"


@pytest.fixture
def _one_attempt(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PLATFORM_OPS_STORE_ATTEMPTS", "1")
    store.opened.cache_clear()
    yield
    store.opened.cache_clear()


def site_at(root: str) -> Settings:
    return Settings.model_validate({"archive": {"root": root}})


def works(site: Settings) -> None:
    done = commit(site, part(b"sunny"))
    commit(site, part(b"x" * (9 << 20)), by=run("another"))  # more than one request can hold
    assert archive.open(done.reference, settings=site).read() == b"sunny"


WRONG = ["another's", "for others", "of another", "expired", "torn", "empty", "missing"]


def spoil(wrong: str, audience: str, issuer: Issuer, stranger: Issuer, file: Path) -> str:
    """Put a token that is wrong in this way into the file; return the right one."""
    right = issuer.token(audience)
    token = {
        "another's": stranger.token(audience),
        "for others": issuer.token("vault"),
        "of another": issuer.token(audience, subject="system:serviceaccount:other:pod"),
        "expired": issuer.token(audience, expires_in_s=-60),
        "torn": right[:-20],
        "empty": "",
    }.get(wrong)
    if token is not None:
        file.write_text(token, encoding="utf-8")
    return right


def asks_again(site: Settings, given: Sized) -> None:
    """The client asks for credentials that end soon again, though not for each request."""
    before, deadline = len(given), time.monotonic() + 30
    done = commit(site, part(b"sunny"))
    while len(given) < before + 2:
        assert archive.open(done.reference, settings=site).read() == b"sunny"
        assert time.monotonic() < deadline


NO_CREDENTIALS = r"this machine's or pod's identity gives no credentials for {} \("


def refuses(site: Settings, service: str, token: str = "no token at all") -> None:
    with pytest.raises(ArchiveUnwritable, match=NO_CREDENTIALS.format(service)) as caught:
        commit(site)
    assert token[:20] not in str(caught.value)
    assert "check its token file and the role, account or client" in str(caught.value)


# --- Amazon: a service account's token, changed for a key at STS ------------------------------------


@pytest.fixture
def keys() -> amazon.Keys:
    return amazon.Keys()


@pytest.fixture
def guarded_s3(keys: amazon.Keys) -> Iterator[S3Server]:
    with s3_server(keys.guard) as running:
        yield running


@pytest.fixture
def on_amazon(
    guarded_s3: S3Server,
    keys: amazon.Keys,
    issuer: Issuer,
    token_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    _one_attempt: None,
) -> Iterator[Settings]:
    certificate = self_signed(tmp_path, authority=False)
    with amazon.strict_sts(issuer, keys, certificate) as sts:
        for name, value in {
            "SSL_CERT_FILE": str(certificate[0]),
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file),
            "AWS_ROLE_ARN": amazon.ROLE,
            "AWS_ROLE_SESSION_NAME": "archive",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_STS": sts.url,
            "AWS_ENDPOINT_URL": guarded_s3.url,
        }.items():
            monkeypatch.setenv(name, value)
        key_id, made = keys.new()
        boto3.client(
            "s3",
            endpoint_url=guarded_s3.url,
            region_name="us-east-1",
            aws_access_key_id=key_id,
            aws_secret_access_key=made.secret,
            aws_session_token=made.session_token,
        ).create_bucket(Bucket="lake")
        yield site_at("s3://lake/x")


def test_a_pod_of_amazon_writes_by_its_token(
    on_amazon: Settings, issuer: Issuer, token_file: Path, keys: amazon.Keys
) -> None:
    token_file.write_text(issuer.token(amazon.AUDIENCE), encoding="utf-8")
    works(on_amazon)
    assert keys.refused == []


@pytest.mark.parametrize("wrong", WRONG)
def test_a_pod_of_amazon_without_a_good_token_is_told(
    on_amazon: Settings, issuer: Issuer, stranger: Issuer, token_file: Path, wrong: str
) -> None:
    right = spoil(wrong, amazon.AUDIENCE, issuer, stranger, token_file)
    refuses(on_amazon, "Amazon S3", right)


def test_a_key_of_amazon_that_has_ended_is_changed_for_another(
    on_amazon: Settings, issuer: Issuer, token_file: Path, keys: amazon.Keys
) -> None:
    token_file.write_text(issuer.token(amazon.AUDIENCE), encoding="utf-8")
    keys.lasts_s = 1  # less than the client leaves itself: it asks again each time
    asks_again(on_amazon, keys.given)


@pytest.mark.parametrize("fault", ["ended", "altered"])
def test_a_key_that_the_store_refuses_is_told_by_the_stores_own_code(
    on_amazon: Settings, keys: amazon.Keys, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.lasts_s = -1 if fault == "ended" else 3600
    key_id, made = keys.new()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", made.secret[: -1 if fault == "altered" else None])
    monkeypatch.setenv("AWS_SESSION_TOKEN", made.session_token)
    code = {"ended": "ExpiredToken", "altered": "SignatureDoesNotMatch"}[fault]
    with pytest.raises(ArchiveUnwritable, match=f"refuses these credentials .*: {code}") as caught:
        commit(on_amazon)
    assert made.secret[:20] not in str(caught.value)


# --- Google: the metadata server of a machine or pod ------------------------------------------------


@pytest.fixture
def guarded_gcs() -> Iterator[GcsServer]:
    with gcs_server() as running:
        running.open = False
        yield running


@pytest.fixture
def metadata(
    guarded_gcs: GcsServer, monkeypatch: pytest.MonkeyPatch, _one_attempt: None
) -> Iterator[MetadataServer]:
    with metadata_server(guarded_gcs) as running:
        monkeypatch.setenv("GCE_METADATA_HOST", running.host)
        monkeypatch.setenv("GCE_METADATA_IP", running.host)
        monkeypatch.setenv("GOOGLE_BASE_URL", guarded_gcs.url)
        yield running


@pytest.fixture
def on_google(guarded_gcs: GcsServer, metadata: MetadataServer) -> Settings:
    return site_at(f"gs://{guarded_gcs.new_bucket()}/x")


def test_a_pod_of_google_writes_as_its_own_identity(
    on_google: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    works(on_google)
    # A connection without a key leads there too.
    monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps({"conn_type": "google_cloud_platform"}))
    commit(
        Settings.model_validate(
            {"archive": {"root": on_google.archive.root, "connection": "store"}}
        ),
        at=slot(1),
    )


def test_a_token_of_google_that_has_ended_is_asked_for_again(
    on_google: Settings, metadata: MetadataServer
) -> None:
    metadata.announced_s = metadata.lasts_s = 1  # less than the client leaves itself
    asks_again(on_google, metadata.wire.requests)


def test_a_pod_of_google_without_a_service_account_is_told(
    on_google: Settings, metadata: MetadataServer
) -> None:
    metadata.bound = False
    refuses(on_google, "Google Cloud Storage")


def test_a_machine_without_a_metadata_server_is_told(
    on_google: Settings, metadata: MetadataServer
) -> None:
    metadata.wire.close()
    with pytest.raises(ArchiveUnavailable, match=NO_CREDENTIALS.format("Google Cloud Storage")):
        commit(on_google)


def test_a_token_that_google_no_longer_takes_is_told(
    on_google: Settings, metadata: MetadataServer
) -> None:
    metadata.lasts_s = -1
    with pytest.raises(ArchiveUnwritable, match="refuses these credentials"):
        commit(on_google)


@pytest.mark.parametrize("given", ["environment", "connection"])
def test_a_federated_identity_of_google_is_refused_in_words(
    guarded_gcs: GcsServer, tmp_path: Path, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "federation.json"
    file.write_text(json.dumps({"type": "external_account", "audience": "pool"}), encoding="utf-8")
    plain = {"root": f"gs://{guarded_gcs.new_bucket()}/x"}
    if given == "environment":
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    else:
        extra = {"credential_config_file": str(file)}
        connection = {"conn_type": "google_cloud_platform", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps(connection))
        plain["connection"] = "store"
    site = Settings.model_validate({"archive": plain})
    with pytest.raises(ConfigError, match=r"federation\.json is of type 'external_account'"):
        commit(site)


# --- Azure: a federated token, changed for one of Entra's; and a managed identity -------------------


@pytest.fixture
def directory(issuer: Issuer) -> Iterator[azure.Entra]:
    with azure.entra(issuer) as running:
        yield running


@pytest.fixture
def on_azure(
    directory: azure.Entra, monkeypatch: pytest.MonkeyPatch, _one_attempt: None
) -> Settings:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", azure.ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", directory.endpoint)
    return site_at("abfs://container/x")


@pytest.fixture
def federated(
    on_azure: Settings, directory: azure.Entra, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    for name, value in {
        "AZURE_FEDERATED_TOKEN_FILE": str(token_file),
        "AZURE_CLIENT_ID": azure.CLIENT,
        "AZURE_TENANT_ID": azure.TENANT,
        "AZURE_AUTHORITY_HOST": directory.wire.url,
    }.items():
        monkeypatch.setenv(name, value)
    return on_azure


@pytest.fixture
def managed(
    on_azure: Settings, directory: azure.Entra, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    monkeypatch.setenv("AZURE_IDENTITY_ENDPOINT", f"{directory.wire.url}/msi/token")
    return on_azure


def commits(site: Settings) -> None:
    done = commit(site, part(b"sunny"))
    commit(site, part(b"rainy"), by=run("another"))
    assert archive.open(done.reference, settings=site).read() == b"sunny"


def test_a_pod_of_azure_writes_by_its_token(
    federated: Settings, issuer: Issuer, token_file: Path
) -> None:
    token_file.write_text(issuer.token(azure.AUDIENCE), encoding="utf-8")
    commits(federated)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_pod_of_azure_without_a_good_token_is_told(
    federated: Settings, issuer: Issuer, stranger: Issuer, token_file: Path, wrong: str
) -> None:
    right = spoil(wrong, azure.AUDIENCE, issuer, stranger, token_file)
    refuses(federated, "Azure Blob Storage", right)


def test_a_token_of_azure_that_has_ended_is_asked_for_again(
    federated: Settings, directory: azure.Entra, issuer: Issuer, token_file: Path
) -> None:
    token_file.write_text(issuer.token(azure.AUDIENCE), encoding="utf-8")
    directory.lasts_s = 1
    asks_again(federated, directory.tokens)


def test_a_managed_identity_writes(managed: Settings, directory: azure.Entra) -> None:
    commits(managed)
    assert directory.tokens


def test_a_machine_without_a_managed_identity_is_told(
    managed: Settings, directory: azure.Entra
) -> None:
    directory.managed = False
    refuses(managed, "Azure Blob Storage")
