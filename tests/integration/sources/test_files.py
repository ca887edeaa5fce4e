"""Files of real servers: OpenSSH's and vsftpd, and what goes wrong with them."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from platform_ops import archive
from platform_ops.errors import SourceRejected, SourceUnavailable
from platform_ops.settings import Settings
from platform_ops.sources.files import ArchivingFtpOperator, ArchivingSftpOperator
from platform_ops.sources.folders import sftp
from platform_ops.testing.runner import TaskResult, run_task
from tests.servers import running
from tests.servers.sshd import Sshd, new_key, public
from tests.servers.vsftpd import Vsftpd

MIB = 1 << 20


@pytest.fixture
def sshd() -> Sshd:
    found: Sshd = running("sshd")
    return found


@pytest.fixture
def vsftpd() -> Vsftpd:
    found: Vsftpd = running("vsftpd")
    return found


@pytest.fixture
def outbox(sshd: Sshd) -> Iterator[Path]:
    with TemporaryDirectory(dir=sshd.folder) as name:
        yield Path(name)


@pytest.fixture(autouse=True)
def _site(platform_archive: Settings) -> None:
    """Each test has an archive of its own."""


def take(
    operator: type[ArchivingSftpOperator | ArchivingFtpOperator],
    at: str = "2024-03-05",
    **arguments: Any,
) -> TaskResult:
    with DAG("files"):
        task = operator(task_id="take", entity="erp.orders", retries=2, **arguments)
    return run_task(task, at=at)


def over_sftp(folder: Path, **arguments: Any) -> TaskResult:
    return take(ArchivingSftpOperator, sftp_conn_id="erp", folder=str(folder), **arguments)


def refusal(ran: TaskResult) -> str:
    assert ran.state == "failed"
    assert isinstance(ran.error, AirflowFailException)
    assert isinstance(ran.error.__cause__, SourceRejected)
    return str(ran.error)


@contextmanager
def line(port: int, faults: list[tuple[str, int]]) -> Iterator[int]:
    """A line to a port that does one wrong thing in each of its connections, in order.

    :param faults: ``cut`` or ``stall``, after so many bytes from the server; none once they are used up.
    """
    listener, stopped = socket.create_server(("127.0.0.1", 0)), threading.Event()
    threading.Thread(target=_serve, args=(listener, port, faults, stopped), daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        stopped.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _serve(
    listener: socket.socket, port: int, faults: list[tuple[str, int]], stopped: threading.Event
) -> None:
    while not stopped.is_set():
        try:
            client, _ = listener.accept()
        except OSError:
            return
        server = socket.create_connection(("127.0.0.1", port))
        fault = faults.pop(0) if faults else _NONE
        for one, other, each in ((client, server, _NONE), (server, client, fault)):
            arguments = (one, other, *each, stopped)
            threading.Thread(target=_pump, args=arguments, daemon=True).start()


_NONE = ("none", 1 << 62)


def _pump(
    one: socket.socket, other: socket.socket, fault: str, left: int, stopped: threading.Event
) -> None:
    with suppress(OSError):
        while data := one.recv(1 << 16):
            left -= len(data)
            if left < 0:
                if fault == "stall":
                    stopped.wait(60)
                break
            other.sendall(data)
    for each in (one, other):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


def test_a_large_file_is_resumed_over_lines_that_break(
    sshd: Sshd, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(MIB) * 24
    (outbox / "large.bin").write_bytes(data)
    with line(sshd.port, [("cut", 9 * MIB), ("cut", 6 * MIB)]) as port:
        monkeypatch.setenv("AIRFLOW_CONN_ERP", sshd.connection(port=port))
        ran = over_sftp(outbox)
    assert ran.state == "success", ran.error
    with archive.open(ran.xcom) as body:
        assert body.read() == data
    assert sshd.reads(outbox) == 3


def test_a_server_that_falls_silent_is_given_up_and_nothing_is_kept(
    sshd: Sshd, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sftp, "TIMEOUT_S", 2.0)
    (outbox / "large.bin").write_bytes(bytes(24 * MIB))
    with line(sshd.port, [("stall", 2 * MIB)]) as port:
        monkeypatch.setenv("AIRFLOW_CONN_ERP", sshd.connection(port=port))
        ran = over_sftp(outbox, attempts=1)
    assert ran.state == "up_for_retry"
    assert isinstance(ran.error, SourceUnavailable)
    assert list(archive.find("erp.orders")) == []


def test_another_host_key_is_refused_for_good(
    sshd: Sshd, outbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (outbox / "a.csv").write_bytes(b"1\n")
    changed = public(new_key(tmp_path / "other"))
    for host_key in (changed, None):
        monkeypatch.setenv("AIRFLOW_CONN_ERP", sshd.connection(host_key=host_key))
        assert "its host key is not the one that connection 'erp' names" in refusal(
            over_sftp(outbox)
        )
    assert sshd.reads(outbox) == 0


def test_a_wrong_password_is_refused_for_good(
    sshd: Sshd, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = sshd.connection(private_key=None, password="hunter2-password")
    monkeypatch.setenv("AIRFLOW_CONN_ERP", connection)
    said = refusal(over_sftp(outbox))
    assert "refuses the login" in said
    assert "hunter2" not in said


def test_hostile_names_come_as_they_are(
    sshd: Sshd, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ERP", sshd.connection())
    for name in (b"con.txt", b"a\nb.txt", b"\xe9.txt"):
        Path(os.fsdecode(os.fsencode(outbox) + b"/" + name)).write_bytes(name)
    aside = outbox / "aside"
    ran = over_sftp(outbox, files="*.txt", after="move", move_to=str(aside))
    assert ran.state == "success", ran.error
    found = {body.name: body.read() for body in archive.bodies(ran.xcom)}
    assert found == {"con.txt": b"con.txt", "a%0Ab.txt": b"a\nb.txt", "%E9.txt": b"\xe9.txt"}
    assert sorted(os.listdir(os.fsencode(aside))) == [b"a\nb.txt", b"con.txt", b"\xe9.txt"]  # noqa: PTH208  # bytes


def test_a_certificate_that_nobody_vouches_for_is_refused(
    vsftpd: Vsftpd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ERP", vsftpd.connection("ftps"))
    said = refusal(take(ArchivingFtpOperator, ftp_conn_id="erp", folder="/"))
    assert "its certificate is not to be trusted" in said


@pytest.mark.parametrize("kind", ["ftp", "ftps"])
def test_a_file_is_moved_over_ftp_after_its_commit(
    vsftpd: Vsftpd, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(vsftpd.certificate))
    monkeypatch.setenv("AIRFLOW_CONN_ERP", vsftpd.connection(kind))
    folder = vsftpd.new_folder(f"outbox-{kind}")
    data = os.urandom(3 * MIB)
    (folder / "a.bin").write_bytes(data)
    ran = take(
        ArchivingFtpOperator,
        ftp_conn_id="erp",
        folder=f"/{folder.name}",
        after="move",
        move_to=f"/{folder.name}/aside",
    )
    assert ran.state == "success", ran.error
    assert archive.open(ran.xcom).read() == data
    assert [each.name for each in folder.rglob("*.bin")] == ["a.bin"]
    assert (folder / "aside" / "a.bin").read_bytes() == data


def test_a_wrong_password_of_ftp_is_refused_for_good(
    vsftpd: Vsftpd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ERP", vsftpd.connection(password="hunter3-wrong"))
    said = refusal(take(ArchivingFtpOperator, ftp_conn_id="erp", folder="/"))
    assert "refuses the login" in said
    assert "hunter3" not in said
