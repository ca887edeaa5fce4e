"""What a source may do to us over HTTP, each case made for real on a socket."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from platform_ops import archive
from platform_ops.errors import (
    ConnectionMissing,
    SourceTruncated,
)
from platform_ops.sources.http import JsonLink, LinkHeader
from tests.fakes.statsd import Listener
from tests.fakes.wire import (
    Wire,
    chunked,
    cut,
    redirect,
    reset,
    rest,
    say,
    silent,
    stalled,
    wire,
)
from tests.sources.outcomes import Fetch, body_of, rejected, unavailable

BODY = bytes(range(256)) * 8192  # 2 MiB: past the first chunk that is read
# --- Answers that are errors ----------------------------------------------------------------------


def test_a_connection_that_does_not_exist_says_how_to_make_it(fetch: Fetch) -> None:
    ran = fetch(http_conn_id="nowhere")
    assert ran.state == "failed"
    assert isinstance(ran.error, AirflowFailException)
    assert isinstance(ran.error.__cause__, ConnectionMissing)
    assert str(ran.error) == (
        "ConnectionMissing: connection 'nowhere' does not exist; create it in Airflow's UI, in a secrets "
        "backend, or as the environment variable AIRFLOW_CONN_NOWHERE"
    )


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (400, "check the endpoint and its parameters"),
        (401, "check the connection's login, password or token"),
        (403, "check what the connection's account may read"),
        (404, "check the connection's host and the endpoint"),
        (410, "check the endpoint and its parameters"),
    ],
)
def test_a_refusal_is_asked_once_and_fails_with_advice(
    server: Wire, fetch: Fetch, status: int, advice: str
) -> None:
    server.on("/f?token=hunter4", say(b"<html>hunter5</html>", status))
    message = rejected(fetch(query={"token": "hunter4"}))
    assert len(server.requests) == 1
    assert f"GET {server.url}/f?token=REDACTED: HTTP {status}" in message
    assert message.endswith(advice)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_asked_again(
    server: Wire, fetch: Fetch, statsd: Listener, status: int
) -> None:
    server.on("/f", say(b"later", status), say(b"now"))
    assert body_of(fetch()) == b"now"
    assert len(server.requests) == 2
    assert [each.value for each in statsd.ours() if each.name == "platform_ops.retries"] == [1]


def test_the_time_that_the_source_asks_for_is_granted(
    server: Wire, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("tenacity.sleep_using_event", lambda _: waited.append)
    monkeypatch.setattr("threading.Event.wait", lambda *_: True)
    server.on(
        "/f",
        say(status=429, headers={"Retry-After": "7"}),
        say(status=503, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        say(status=503, headers={"Retry-After": "soon"}),
        say(b"now"),
    )
    assert body_of(fetch(attempts=4)) == b"now"
    assert waited == [7.0, 0.0, 0.0]


def test_a_wait_too_long_for_a_task_is_left_to_airflows_retry(server: Wire, fetch: Fetch) -> None:
    server.on("/f", say(status=503, headers={"Retry-After": "86400"}))
    message = unavailable(fetch(attempts=4))
    assert message.endswith("HTTP 503 Service Unavailable; it asks to be left alone for 86400 s")
    assert len(server.requests) == 1


def test_a_source_that_stays_down_is_left_to_airflows_retry(server: Wire, fetch: Fetch) -> None:
    server.on("/f", say(status=503))
    assert "HTTP 503" in unavailable(fetch(attempts=3))
    assert len(server.requests) == 3


def test_a_post_is_sent_once_unless_it_may_be_repeated(server: Wire, fetch: Fetch) -> None:
    server.on("/f", say(status=503))
    unavailable(fetch(method="POST", json={"n": 1}))
    assert len(server.requests) == 1
    unavailable(fetch(method="POST", json={"n": 1}, attempts=2))
    assert len(server.requests) == 3


def test_a_redirect_that_is_not_followed_is_no_data(
    server: Wire, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.connect(monkeypatch, allow_redirects=False)
    server.on("/f", redirect(f"{server.url}/g?token=hunter4"))
    message = rejected(fetch())
    assert f"to {server.url}/g?token=REDACTED, which was not followed" in message


def test_a_refused_connection_names_no_secret_in_the_log(
    server: Wire, fetch: Fetch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    server.close()
    message = unavailable(fetch(query={"key": "hunter4"}, attempts=1))
    assert message == f"GET {server.url}/f?key=REDACTED: ConnectionRefusedError"
    assert "hunter4" not in "".join(capfd.readouterr()) + caplog.text


def test_a_connection_dropped_before_the_answer_is_tried_again(server: Wire, fetch: Fetch) -> None:
    server.on("/f", reset, say(b"now"))
    assert body_of(fetch()) == b"now"


def test_a_slow_answer_runs_into_the_connections_timeout(
    server: Wire, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.connect(monkeypatch, timeout=0.3)
    server.on("/f", silent)
    assert unavailable(fetch(attempts=1)).endswith("/f: TimeoutError")


@pytest.mark.parametrize(
    "arguments",
    [
        {"headers": {"X-Key": "hunter\n6"}},
        {"headers": {"X-Key": 6}},
        {"endpoint": "http://[hunter"},
    ],
    ids=["line break", "number", "no URL"],
)
def test_a_request_that_cannot_be_sent_says_so_without_its_value(
    server: Wire, fetch: Fetch, arguments: dict[str, Any]
) -> None:
    rejected(fetch(**arguments))
    assert server.requests == []


def test_an_endpoint_may_be_a_whole_url_of_the_same_origin(server: Wire, fetch: Fetch) -> None:
    server.on("/f", say(b"sunny"))
    message = rejected(fetch(endpoint="http://127.0.0.3:9/f?sig=hunter4"))
    assert "http://127.0.0.3:9/f?sig=REDACTED: on another host than connection 'source'" in message
    assert body_of(fetch(endpoint=f"{server.url}/f")) == b"sunny"


# --- Bodies that break off ------------------------------------------------------------------------

STRONG = {"ETag": '"v1"', "Accept-Ranges": "bytes"}


def test_a_body_is_resumed_where_it_broke_off(server: Wire, fetch: Fetch, statsd: Listener) -> None:
    server.on(
        "/f",
        cut(BODY, 1_500_000, STRONG),
        rest(BODY, '"v1"', stop=1_900_000),
        rest(BODY, '"v1"'),
    )
    assert body_of(fetch()) == BODY
    first, second, third = (request.headers for request in server.requests)
    assert "range" not in first
    assert (second["range"], second["if-range"]) == ("bytes=1500000-", '"v1"')
    assert third["if-range"] == '"v1"'
    assert second["authorization"] == first["authorization"]
    assert [each.value for each in statsd.ours() if each.name == "platform_ops.retries"] == [1, 1]


def test_a_body_that_stalls_is_resumed_too(
    server: Wire, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.connect(monkeypatch, timeout=0.2)
    server.on("/f", stalled(BODY, 1_500_000, STRONG), rest(BODY, '"v1"'))
    assert body_of(fetch()) == BODY


def test_a_resumption_outlives_a_server_that_is_away_for_a_moment(
    server: Wire, fetch: Fetch
) -> None:
    server.on("/f", cut(BODY, 1_500_000, STRONG), say(status=503), reset, rest(BODY, '"v1"'))
    assert body_of(fetch()) == BODY


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ETag": '"v1"'},
        {"Accept-Ranges": "bytes"},
        {"ETag": 'W/"v1"', "Accept-Ranges": "bytes"},
        {"ETag": '"v1"', "Accept-Ranges": "none"},
    ],
    ids=["nothing", "no ranges", "no etag", "weak etag", "refused ranges"],
)
def test_a_body_that_cannot_be_resumed_is_fetched_again_by_airflow(
    server: Wire, fetch: Fetch, headers: dict[str, str]
) -> None:
    server.on("/f", cut(BODY, 1_500_000, headers))
    message = unavailable(fetch(), SourceTruncated)
    assert f"broke off after 1500000 of {len(BODY)} bytes" in message
    assert "nothing of it was kept" in message
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "second",
    [say(b"another", headers={"ETag": '"v2"'}), rest(BODY, '"v2"')],
    ids=["whole", "another etag"],
)
def test_a_resource_that_changed_in_between_is_not_mixed(
    server: Wire, fetch: Fetch, second: Any
) -> None:
    server.on("/f", cut(BODY, 1_500_000, STRONG), second)
    assert "changed while it was read" in unavailable(fetch())


def test_a_body_that_breaks_off_for_ever_gives_up(server: Wire, fetch: Fetch) -> None:
    server.on("/f", cut(BODY, 1_500_000, STRONG), rest(BODY, '"v1"', stop=1 << 20))
    unavailable(fetch(attempts=2), SourceTruncated)
    assert len(server.requests) == 3


def test_a_chunked_body_is_kept_only_with_its_end(server: Wire, fetch: Fetch) -> None:
    server.on("/f", chunked(b"one", b"two", whole=False))
    unavailable(fetch(), SourceTruncated)
    server.on("/f", chunked(b"one", b"two"))
    assert body_of(fetch()) == b"onetwo"


# --- Bodies as they are ---------------------------------------------------------------------------


def test_an_empty_body_is_archived_and_counted(
    server: Wire, fetch: Fetch, statsd: Listener
) -> None:
    server.on("/f", say(b"", status=204))
    ran = fetch()
    assert body_of(ran) == b""
    assert [each.value for each in statsd.ours() if each.name == "platform_ops.empty"] == [1]


def test_an_answer_to_head_has_no_body_to_miss(server: Wire, fetch: Fetch) -> None:
    server.on("/f", say(b"12345"))
    assert body_of(fetch(method="HEAD")) == b""


def test_a_coded_body_is_archived_as_it_came(server: Wire, fetch: Fetch) -> None:
    packed = gzip.compress(b"sunny", mtime=0)
    server.on("/f", say(packed, headers={"Content-Encoding": "gzip", "Content-Type": "text/csv"}))
    ran = fetch(headers={"Accept-Encoding": "gzip"})
    assert body_of(ran) == packed
    assert server.requests[0].headers["accept-encoding"] == "gzip"
    (payload,) = archive.manifest(ran.xcom).payloads
    assert (payload.name, payload.media_type, payload.codec) == (
        "response.csv.gz",
        "text/csv",
        "gzip",
    )


def test_no_coding_is_asked_for_unless_the_author_does(server: Wire, fetch: Fetch) -> None:
    server.on("/f", say(b"sunny"))
    fetch()
    assert server.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("media_type", "name"),
    [
        ("", "response.bin"),
        ("application/json; charset=utf-8", "response.json"),
        ("APPLICATION/JSON", "response.json"),
        ("application/x-ndjson", "response.jsonl"),
        ("application/octet-stream", "response.bin"),
        ("what/ever", "response.bin"),
        ("../../etc/passwd", "response.bin"),
    ],
)
def test_the_payloads_name_follows_from_its_type(
    server: Wire, fetch: Fetch, media_type: str, name: str
) -> None:
    server.on("/f", say(b"x", headers={"Content-Type": media_type} if media_type else {}))
    assert fetch().xcom["payload_urls"][0].endswith(f"/{name}")


def test_the_origin_holds_what_was_asked_and_answered_without_secrets(
    server: Wire, fetch: Fetch
) -> None:
    headers = {"ETag": '"v1"', "Set-Cookie": "sid=hunter7", "X-Trace": "hunter8"}
    server.on("/f?day=1&api_key=hunter4", say(b"x", headers=headers))
    ran = fetch(query={"day": "1", "api_key": "hunter4"})
    (payload,) = archive.manifest(ran.xcom).payloads
    origin = payload.origin
    assert (origin.url, origin.method) == (f"{server.url}/f?day=1&api_key=REDACTED", "GET")
    assert (origin.status, origin.headers["etag"]) == (200, '"v1"')
    assert set(origin.headers) <= {"etag", "content-length", "date", "server"}


# --- Redirects ------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere() -> Iterator[Wire]:
    """Another origin: the same host on another port."""
    with wire() as other:
        other.on("/g", say(b"there"))
        yield other


def test_a_redirect_within_the_origin_keeps_the_credentials(server: Wire, fetch: Fetch) -> None:
    server.on("/f", redirect("/g"))
    server.on("/g", say(b"here"))
    assert body_of(fetch(headers={"Cookie": "sid=1"})) == b"here"
    first, second = (request.headers for request in server.requests)
    for name in ("authorization", "x-api-key", "cookie"):
        assert second[name] == first[name]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_origin_loses_every_credential(
    server: Wire, fetch: Fetch, elsewhere: Wire, status: int
) -> None:
    answer = {"Location": f"{elsewhere.url}/g", "Set-Cookie": "late=hunter9; Path=/"}
    server.on("/f", say(b"", status, answer))
    ran = fetch(headers={"Cookie": "sid=hunter4", "X-Anything": "hunter5", "Accept": "text/csv"})
    assert body_of(ran) == b"there"
    (came,) = elsewhere.requests
    assert set(came.headers) <= {"host", "accept", "accept-encoding", "user-agent"}
    assert came.headers["accept"] == "text/csv"
    assert "hunter" not in repr(came)


def test_a_redirect_to_another_name_of_the_host_is_another_origin(
    server: Wire, fetch: Fetch
) -> None:
    with wire("127.0.0.2") as other:
        other.on("/g", say(b"there"))
        server.on("/f", redirect(f"{other.url}/g"))
        assert body_of(fetch()) == b"there"
        assert "hunter" not in repr(other.requests)
        assert "authorization" not in other.requests[0].headers


def test_credentials_do_not_come_back_by_a_way_around(
    server: Wire, fetch: Fetch, elsewhere: Wire
) -> None:
    elsewhere.on("/g", redirect(f"{server.url}/h"))
    server.on("/f", redirect(f"{elsewhere.url}/g"))
    server.on("/h", say(b"back"))
    assert body_of(fetch()) == b"back"
    assert "authorization" not in server.requests[1].headers


@pytest.mark.parametrize("status", [307, 308])
def test_a_body_is_not_sent_to_another_origin(
    server: Wire, fetch: Fetch, elsewhere: Wire, status: int
) -> None:
    server.on("/f", redirect(f"{elsewhere.url}/g?sig=hunter4", status))
    message = rejected(fetch(method="POST", json={"client_secret": "hunter5"}))
    assert f"{elsewhere.url}/g?sig=REDACTED" in message
    assert elsewhere.requests == []


def test_redirects_in_a_circle_end(server: Wire, fetch: Fetch) -> None:
    server.on("/f", redirect("/g"))
    server.on("/g", redirect("/f"))
    assert "more than 30 redirects" in rejected(fetch())


@pytest.mark.parametrize("target", ["http://[hunter", "ftp://127.0.0.1/x?token=hunter4"])
def test_a_redirect_to_nowhere_is_refused(server: Wire, fetch: Fetch, target: str) -> None:
    server.on("/f", redirect(target))
    rejected(fetch())


# --- Pages ----------------------------------------------------------------------------------------


def page(body: bytes, target: str | None = None) -> Any:
    return say(body, headers={"Link": f'<{target}>; rel="next"'} if target else {})


def test_pages_are_followed_in_order(server: Wire, fetch: Fetch) -> None:
    server.on("/f", page(b"1", "/f?page=2"))
    server.on("/f?page=2", page(b"2", "?page=3"))
    server.on("/f?page=3", page(b"3"))
    ran = fetch(pagination=LinkHeader())
    assert body_of(ran) == b"123"
    names = [payload.name for payload in archive.manifest(ran.xcom).payloads]
    assert names == ["page-000001.bin", "page-000002.bin", "page-000003.bin"]
    assert all("authorization" in request.headers for request in server.requests)


def test_the_next_page_may_stand_in_the_body(server: Wire, fetch: Fetch) -> None:
    server.on("/f", say(b'{"paging": {"next": "/f?page=2"}}'))
    server.on("/f?page=2", say(b'{"paging": {"next": null}}'))
    assert body_of(fetch(pagination=JsonLink("paging.next"))).count(b"paging") == 2


@pytest.mark.parametrize("last", [b"{}", b"[]", b'{"paging": 7}', b'{"paging": {"next": ""}}'])
def test_a_page_without_a_next_one_is_the_last(server: Wire, fetch: Fetch, last: bytes) -> None:
    server.on("/f", say(last))
    assert body_of(fetch(pagination=JsonLink("paging.next"))) == last


def test_a_page_that_is_no_json_is_refused(server: Wire, fetch: Fetch) -> None:
    server.on("/f?sig=hunter4", say(b"<html>"))
    message = rejected(fetch(pagination=JsonLink("paging.next"), query={"sig": "hunter4"}))
    assert message.endswith("/f?sig=REDACTED: not JSON, so 'paging.next' leads nowhere")


def test_a_next_page_on_another_origin_is_refused(
    server: Wire, fetch: Fetch, elsewhere: Wire
) -> None:
    server.on("/f", page(b"1", f"{elsewhere.url}/g?token=hunter4"))
    message = rejected(fetch(pagination=LinkHeader()))
    assert f"the next page is on another host, {elsewhere.url}/g?token=REDACTED" in message
    assert elsewhere.requests == []


@pytest.mark.parametrize("target", ["http://[bad", "http://127.0.0.1:bad/"])
def test_a_next_page_that_is_no_url_is_refused(server: Wire, fetch: Fetch, target: str) -> None:
    server.on("/f", page(b"1", target))
    rejected(fetch(pagination=LinkHeader()))


@pytest.mark.parametrize("cursor", ["x", "a|b c", "é"], ids=["plain", "unquoted", "not ASCII"])
def test_a_cursor_that_repeats_ends_the_capture(server: Wire, fetch: Fetch, cursor: str) -> None:
    server.on("*", say(f'{{"next": "/f?cursor={cursor}"}}'.encode()))
    assert "the pages repeat" in rejected(fetch(pagination=JsonLink("next")))
    assert len(server.requests) == 2


def test_a_page_fails_and_none_is_visible(server: Wire, fetch: Fetch) -> None:
    server.on("/f", page(b"1", "/gone"))
    rejected(fetch(pagination=LinkHeader()))
    assert len(server.requests) == 2


def test_a_page_too_big_to_look_into_is_refused(
    server: Wire, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform_ops.sources.web.delivery.PAGE_LIMIT_BYTES", 1 << 20)
    server.on("/f", say(BODY))
    assert "a page past 1 MiB" in rejected(fetch(pagination=JsonLink("next")))
    assert body_of(fetch(pagination=LinkHeader())) == BODY


# --- The archive's own trouble, in a task ---------------------------------------------------------


def test_a_root_that_cannot_be_written_fails_with_advice(
    server: Wire, fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", f"file://{tmp_path}/file/archive")
    server.on("/f", say(b"sunny"))
    ran = fetch()
    assert ran.state == "failed"
    assert str(ran.error).startswith("ArchiveUnwritable: file://")
    assert "the worker's user may read and write" in str(ran.error)


def test_a_full_disk_is_retried_and_leaves_nothing(
    server: Wire, fetch: Fetch, tmp_path: Path, full_disk: None
) -> None:
    server.on("/f", say(BODY))
    ran = fetch()
    assert ran.state == "up_for_retry"
    assert "No space left on device" in str(ran.error)
    assert str(ran.error).endswith("then retry")
    assert [path for path in (tmp_path / "archive").rglob("*") if path.is_file()] == []
