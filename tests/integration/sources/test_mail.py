"""Mail from Dovecot: once, unmarked, and acknowledged only after the commit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from platform_ops import archive
from platform_ops.errors import SourceRejected
from platform_ops.settings import Settings
from platform_ops.sources.mail import ArchivingImapOperator
from platform_ops.testing.runner import TaskResult, run_task
from tests import servers
from tests.contract.mail import DovecotSource
from tests.servers.line import line

FIRST, SECOND, THIRD = (
    f"Subject: {name}\r\n\r\nThe {name} message.\r\n".encode()
    for name in ("first", "second", "third")
)
MIB = 1 << 20
BIG = b"Subject: big\r\n\r\n" + b"0123456789abcdef" * (MIB // 16) * 8


@pytest.fixture(autouse=True)
def _archive(platform_archive: Settings) -> None:
    """Every test has an archive of its own."""


@pytest.fixture
def login() -> str:
    return str(servers.running("dovecot").account())


@pytest.fixture
def source(login: str, monkeypatch: pytest.MonkeyPatch) -> DovecotSource:
    return DovecotSource(login, monkeypatch)


def capture(day: str, **arguments: Any) -> TaskResult:  # Any: the operator's own
    with DAG("mail"):
        task = ArchivingImapOperator(
            task_id="inbox", entity="office.inbox", imap_conn_id="source", retries=2, **arguments
        )
    return run_task(task, at=day)


def bodies(ran: TaskResult) -> list[bytes]:
    if ran.state == "skipped":
        return []
    assert ran.state == "success", ran.error
    return [body.open().read() for body in archive.bodies(ran.xcom)]


def flags(login: str, folder: str = "INBOX") -> list[bytes]:
    with servers.running("dovecot").client(login) as client:
        if client.select(folder, readonly=True)[1] == [b"0"]:
            return []
        return [line for line in client.fetch("1:*", "(FLAGS)")[1] if isinstance(line, bytes)]


def test_each_run_takes_what_is_new_and_marks_nothing(source: DovecotSource, login: str) -> None:
    source.deliver(FIRST)
    source.deliver(SECOND)
    assert bodies(capture("2024-03-01")) == [FIRST, SECOND]
    assert bodies(capture("2024-03-02")) == []
    source.deliver(THIRD)
    assert bodies(capture("2024-03-03")) == [THIRD]
    assert not any(rb"\Seen" in line for line in flags(login))


def test_a_search_decides_and_what_it_left_is_there_for_the_next(source: DovecotSource) -> None:
    for message in (FIRST, SECOND, THIRD):
        source.deliver(message)
    assert bodies(capture("2024-03-01", search='SUBJECT "second"')) == [SECOND]
    assert bodies(capture("2024-03-02", max_messages=1)) == [FIRST]
    assert bodies(capture("2024-03-03")) == [THIRD]


@pytest.mark.parametrize(("afterwards", "flag"), [("seen", rb"\Seen"), ("flag", rb"\Flagged")])
def test_messages_are_marked_after_the_commit(
    source: DovecotSource, login: str, afterwards: str, flag: bytes
) -> None:
    source.deliver(FIRST)
    assert bodies(capture("2024-03-01", afterwards=afterwards)) == [FIRST]
    source.deliver(SECOND)
    assert [flag in line for line in flags(login)] == [True, False]


def test_messages_are_moved_and_those_of_others_stay(source: DovecotSource, login: str) -> None:
    source.deliver(FIRST)
    source.deliver(THIRD, "Belege/M&AOQ-rz")
    moved = capture("2024-03-01", afterwards="move", move_to="Belege/März")
    assert bodies(moved) == [FIRST]
    assert flags(login) == []
    assert bodies(capture("2024-03-02", folder="Belege/März")) == [THIRD, FIRST]


def test_deleting_leaves_what_somebody_else_has_marked(source: DovecotSource, login: str) -> None:
    source.deliver(FIRST)
    source.deliver(SECOND)
    with servers.running("dovecot").client(login) as client:
        client.select("INBOX")
        client.store("2", "+FLAGS", r"(\Deleted)")
    ran = capture("2024-03-01", search='SUBJECT "first"', afterwards="delete")
    assert bodies(ran) == [FIRST]
    assert len(flags(login)) == 1


def test_a_move_that_failed_is_made_up_for_once_the_task_is_cleared(
    source: DovecotSource, login: str
) -> None:
    source.deliver(FIRST)
    failed = capture("2024-03-01", afterwards="move", move_to="Done")
    assert failed.state == "failed"
    assert "TRYCREATE" in str(failed.error)
    assert [each.rows for each in archive.find("office.inbox")] == [None]
    source.deliver(THIRD, "Done")
    assert bodies(capture("2024-03-01", afterwards="move", move_to="Done")) == [FIRST]
    assert flags(login) == []


def test_a_folder_made_anew_repeats_nothing(source: DovecotSource, login: str) -> None:
    source.deliver(FIRST, "Box")
    source.deliver(SECOND, "Box")
    before = capture("2024-03-01", folder="Box")
    assert bodies(before) == [FIRST, SECOND]
    with servers.running("dovecot").client(login) as client:
        client.delete("Box")
    for message in (SECOND, THIRD, FIRST):
        source.deliver(message, "Box")
    after = capture("2024-03-02", folder="Box")
    assert bodies(after) == [THIRD]
    numbers = [
        archive.manifest(each.xcom).payloads[0].name.split("-")[0] for each in (before, after)
    ]
    assert numbers[0] != numbers[1]
    assert bodies(capture("2024-03-03", folder="Box")) == []


def test_a_wrong_password_is_no_matter_of_time(
    source: DovecotSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = os.environ["AIRFLOW_CONN_SOURCE"].replace("hunter2-password", "hunter2-wrong")
    monkeypatch.setenv("AIRFLOW_CONN_SOURCE", connection)
    ran = capture("2024-03-01")
    assert ran.state == "failed"
    assert "check login and password of connection 'source'" in str(ran.error)
    assert "hunter2" not in str(ran.error)


def test_a_token_lets_in_by_xoauth2(source: DovecotSource, login: str) -> None:
    source.deliver(FIRST)
    dovecot = servers.running("dovecot")
    token = dovecot.token(login)
    source.connect(dovecot.port, password=token, extra={"auth": "xoauth2"})
    ran = capture("2024-03-01")
    assert bodies(ran) == [FIRST]
    assert token not in repr(ran) + repr(archive.manifest(ran.xcom).to_json())


def test_a_token_that_has_run_out_is_refused(
    source: DovecotSource, login: str, caplog: pytest.LogCaptureFixture
) -> None:
    dovecot = servers.running("dovecot")
    token = dovecot.token(login, expires=1_000_000)
    source.connect(dovecot.port, password=token, extra={"auth": "xoauth2"})
    ran = capture("2024-03-01")
    assert ran.state == "failed"
    assert "check login, and the token that is its password" in str(ran.error)
    assert token not in str(ran.error) + caplog.text


def test_a_certificate_that_nobody_vouches_for_is_refused(
    source: DovecotSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    ran = capture("2024-03-01")
    assert ran.state == "failed"
    assert isinstance(ran.error.__cause__ if ran.error else None, SourceRejected)
    assert "certificate is not trusted" in str(ran.error)


@pytest.mark.parametrize("arguments", [{"folder": "Nowhere"}, {"search": "NO SUCH KEY"}])
def test_a_folder_or_search_that_is_wrong_is_said_to_be(
    source: DovecotSource, arguments: dict[str, str]
) -> None:
    source.deliver(FIRST)
    ran = capture("2024-03-01", **arguments)
    assert ran.state == "failed"
    assert "SourceRejected" in str(ran.error)


def test_a_line_that_breaks_in_a_message_is_made_again_where_it_was_left(
    source: DovecotSource,
) -> None:
    source.deliver(BIG)
    with line(servers.running("dovecot").port) as broken:
        broken.stop_after_bytes = 3 * MIB
        source.connect(broken.port)
        ran = capture("2024-03-01")
    assert broken.held.is_set()
    assert bodies(ran) == [BIG]


def test_a_kill_in_a_message_leaves_nothing_and_the_next_try_takes_it(
    source: DovecotSource, login: str, tmp_path: Path
) -> None:
    source.deliver(BIG)
    port = servers.running("dovecot").port
    script = (
        "from tests.integration.sources.test_mail import capture\n"
        "capture('2024-03-01', afterwards='delete')\n"
    )
    with line(port) as held, (tmp_path / "log").open("wb") as log:
        held.stop_after_bytes, held.cut = 3 * MIB, False
        source.connect(held.port)
        child = subprocess.Popen(
            [sys.executable, "-c", script], env=dict(os.environ), stdout=log, stderr=log
        )
        assert held.held.wait(60), (tmp_path / "log").read_text()
        child.kill()
        child.wait()
    assert list(archive.find("office.inbox")) == []
    assert len(flags(login)) == 1
    source.connect(port)
    assert bodies(capture("2024-03-01", afterwards="delete")) == [BIG]
    assert flags(login) == []
