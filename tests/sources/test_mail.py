"""Mail, where a server or a sender does as it should not: against a server that does so on request."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from hypothesis import given
from hypothesis import strategies as st

from platform_ops import archive
from platform_ops.errors import ConfigError, SourceTruncated, SourceUnavailable
from platform_ops.settings import Settings
from platform_ops.sources.mail import ArchivingImapOperator
from platform_ops.sources.mailboxes import mailbox, mime
from platform_ops.sources.mailboxes.uids import UidSet
from platform_ops.testing.runner import TaskResult, run_task
from platform_ops.testing.supervisor import Supervisor
from tests.fakes.imap import Folder, PostOffice, post_office

LONG = b"Subject: long\r\n\r\n" + bytes(range(256)) * 12_000  # three pieces


@pytest.fixture
def office(platform_archive: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostOffice]:
    with post_office() as running:
        running.connect(monkeypatch)
        yield running


def task(**arguments: Any) -> ArchivingImapOperator:  # Any: the operator's own
    with DAG("mail"):
        return ArchivingImapOperator(
            task_id="inbox",
            entity="office.inbox",
            imap_conn_id="source",
            **{"retries": 2, "attempts": 1, **arguments},
        )


def names(ran: TaskResult) -> list[str]:
    if ran.state == "skipped":
        return []
    assert ran.state == "success", ran.error
    return [body.name for body in archive.bodies(ran.xcom)]


def attached(*headers: str, body: str = "eA==") -> bytes:
    """A message with one attachment of a single ``x`` for each group of headers."""
    parts = "".join(
        f"--b\r\nContent-Transfer-Encoding: base64\r\n{each}\r\n\r\n{body}\r\n" for each in headers
    )
    head = 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    return f"{head}preamble\r\n{parts}--b--\r\nepilogue\r\n".encode()


HOSTILE = {
    'Content-Disposition: attachment; filename="../../etc/passwd"': "passwd",
    'Content-Disposition: attachment; filename="..\\\\..\\\\boot.ini"': "boot.ini",
    'Content-Disposition: attachment; filename="con.txt"': "con.txt",
    'Content-Disposition: attachment; filename=".."': "attachment",
    "Content-Disposition: attachment": "attachment",
    "Content-Type: application/pdf": "attachment.pdf",
    "Content-Disposition: attachment; filename*=UTF-8''a%0Ab%00c%2F..%2Fd.txt": "d.txt",
    "Content-Disposition: attachment; filename*=UTF-8''a%0D%0A2024%20%5Berror%5D": "a__2024 [error]",
    "Content-Disposition: attachment; filename*0*=UTF-8''M%C3%A4; filename*1=rz.csv": "März.csv",
    'Content-Disposition: attachment; filename="=?utf-8?B?TcOkcnouY3N2?="': "März.csv",
    'Content-Disposition: attachment; filename="=?nonsense?B?TcOkcno=?="': "=?nonsense?B?TcOkcno=?=",
    'Content-Type: text/csv; name="table.csv"': "table.csv",
    "Content-Disposition: attachment; filename*=UTF-8''invoice%E2%80%AEfdp.exe": "invoice_fdp.exe",
    f'Content-Disposition: attachment; filename="{"n" * 300}.pdf"': "n" * 116 + ".pdf",
}


def test_no_name_of_an_attachment_leaves_its_place(office: PostOffice) -> None:
    office.deliver(attached(*HOSTILE))
    ran = run_task(task(), at="2024-03-01")
    message, *found = names(ran)
    assert message == "17-0000000001.eml"
    assert found == [
        f"17-0000000001-{number:02d}-{name}"
        for number, name in enumerate(HOSTILE.values(), start=1)
    ]
    urls = ran.xcom["payload_urls"]
    folders = {url.rpartition("/")[0] for url in urls}
    assert len(folders) == 1
    assert not any(each in url for url in urls for each in ("..", "\n", "\r", "\0", "\\"))
    assert [body.open().read() for body in archive.bodies(ran.xcom)][1:] == [b"x"] * len(HOSTILE)


def test_equal_names_are_told_apart_and_a_glob_chooses(office: PostOffice) -> None:
    same = 'Content-Disposition: attachment; filename="Invoice.PDF"'
    office.deliver(attached(same, same, 'Content-Type: image/png; name="logo.png"'))
    ran = run_task(task(attachments="*.pdf, *.csv"), at="2024-03-01")
    stem = "17-0000000001"
    assert names(ran) == [f"{stem}.eml", f"{stem}-01-Invoice.PDF", f"{stem}-02-Invoice.PDF"]
    office.deliver(attached(same))
    assert names(run_task(task(attachments=""), at="2024-03-02")) == ["17-0000000002.eml"]


MIXED = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: a/b\r\n\r\n'
NAMED = b"Content-Type: text/x; name=a\r\n"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"", []),
        (b"no header at all", []),
        (attached('Content-Type: image/png; name="a.png"', body="e-A!="), [b"x"]),
        (MIXED.replace(b"\r\n", b"\n") + b"x\n--b--\n", [b"x"]),
        (MIXED + b"x", [b"x"]),
        (MIXED + b"--b--\r\n", [b""]),
        (NAMED + b"Content-Transfer-Encoding: x-odd\r\n\r\n\0\xff", [b"\0\xff"]),
        (NAMED + b"Content-Transfer-Encoding: quoted-printable\r\n\r\na=\r\n=3Db", [b"a=b"]),
        (b"Content-Type: application/x\r\n\r\n" + b"y" * 200_000, [b"y" * 200_000]),
    ],
)  # fmt: skip
def test_a_message_of_any_shape_gives_what_is_attached(
    message: bytes, expected: list[bytes]
) -> None:
    found = mime.attachments(io.BytesIO(message))
    assert [b"".join(each.chunks()) for each in found] == expected


def test_an_attached_message_is_given_and_so_is_what_it_carries() -> None:
    inner = attached('Content-Type: image/png; name="a.png"')
    outer = b'Content-Type: multipart/mixed; boundary="c"\r\n\r\n--c\r\nContent-Type: message/rfc822\r\n\r\n'
    found = list(mime.attachments(io.BytesIO(outer + inner + b"\r\n--c--\r\n")))
    assert [(each.section, each.name) for each in found] == [
        ("1", "attachment.eml"),
        ("1.1", "a.png"),
    ]
    assert b"".join(found[0].chunks()) == inner


def test_many_and_deep_parts_come_to_an_end() -> None:
    many = attached(*['Content-Type: image/png; name="a.png"'] * 3000)
    assert len(list(mime.attachments(io.BytesIO(many)))) == mime.MOST_ATTACHMENTS
    deep = "".join(
        f'Content-Type: multipart/mixed; boundary="b{depth}"\r\n\r\n--b{depth}\r\n'
        for depth in range(200)
    )
    assert len(list(mime.attachments(io.BytesIO(deep.encode())))) == 1


@given(
    there=st.sets(st.integers(1, 300)),
    taken=st.sets(st.integers(1, 300)),
)
def test_a_set_of_numbers_holds_what_it_should_and_nothing_else_that_is_there(
    there: set[int], taken: set[int]
) -> None:
    kept = UidSet.of(taken, sorted(there))
    assert {number for number in there if number in kept} == there & taken
    assert UidSet.parse(str(kept)) == kept
    assert ",".join(kept.lines()) == str(kept)


def test_names_of_folders_are_written_as_imap_writes_them() -> None:
    # The example of RFC 3501, section 5.1.3.
    assert mailbox._quoted("~peter/mail/台北/日本語") == '"~peter/mail/&U,BTFw-/&ZeVnLIqe-"'
    assert mailbox._quoted('A&B "\\') == '"A&-B \\"\\\\"'


def test_a_connection_that_breaks_in_a_message_is_made_again(office: PostOffice) -> None:
    office.deliver(LONG)
    broken: list[str] = []

    def fault(command: str) -> bytes | None:
        if f"<{2 << 20}." in command and not broken:
            broken.append(command)
            return b"* 1 FETCH (UID 1 RFC822.SIZE 99 BODY[]<2097152> {1000}\r\nhalf"
        return None

    office.fault = fault
    ran = run_task(task(), at="2024-03-01")
    assert archive.open(ran.xcom).read() == LONG
    assert [each for each in office.asked if each.startswith("UID FETCH")].count(broken[0]) == 2


def test_a_connection_that_breaks_again_leaves_nothing(office: PostOffice) -> None:
    office.deliver(LONG)
    office.fault = lambda command: b"* 1 FETCH (" if f"<{1 << 20}." in command else None
    ran = run_task(task(), at="2024-03-01")
    assert (ran.state, type(ran.error)) == ("up_for_retry", SourceTruncated)
    assert list(archive.find("office.inbox")) == []
    assert "FETCH" not in str(ran.error)


def test_a_message_deleted_since_the_search_is_left_out(office: PostOffice) -> None:
    for number in range(3):
        office.deliver(b"Subject: %d\r\n\r\n" % number)
    inbox = office.folders["INBOX"]

    def fault(command: str) -> bytes | None:
        if command.startswith("UID FETCH 1 "):
            inbox.messages.pop(2, None)
        return None

    office.fault = fault
    ran = run_task(task(), at="2024-03-01")
    assert names(ran) == ["17-0000000001.eml", "17-0000000003.eml"]


def test_a_message_deleted_while_it_is_read_is_not_kept_in_half(office: PostOffice) -> None:
    office.deliver(LONG)
    inbox = office.folders["INBOX"]

    def fault(command: str) -> bytes | None:
        if f"<{1 << 20}." in command:
            inbox.messages.clear()
        return None

    office.fault = fault
    ran = run_task(task(), at="2024-03-01")
    assert isinstance(ran.error, SourceTruncated)
    assert "was deleted after 1048576 bytes" in str(ran.error)
    office.fault = lambda _: None
    assert names(run_task(task(), at="2024-03-01", try_number=2)) == []


def test_a_message_larger_than_allowed_is_refused_after_one_piece(office: PostOffice) -> None:
    office.deliver(LONG)
    ran = run_task(task(max_bytes=10_000), at="2024-03-01")
    assert isinstance(ran.error, AirflowFailException)
    assert f"has {len(LONG)} bytes, more than max_bytes=10000" in str(ran.error)
    assert len([each for each in office.asked if "FETCH" in each]) == 1
    assert list(archive.find("office.inbox")) == []


def test_a_server_that_is_not_ready_is_asked_again_by_airflow(office: PostOffice) -> None:
    office.fault = lambda command: b"* BYE [UNAVAILABLE] later\r\n" if "LOGIN" in command else None
    ran = run_task(task(attempts=2), at="2024-03-01")
    assert (ran.state, type(ran.error)) == ("up_for_retry", SourceUnavailable)
    assert len(office.asked) == 4


def test_the_archive_tells_what_is_known_where_airflow_s_store_is_lost(office: PostOffice) -> None:
    office.deliver(b"Subject: one\r\n\r\n")
    store = Supervisor()
    assert names(run_task(task(), at="2024-03-01", supervisor=store)) == ["17-0000000001.eml"]
    assert set(store.asset_store) == {
        ("office.inbox", name) for name in ("watermark", "watermark_time")
    }
    store.asset_store.clear()
    assert names(run_task(task(), at="2024-03-02", supervisor=store)) == []
    office.deliver(b"Subject: two\r\n\r\n")
    assert names(run_task(task(), at="2024-03-03", supervisor=store)) == ["17-0000000002.eml"]


def test_an_old_run_s_retry_takes_nothing_twice(office: PostOffice) -> None:
    store = Supervisor()
    office.deliver(b"Subject: one\r\n\r\n")
    run_task(task(), at="2024-03-01", supervisor=store)
    office.deliver(b"Subject: two\r\n\r\n")
    run_task(task(), at="2024-03-02", supervisor=store)
    again = run_task(task(), at="2024-03-01", try_number=2, supervisor=store)
    assert names(again) == ["17-0000000001.eml"]
    assert names(run_task(task(), at="2024-03-03", supervisor=store)) == []


def test_folders_mapped_over_one_entity_keep_apart_what_they_know(office: PostOffice) -> None:
    for folder in ("Bills", "Orders"):
        office.folders[folder] = Folder(uidvalidity=40 + len(folder))
        office.deliver(b"Subject: one\r\n\r\n", folder)
    store = Supervisor()

    def run(day: str) -> list[list[str]]:
        return [
            names(run_task(task(folder=each, map_key=each), at=day, supervisor=store))
            for each in ("Bills", "Orders")
        ]

    assert run("2024-03-01") == [["45-0000000001.eml"], ["46-0000000001.eml"]]
    assert run("2024-03-02") == [[], []]


def test_a_search_in_several_lines_never_reaches_the_server(office: PostOffice) -> None:
    ran = run_task(task(search="ALL\r\nA1 DELETE INBOX"), at="2024-03-01")
    assert isinstance(ran.error, AirflowFailException)
    assert office.asked == []


@pytest.mark.parametrize(
    "given", [{"afterwards": "burn"}, {"afterwards": "move"}, {"move_to": "Done"}]
)
def test_what_cannot_be_meant_is_refused_when_the_dag_is_parsed(given: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="afterwards"):
        task(**given)


def test_a_token_lets_in_by_xoauth2_and_is_told_to_nobody_else(
    office: PostOffice, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    office.deliver(attached())
    office.password = "hunter2-token"
    office.connect(monkeypatch, auth="xoauth2")
    ran = run_task(task(), at="2024-03-01")
    assert len(names(ran)) == 1
    assert "AUTHENTICATE XOAUTH2" in office.asked
    assert not [line for line in office.asked if line.startswith("LOGIN")]
    told = caplog.text + repr(ran) + repr(archive.manifest(ran.xcom).to_json())
    assert "hunter2" not in told


def test_a_token_that_has_run_out_is_refused_for_good(
    office: PostOffice, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    office.password = "hunter2-token"
    office.connect(monkeypatch, auth="xoauth2")
    office.password = "another one"
    ran = run_task(task(), at="2024-03-01")
    assert ran.state == "failed"
    assert "[AUTHENTICATIONFAILED]; check login, and the token" in str(ran.error)
    assert "answer of 0 bytes" in office.asked
    assert "hunter2" not in str(ran.error) + caplog.text


def test_a_way_to_sign_in_that_is_not_known_is_named(
    office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.connect(monkeypatch, auth="kerberos")
    ran = run_task(task(), at="2024-03-01")
    assert "right are: 'password', 'xoauth2'" in str(ran.error)


def test_nothing_new_means_what_the_task_says(office: PostOffice) -> None:
    assert run_task(task(), at="2024-03-01").state == "skipped"
    assert list(archive.find("office.inbox")) == []
    office.deliver(attached())
    first = run_task(task(), at="2024-03-02")
    same = run_task(task(on_nothing="unchanged"), at="2024-03-03")
    assert same.xcom["manifest_url"] == first.xcom["manifest_url"]
    assert run_task(task(on_nothing="fail"), at="2024-03-04").state == "up_for_retry"
    assert run_task(task(on_nothing="accept"), at="2024-03-05").xcom["payload_urls"] == []
