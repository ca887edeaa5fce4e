"""What goes wrong on the way in, made for real at servers: silence, certificates, growth, odd names.

Each message says what, where, and by its class whether a retry can help; no credential is in it. What a
single source does wrong stands in its own module; here is what many have in common.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from platform_ops import (
    ArchivingFtpOperator,
    ArchivingImapOperator,
    ArchivingKafkaOperator,
    ArchivingObjectStoreOperator,
    ArchivingSftpOperator,
    ArchivingSqlOperator,
    archive,
)
from platform_ops.archive.stores import services
from platform_ops.errors import SourceChanged, SourceRejected, SourceUnavailable
from platform_ops.settings import Settings
from platform_ops.sources.folders import ftp, sftp
from platform_ops.testing.runner import TaskResult, run_task
from tests import servers
from tests.contract.buckets import S3, Gcs
from tests.contract.kafka import BrokerSource, KafkaCase
from tests.contract.mail import DovecotSource
from tests.fakes.faulty import faulty_proxy
from tests.servers import mariadb, postgres, tansu, vsftpd
from tests.servers.certificate import self_signed
from tests.servers.line import line

MIB = 1 << 20
ENTITY = "erp.deliveries"
SECRETS = ("hunter2", "archivist-secret")


@pytest.fixture(autouse=True)
def _archive(platform_archive: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has an archive of its own."""
    monkeypatch.setenv("PLATFORM_OPS_STORE_ATTEMPTS", "1")


def take(operator: type[BaseOperator], **arguments: Any) -> TaskResult:  # Any: the operator's own
    with DAG("bad"):
        task = operator(task_id="take", **{"entity": ENTITY, "retries": 2, **arguments})
    return run_task(task, at="2024-03-05")


def passing(ran: TaskResult, kind: type[Exception] = SourceUnavailable) -> str:
    """The message of a failure that Airflow retries, which has left nothing."""
    assert ran.state == "up_for_retry", ran
    assert type(ran.error) is kind
    return told(ran)


def final(ran: TaskResult) -> str:
    """The message of a failure that no retry cures, which has left nothing."""
    assert ran.state == "failed", ran
    assert isinstance(ran.error, AirflowFailException)
    assert isinstance(ran.error.__cause__, SourceRejected)
    return told(ran)


def told(ran: TaskResult) -> str:
    said = str(ran.error)
    assert "\n" not in said
    assert not any(each in said for each in SECRETS)
    assert list(archive.find(ENTITY)) == []
    return said


# --- Silence in the middle of a body --------------------------------------------------------------


def test_ftp_that_falls_silent_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ftp, "TIMEOUT_S", 1.0)
    with vsftpd.started(anon_max_rate=8192) as server:  # it pauses after each of its pieces
        folder = server.new_folder("slow")
        (folder / "big.bin").write_bytes(bytes(4 * MIB))
        monkeypatch.setenv("AIRFLOW_CONN_ERP", server.connection())
        said = passing(take(ArchivingFtpOperator, ftp_conn_id="erp", folder="/slow", attempts=1))
    assert "'/slow/big.bin': nothing came for 1 s" in said


def test_imap_that_falls_silent_in_a_message_is_asked_for_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dovecot = servers.running("dovecot")
    source = DovecotSource(str(dovecot.account()), monkeypatch)
    message = b"Subject: big\r\n\r\n" + b"0123456789abcdef" * (MIB // 2)
    source.deliver(message)
    with line(dovecot.port) as slow:
        slow.stop_after_bytes, slow.cut = 2 * MIB, False
        source.connect(slow.port, extra={"timeout": 1})
        ran = take(ArchivingImapOperator, imap_conn_id="source")
    assert ran.state == "success", ran.error
    assert slow.held.is_set()
    assert archive.open(ran.xcom).read() == message


def test_a_store_that_falls_silent_in_an_object(monkeypatch: pytest.MonkeyPatch) -> None:
    store = S3()
    bucket = store.new_bucket()
    store.put(bucket, "in/big.bin", bytes(8 * MIB))
    monkeypatch.setattr(services, "_TIMEOUT_S", 1)
    with line(int(store.server.url.rpartition(":")[2])) as slow:
        slow.stop_after_bytes, slow.cut = 2 * MIB, False
        monkeypatch.setenv("AIRFLOW_CONN_ERP", store.connection(f"http://127.0.0.1:{slow.port}"))
        said = passing(
            take(
                ArchivingObjectStoreOperator,
                conn_id="erp",
                folder=f"s3://{bucket}/in",
                attempts=1,
            )
        )
    assert f"s3://{bucket} 'in/big.bin'" in said


def test_a_broker_that_falls_silent_in_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    source = BrokerSource(monkeypatch, KafkaCase())
    with tansu.started() as broker:
        topic = broker.topic()
        broker.produce(topic, *({"value": bytes(MIB // 2)} for _ in range(40)))
        source.connect(broker.port, **{"queued.max.messages.kbytes": 1024})
        from platform_ops.sources.topics.client import Topics

        read = Topics.read

        def stopped_half_way(self: Topics, *arguments: Any) -> Iterator[Any]:
            for number, message in enumerate(read(self, *arguments)):
                if number == 1:
                    os.kill(broker.process_id, signal.SIGSTOP)
                yield message

        monkeypatch.setattr(Topics, "read", stopped_half_way)
        try:
            ran = take(
                ArchivingKafkaOperator, kafka_config_id="source", topics=[topic], timeout_s=2.0
            )
        finally:
            os.kill(broker.process_id, signal.SIGCONT)
        said = passing(ran)
        assert f"reading {topic}[0]" in said
        assert broker.committed(source.group, topic) < 0


# --- Certificates that nobody vouches for ---------------------------------------------------------


def test_a_bucket_whose_certificate_is_not_to_be_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = S3()
    bucket = store.new_bucket()
    with faulty_proxy(store.server.url, self_signed(tmp_path)) as proxy:
        monkeypatch.setenv("AIRFLOW_CONN_ERP", store.connection(proxy.url))
        ran = take(ArchivingObjectStoreOperator, conn_id="erp", folder=f"s3://{bucket}/in")
    said = final(ran)
    assert f"s3://{bucket}" in said
    assert "its certificate is not to be trusted" in said


@pytest.mark.parametrize(
    ("module", "kind", "schema", "extra"),
    [
        (postgres, "postgres", "postgres", {"sslmode": "verify-full"}),
        (mariadb, "mysql", "shop", {}),
    ],
    ids=["postgres", "mariadb"],
)
def test_a_database_whose_certificate_is_not_to_be_trusted(
    module: Any,
    kind: str,
    schema: str,
    extra: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other, _ = self_signed(tmp_path)
    name = "sslrootcert" if kind == "postgres" else "ssl_ca"
    with module.started("archivist-secret", tls=True) as server:
        fields = {"host": "127.0.0.1", "port": server.port, "schema": schema}
        fields |= {"login": "archivist", "password": server.password}
        about = {"conn_type": f"archiving_{kind}", "extra": {**extra, name: str(other)}, **fields}
        monkeypatch.setenv("AIRFLOW_CONN_ERP", json.dumps(about))
        said = final(take(ArchivingSqlOperator, conn_id="erp", sql="SELECT 1 AS n"))
    assert f"127.0.0.1:{server.port}" in said
    assert "its certificate is not to be trusted" in said


# --- A file that grows while it is read -----------------------------------------------------------


@pytest.mark.parametrize("protocol", ["sftp", "ftp"])
def test_a_file_that_grows_while_it_is_read(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with grown(protocol, monkeypatch) as (operator, arguments):
        said = passing(take(operator, **arguments), SourceChanged)
    assert "growing.csv: changed while it was read" in said
    assert said.endswith("nothing of it was kept")


@contextmanager
def grown(
    protocol: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[type[BaseOperator], dict[str, Any]]]:
    """A file to which its sender appends as soon as somebody reads it."""
    operator: type[BaseOperator]
    with ExitStack() as stack:
        if protocol == "sftp":
            from tempfile import TemporaryDirectory

            server = servers.running("sshd")
            folder = Path(stack.enter_context(TemporaryDirectory(dir=server.folder)))
            kind: Any = sftp.SftpFolder
            operator, where = ArchivingSftpOperator, str(folder)
        else:
            server = servers.running("vsftpd")
            folder = server.new_folder("growing")
            kind, operator, where = ftp.FtpFolder, ArchivingFtpOperator, "/growing"
        monkeypatch.setenv("AIRFLOW_CONN_ERP", server.connection())
        (folder / "growing.csv").write_bytes(bytes(4 * MIB))
        read: Callable[..., Iterator[bytes]] = kind.read

        def appending(self: Any, *arguments: Any) -> Iterator[bytes]:
            with (folder / "growing.csv").open("ab") as file:
                file.write(b"more")
            yield from read(self, *arguments)

        monkeypatch.setattr(kind, "read", appending)
        yield operator, {f"{protocol}_conn_id": "erp", "folder": where}


# --- Names ----------------------------------------------------------------------------------------


def in_a_bucket(*names: str, monkeypatch: pytest.MonkeyPatch) -> TaskResult:
    store = Gcs()
    bucket = store.new_bucket()
    for name in names:
        store.put(bucket, f"in/{name}", name.encode())
    monkeypatch.setenv("AIRFLOW_CONN_ERP", store.connection(store.server.url))
    return take(ArchivingObjectStoreOperator, conn_id="erp", folder=f"gs://{bucket}/in")


def test_keys_of_a_bucket_come_under_safe_names(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("con.txt", "a:b.txt", "sp ace%41.txt", "\u00fcn\u00ef.txt", "back\\slash.txt")
    ran = in_a_bucket(*names, monkeypatch=monkeypatch)
    assert ran.state == "success", ran.error
    assert {body.name: body.read().decode() for body in archive.bodies(ran.xcom)} == {
        name: name for name in names
    }
    root = Path(archive.root().url.removeprefix("file://"))
    stored = [Path(url.removeprefix("file://")) for url in archive.files(ENTITY)]
    assert all(each.is_relative_to(root) for each in stored)
    assert not any(each.stem.lower() == "con" for each in stored)


@pytest.mark.parametrize("name", ["line\nbreak.txt", "../up.txt"], ids=["line", "up"])
def test_a_key_that_the_client_cannot_take_is_told_for_good(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = final(in_a_bucket("good.txt", name, monkeypatch=monkeypatch))
    assert "a key there that the client cannot take" in said
