"""Airflow's own operators that make their hooks themselves: what they take in is archived by nobody.

Beside each stands what takes its place, over the same connection and for the same bytes.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from airflow.providers.amazon.aws.transfers.ftp_to_s3 import FTPToS3Operator
from airflow.providers.amazon.aws.transfers.http_to_s3 import HttpToS3Operator
from airflow.providers.amazon.aws.transfers.imap_attachment_to_s3 import ImapAttachmentToS3Operator
from airflow.providers.amazon.aws.transfers.local_to_s3 import LocalFilesystemToS3Operator
from airflow.providers.amazon.aws.transfers.sftp_to_s3 import SFTPToS3Operator
from airflow.providers.ftp.operators.ftp import FTPFileTransmitOperator
from airflow.providers.sftp.operators.sftp import SFTPOperator
from airflow.sdk import DAG, BaseOperator

from platform_ops import (
    ArchivingFtpOperator,
    ArchivingHttpOperator,
    ArchivingImapOperator,
    ArchivingLocalFilesOperator,
    ArchivingSftpOperator,
    archive,
)
from platform_ops.settings import Settings
from platform_ops.testing.runner import TaskResult, run_task
from tests import servers
from tests.contract.buckets import S3
from tests.contract.mail import DovecotSource
from tests.fakes.wire import Wire, say

# The stock operators over FTP leave their sockets to the garbage.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
BODY = b"id,item\n1,pear\n"


@pytest.fixture(autouse=True)
def _garbage() -> Iterator[None]:
    """None of it is left for the next test."""
    yield
    gc.collect()


@dataclass(frozen=True)
class Target:
    """The bucket that the stock operators write to."""

    store: S3
    bucket: str

    def holds(self) -> dict[str, bytes]:
        return self.store.objects(self.bucket)


@pytest.fixture
def target(platform_archive: Settings, monkeypatch: pytest.MonkeyPatch) -> Target:
    store = S3()
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", store.connection(store.server.url))
    return Target(store, store.new_bucket())


@pytest.fixture
def sftp_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    server = servers.running("sshd")
    monkeypatch.setenv("AIRFLOW_CONN_ERP", server.connection())
    with TemporaryDirectory(dir=server.folder) as name:
        (Path(name) / "orders.csv").write_bytes(BODY)
        yield Path(name)


@pytest.fixture
def ftp_folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    server = servers.running("vsftpd")
    monkeypatch.setenv("AIRFLOW_CONN_ERP", server.connection())
    folder: Path = server.folder / "stock"
    if not folder.exists():
        server.new_folder("stock")
    (folder / "orders.csv").write_bytes(BODY)
    return folder


def run(operator: type[BaseOperator], **arguments: Any) -> TaskResult:  # Any: the operator's own
    with DAG("stock"):
        task = operator(task_id="take", **arguments)
    ran = run_task(task, at="2024-03-05")
    assert ran.state == "success", ran.error
    return ran


def archived_by(operator: type[BaseOperator], **arguments: Any) -> dict[str, bytes]:
    """What takes the stock operator's place has archived, and before it nobody anything."""
    assert list(archive.find()) == []
    ran = run(operator, entity="erp.orders", **arguments)
    return {body.name: body.read() for body in archive.bodies(ran.xcom)}


def test_sftp(sftp_folder: Path, target: Target, tmp_path: Path) -> None:
    run(
        SFTPOperator,
        ssh_conn_id="erp",
        operation="get",
        remote_filepath=f"{sftp_folder}/orders.csv",
        local_filepath=str(tmp_path / "orders.csv"),
    )
    assert (tmp_path / "orders.csv").read_bytes() == BODY
    found = archived_by(
        ArchivingSftpOperator,
        sftp_conn_id="erp",
        folder=str(sftp_folder),
        files="orders.csv",
        new_only=False,
    )
    assert found == {"orders.csv": BODY}


def test_sftp_to_s3(sftp_folder: Path, target: Target) -> None:
    run(
        SFTPToS3Operator,
        sftp_conn_id="erp",
        sftp_path=f"{sftp_folder}/orders.csv",
        s3_bucket=target.bucket,
        s3_key="orders.csv",
    )
    assert target.holds() == {"orders.csv": BODY}
    found = archived_by(ArchivingSftpOperator, sftp_conn_id="erp", folder=str(sftp_folder))
    assert found == target.holds()


def test_ftp(ftp_folder: Path, target: Target, tmp_path: Path) -> None:
    run(
        FTPFileTransmitOperator,
        ftp_conn_id="erp",
        operation="get",
        remote_filepath="/stock/orders.csv",
        local_filepath=str(tmp_path / "orders.csv"),
    )
    assert (tmp_path / "orders.csv").read_bytes() == BODY
    found = archived_by(ArchivingFtpOperator, ftp_conn_id="erp", folder="/stock")
    assert found == {"orders.csv": BODY}


def test_ftp_to_s3(ftp_folder: Path, target: Target) -> None:
    run(
        FTPToS3Operator,
        ftp_conn_id="erp",
        ftp_path="/stock/orders.csv",
        s3_bucket=target.bucket,
        s3_key="orders.csv",
    )
    assert target.holds() == {"orders.csv": BODY}
    assert archived_by(ArchivingFtpOperator, ftp_conn_id="erp", folder="/stock") == target.holds()


def test_imap_attachment_to_s3(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    source = DovecotSource(str(servers.running("dovecot").account()), monkeypatch)
    source.deliver(
        b'Subject: Orders\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b'--b\r\nContent-Type: text/csv; name="orders.csv"\r\n'
        b'Content-Disposition: attachment; filename="orders.csv"\r\n\r\n'
        + BODY.replace(b"\n", b"\r\n")
        + b"\r\n--b--\r\n"
    )
    run(
        ImapAttachmentToS3Operator,
        imap_conn_id="source",
        imap_attachment_name="orders.csv",
        s3_bucket=target.bucket,
        s3_key="orders.csv",
    )
    (taken,) = target.holds().values()
    found = archived_by(ArchivingImapOperator, imap_conn_id="source")
    message, attachment = sorted(found, key=len)
    assert (message.endswith(".eml"), attachment.endswith("-orders.csv")) == (True, True)
    assert found[attachment] == taken


def test_http_to_s3(target: Target, server: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    server.connect(monkeypatch)  # of the type that archives, which this operator never meets
    server.on("/orders", say(BODY))
    run(
        HttpToS3Operator,
        http_conn_id="source",
        endpoint="/orders",
        method="GET",
        s3_bucket=target.bucket,
        s3_key="orders.csv",
    )
    assert target.holds() == {"orders.csv": BODY}
    found = archived_by(ArchivingHttpOperator, http_conn_id="source", endpoint="/orders")
    assert list(found.values()) == [BODY]


def test_local_to_s3(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "outbox"
    folder.mkdir()
    (folder / "orders.csv").write_bytes(BODY)
    monkeypatch.setenv("AIRFLOW_CONN_FS", json.dumps({"conn_type": "fs"}))
    run(
        LocalFilesystemToS3Operator,
        filename=str(folder / "orders.csv"),
        dest_bucket=target.bucket,
        dest_key="orders.csv",
    )
    assert target.holds() == {"orders.csv": BODY}
    assert archived_by(ArchivingLocalFilesOperator, folder=str(folder)) == target.holds()
