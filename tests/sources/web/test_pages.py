"""Pages of every convention, within limits, one after the other and several at once."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from platform_ops import archive
from platform_ops.errors import ConfigError, SourceTruncated, SourceUnavailable
from platform_ops.sources.http import (
    ArchivingHttpOperator,
    Cursor,
    GraphQLCursor,
    JsonLink,
    Limits,
    LinkHeader,
    Next,
    Offset,
    Page,
    PageNumber,
    Pagination,
)
from tests.fakes.wire import Exchange, Reply, Wire, chunked, cut, paced, say
from tests.sources.outcomes import Fetch, body_of, rejected, unavailable

RECORDS = [{"id": number, "name": f"record {number}"} for number in range(1, 8)]


def serve(
    server: Wire, page_of: Callable[[dict[str, str], Any], tuple[Any, dict[str, str]]]
) -> None:
    """Answer every request by a function of its parameters and its JSON body."""

    def reply(exchange: Exchange) -> None:
        query = {name: each[-1] for name, each in parse_qs(urlsplit(exchange.path).query).items()}
        body = exchange.request_.body
        answer, headers = page_of(query, json.loads(body) if body else None)
        say(json.dumps(answer).encode(), headers=headers)(exchange)

    server.on("*", reply)


def asked(server: Wire) -> list[str]:
    return [request.path for request in server.requests]


def records_of(ran: Any) -> list[int]:
    """The ids in the archived pages, in the order of the pages."""
    assert ran.state == "success", ran.error
    pages = [json.loads(body.read()) for body in archive.bodies(ran.xcom)]
    return [
        each["id"] for page in pages for each in (page if isinstance(page, list) else page["items"])
    ]


# --- Conventions ----------------------------------------------------------------------------------


def by_number(query: dict[str, str], _: Any) -> tuple[Any, dict[str, str]]:
    start = (int(query["page"]) - 1) * 3
    return RECORDS[start : start + 3], {"X-Total-Pages": "3", "X-Total": str(len(RECORDS))}


@pytest.mark.parametrize(
    ("pagination", "pages"),
    [
        (PageNumber(items=""), 4),
        (PageNumber(items="", size=3), 3),
        (PageNumber(pages="header:X-Total-Pages"), 3),
        (PageNumber(total="header:X-Total", size=3), 3),
    ],
    ids=["until empty", "until short", "pages told", "records told"],
)
def test_pages_by_number_end_where_the_api_says_so(
    server: Wire, fetch: Fetch, pagination: PageNumber, pages: int
) -> None:
    serve(server, by_number)
    assert records_of(fetch(pagination=pagination)) == [1, 2, 3, 4, 5, 6, 7]
    assert asked(server) == [f"/f?page={number}" for number in range(1, pages + 1)]


def test_a_number_in_the_endpoint_is_replaced_and_other_parameters_stay(
    server: Wire, fetch: Fetch
) -> None:
    serve(server, by_number)
    ran = fetch(
        endpoint="/f?sort=id&page=1", query={"kind": "a b"}, pagination=PageNumber(items="", size=3)
    )
    assert records_of(ran) == [1, 2, 3, 4, 5, 6, 7]
    assert asked(server)[-1] == "/f?sort=id&kind=a+b&page=3"


def by_offset(query: dict[str, str], _: Any) -> tuple[Any, dict[str, str]]:
    start, size = int(query["offset"]), int(query["limit"])
    return {"items": RECORDS[start : start + size], "meta": {"total": len(RECORDS)}}, {}


@pytest.mark.parametrize(
    "pagination",
    [Offset(size=2, items="items"), Offset(size=2, total="meta.total")],
    ids=["until short", "records told"],
)
def test_pages_by_offset_end_where_the_api_says_so(
    server: Wire, fetch: Fetch, pagination: Offset
) -> None:
    serve(server, by_offset)
    assert records_of(fetch(pagination=pagination)) == [1, 2, 3, 4, 5, 6, 7]
    assert asked(server) == [f"/f?offset={start}&limit=2" for start in (0, 2, 4, 6)]


def by_cursor(query: dict[str, str], body: Any) -> tuple[Any, dict[str, str]]:
    after = int(query.get("after") or ((body or {}).get("page") or {}).get("after") or 0)
    found = RECORDS[after : after + 3]
    more = after + 3 < len(RECORDS)
    mark = {"next": str(found[-1]["id"]) if more else None}
    return {"items": found, "has_more": more, **mark}, {"X-Next": mark["next"] or ""}


@pytest.mark.parametrize(
    "pagination",
    [
        Cursor("next", "after"),
        Cursor("header:X-Next", "after"),
        Cursor("items.-1.id", "after", more="has_more"),
    ],
    ids=["mark", "header", "last record"],
)
def test_a_cursor_is_followed_to_its_end(server: Wire, fetch: Fetch, pagination: Cursor) -> None:
    serve(server, by_cursor)
    assert records_of(fetch(pagination=pagination)) == [1, 2, 3, 4, 5, 6, 7]
    assert asked(server) == ["/f", "/f?after=3", "/f?after=6"]


def test_a_cursor_may_travel_in_the_body(server: Wire, fetch: Fetch) -> None:
    serve(server, by_cursor)
    ran = fetch(
        method="POST",
        json={"filter": "all", "page": {"size": 3}},
        pagination=Cursor("next", "page.after", in_body=True),
    )
    assert records_of(ran) == [1, 2, 3, 4, 5, 6, 7]
    bodies = [json.loads(request.body) for request in server.requests]
    assert bodies[0] == {"filter": "all", "page": {"size": 3}}
    assert bodies[2] == {"filter": "all", "page": {"size": 3, "after": "6"}}
    assert {request.method for request in server.requests} == {"POST"}


def as_url(page: Page) -> str | None:
    return f"?after={page.data['next']}" if page.data["next"] else None


def as_query(page: Page) -> dict[str, str] | None:
    return {"after": page.data["next"]} if page.data["has_more"] else None


class Own(Pagination):
    def next(self, page: Page) -> Next | None:
        mark = page.find("next")
        return Next(query={"after": mark}) if mark else None


@pytest.mark.parametrize("pagination", [as_url, as_query, Own()], ids=["url", "query", "class"])
def test_a_function_or_a_class_of_ones_own_serves(
    server: Wire, fetch: Fetch, pagination: Any
) -> None:
    serve(server, by_cursor)
    assert records_of(fetch(pagination=pagination)) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("given", ["next", LinkHeader, 7])
def test_what_is_no_pagination_is_refused_with_the_file(given: Any) -> None:
    with pytest.raises(ConfigError, match="pagination= takes a value such as LinkHeader"):
        ArchivingHttpOperator(task_id="t", entity="a.b", endpoint="/", pagination=given)


@pytest.mark.parametrize(
    "build",
    [
        PageNumber,
        lambda: PageNumber(total="total"),
        lambda: Offset(size=10),
        lambda: Offset(size=0, items=""),
        lambda: Limits(concurrency=0),
        lambda: Limits(concurrency=11),
        lambda: Limits(max_pages=0),
        lambda: Limits(requests_per_s=0),
        lambda: Limits(max_bytes=-1),
    ],
)
def test_a_value_without_sense_is_refused_with_the_file(build: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        build()


# --- GraphQL --------------------------------------------------------------------------------------

QUERY = "query($after: String) { repository { issues(first: 3, after: $after) { nodes { id } } } }"


def graphql(_: dict[str, str], body: Any) -> tuple[Any, dict[str, str]]:
    assert body["query"] == QUERY
    answer, _ = by_cursor({"after": body["variables"].get("after", "")}, None)
    info = {"hasNextPage": answer["has_more"], "endCursor": answer["next"]}
    issues = {"nodes": answer["items"], "pageInfo": info}
    return {"data": {"repository": {"issues": issues}}}, {"Content-Type": "application/json"}


def ask_graphql(fetch: Fetch, **arguments: Any) -> Any:
    return fetch(
        method="POST",
        json={"query": QUERY, "variables": {"owner": "x"}},
        pagination=GraphQLCursor("repository.issues"),
        **arguments,
    )


def test_a_graphql_connection_is_read_to_its_end(server: Wire, fetch: Fetch) -> None:
    serve(server, graphql)
    ran = ask_graphql(fetch)
    assert ran.state == "success", ran.error
    pages = [json.loads(body.read()) for body in archive.bodies(ran.xcom)]
    found = [each["id"] for page in pages for each in page["data"]["repository"]["issues"]["nodes"]]
    assert found == [1, 2, 3, 4, 5, 6, 7]
    variables = [json.loads(request.body)["variables"] for request in server.requests]
    assert variables == [{"owner": "x"}, {"owner": "x", "after": "3"}, {"owner": "x", "after": "6"}]
    prints = [each.origin.fingerprint for each in archive.manifest(ran.xcom).payloads]
    assert len(set(prints)) == 3


def test_a_graphql_query_is_sent_again_although_it_is_a_post(server: Wire, fetch: Fetch) -> None:
    last = {"data": {"repository": {"issues": {"pageInfo": {"hasNextPage": False}}}}}
    server.on("/f", say(status=503), say(json.dumps(last).encode()))
    assert ask_graphql(fetch).state == "success"


def test_graphql_errors_are_errors_whatever_the_status(server: Wire, fetch: Fetch) -> None:
    fault = {
        "message": "hunter7 has no field x",
        "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"},
    }
    server.on("/f", say(json.dumps({"errors": [fault]}).encode()))
    message = rejected(ask_graphql(fetch))
    assert "GraphQL answered with 1 errors: GRAPHQL_VALIDATION_FAILED; check the query" in message
    server.on("/f", say(json.dumps({"errors": [{"type": "RATE_LIMITED"}]}).encode()))
    assert unavailable(ask_graphql(fetch)).endswith("errors: RATE_LIMITED")


def test_a_connection_that_is_not_there_is_told(server: Wire, fetch: Fetch) -> None:
    server.on("/f", say(b'{"data": {"repository": null}}'))
    assert "no pageInfo at data.repository.issues" in rejected(ask_graphql(fetch))


# --- Sources that do not end, or repeat -----------------------------------------------------------


def test_a_source_that_always_names_another_page_is_left_in_the_end(
    server: Wire, fetch: Fetch
) -> None:
    serve(
        server, lambda query, _: ({"items": [1], "next": str(int(query.get("after", 0)) + 1)}, {})
    )
    message = rejected(fetch(pagination=Cursor("next", "after"), limits=Limits(max_pages=5)))
    assert "still another page after 5; nothing was kept. A retry does not help" in message
    assert len(server.requests) == 5


def test_a_cursor_that_comes_again_in_the_body_is_seen(server: Wire, fetch: Fetch) -> None:
    serve(server, lambda _, body: ({"next": "b" if body.get("after") == "a" else "a"}, {}))
    ran = fetch(method="POST", json={}, pagination=Cursor("next", "after", in_body=True))
    assert "the pages repeat; this one came before" in rejected(ran)
    assert len(server.requests) == 3


def test_what_stands_at_the_path_must_be_a_list_and_a_number(server: Wire, fetch: Fetch) -> None:
    server.on("*", say(b'{"items": {"id": 1}, "pages": "many"}'))
    assert "no list at 'items'" in rejected(fetch(pagination=PageNumber(items="items")))
    assert "no whole number at 'pages'" in rejected(fetch(pagination=PageNumber(pages="pages")))


# --- Size -----------------------------------------------------------------------------------------


def test_a_body_that_announces_too_much_is_not_read(server: Wire, fetch: Fetch) -> None:
    sent: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(10_240):
            sent.append(number)
            yield bytes(1 << 20)

    server.on("/f", paced(pieces, 10 << 30))
    message = rejected(fetch(limits=Limits(max_bytes=10 << 10)))
    assert (
        f"announces {10 << 30} bytes, past the limit of {10 << 10} bytes; nothing was kept"
        in message
    )
    assert "A retry does not help" in message
    assert len(sent) < 64  # what the kernel's buffers took


def test_a_body_that_does_not_announce_its_length_is_left_when_it_is_over(
    server: Wire, fetch: Fetch
) -> None:
    server.on("/f", chunked(bytes(4 << 20), bytes(4 << 20)))
    assert "goes on, past the limit" in rejected(fetch(limits=Limits(max_bytes=1 << 20)))


def test_the_limit_is_of_all_pages_together(server: Wire, fetch: Fetch) -> None:
    serve(server, by_number)
    size = sum(len(json.dumps(RECORDS[start : start + 3])) for start in (0, 3, 6))
    pagination = PageNumber(items="", size=3)
    assert fetch(pagination=pagination, limits=Limits(max_bytes=size)).state == "success"
    ran = fetch(
        {"max_tries": 3, "run_id": "r"}, pagination=pagination, limits=Limits(max_bytes=size - 1)
    )
    assert "past the limit" in str(ran.error)


# --- Codings and multipart bodies -----------------------------------------------------------------


def test_coded_pages_are_looked_into_and_kept_as_they_came(server: Wire, fetch: Fetch) -> None:
    pages = [gzip.compress(json.dumps(each).encode(), mtime=0) for each in ({"next": "/g"}, {})]
    for path, body in zip(("/f", "/g"), pages, strict=True):
        server.on(path, say(body, headers={"Content-Encoding": "gzip"}))
    ran = fetch(headers={"Accept-Encoding": "gzip"}, pagination=JsonLink("next"))
    assert body_of(ran) == b"".join(pages)


@pytest.mark.parametrize(
    ("coding", "body", "fault"),
    [
        ("br", b"x", "came in the coding 'br'"),
        ("gzip", b"no gzip at all", "is no gzip, although it says so"),
        ("gzip", gzip.compress(bytes(65 << 20), 9), "unfolds into more than 64 MiB"),
    ],
    ids=["unknown", "damaged", "bomb"],
)
def test_a_coded_page_that_cannot_be_looked_into_is_refused(
    server: Wire, fetch: Fetch, coding: str, body: bytes, fault: str
) -> None:
    server.on("/f", say(body, headers={"Content-Encoding": coding}))
    assert fault in rejected(fetch(pagination=JsonLink("next")))


MULTIPART = b"--b7\r\nContent-Type: text/plain\r\n\r\none\r\n--b7\r\n\r\ntwo\r\n--b7--\r\n"


def test_a_multipart_body_is_archived_as_it_came(server: Wire, fetch: Fetch) -> None:
    server.on("/f", say(MULTIPART, headers={"Content-Type": 'multipart/mixed; boundary="b7"'}))
    ran = fetch()
    assert body_of(ran) == MULTIPART
    (payload,) = archive.manifest(ran.xcom).payloads
    assert (payload.name, payload.media_type) == (
        "response.mime",
        'multipart/mixed; boundary="b7"',
    )


def test_a_multipart_body_without_its_end_is_cut_short(server: Wire, fetch: Fetch) -> None:
    server.on("/f", say(MULTIPART[:-8], headers={"Content-Type": "multipart/mixed; boundary=b7"}))
    message = unavailable(fetch(), SourceTruncated)
    assert "a multipart body without its closing boundary" in message


# --- Pace and concurrency -------------------------------------------------------------------------


def test_requests_keep_their_distance(server: Wire, fetch: Fetch) -> None:
    came: list[float] = []

    def timed(query: dict[str, str], body: Any) -> tuple[Any, dict[str, str]]:
        came.append(time.monotonic())
        return by_number(query, body)

    serve(server, timed)
    pagination = PageNumber(pages="header:X-Total-Pages")
    fetch(pagination=pagination, limits=Limits(requests_per_s=20, concurrency=3))
    assert came[-1] - came[0] > 0.09


@pytest.fixture
def together(server: Wire) -> Callable[[int], None]:
    """Let the pages after the first wait for each other: so many have to be asked for at once."""

    def serve_together(count: int) -> None:
        barrier = threading.Barrier(count)

        def page(query: dict[str, str], body: Any) -> tuple[Any, dict[str, str]]:
            if query["offset"] != "0":
                barrier.wait(timeout=10)
            return by_offset(query, body)

        serve(server, page)

    return serve_together


def test_pages_known_in_advance_are_asked_for_at_once_and_kept_in_order(
    server: Wire, fetch: Fetch, together: Callable[[int], None]
) -> None:
    together(3)
    ran = fetch(pagination=Offset(size=1, total="meta.total"), limits=Limits(concurrency=3))
    assert records_of(ran) == [1, 2, 3, 4, 5, 6, 7]
    names = [payload.name for payload in archive.manifest(ran.xcom).payloads]
    assert names == [f"page-{number:06d}.bin" for number in range(1, 8)]


def test_no_more_pages_are_in_hand_than_may_be_at_once(server: Wire, fetch: Fetch) -> None:
    busy, most, lock = [0], [0], threading.Lock()

    def page(query: dict[str, str], body: Any) -> tuple[Any, dict[str, str]]:
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        time.sleep(0.01)
        with lock:
            busy[0] -= 1
        return by_offset(query, body)

    serve(server, page)
    fetch(pagination=Offset(size=1, total="meta.total"), limits=Limits(concurrency=2))
    assert most[0] == 2


def test_a_page_that_fails_among_many_leaves_nothing(server: Wire, fetch: Fetch) -> None:
    def reply(exchange: Exchange) -> None:
        query = {name: each[-1] for name, each in parse_qs(urlsplit(exchange.path).query).items()}
        page: Reply = say(json.dumps(by_offset(query, None)[0]).encode())
        (say(b"", 404) if query["offset"] == "3" else page)(exchange)

    server.on("*", reply)
    ran = fetch(pagination=Offset(size=1, total="meta.total"), limits=Limits(concurrency=4))
    assert "offset=3&limit=1: HTTP 404" in rejected(ran)


def test_a_page_that_breaks_off_among_many_leaves_nothing(server: Wire, fetch: Fetch) -> None:
    server.on("*", say(b'{"items": [1], "meta": {"total": 9}}'))
    server.on("/f?offset=2&limit=1", cut(b"12345", 2))
    ran = fetch(pagination=Offset(size=1, total="meta.total"), limits=Limits(concurrency=4))
    unavailable(ran, SourceTruncated)


def test_a_number_of_pages_that_is_too_big_is_not_asked_for(server: Wire, fetch: Fetch) -> None:
    server.on("*", say(b'{"items": [], "meta": {"total": 1000000000000}}'))
    ran = fetch(
        pagination=Offset(size=1, total="meta.total"), limits=Limits(concurrency=2, max_pages=9)
    )
    assert "still another page after 9" in rejected(ran)
    assert len(server.requests) <= 9


def test_a_pause_that_the_source_asks_for_holds_for_all_requests(
    server: Wire, fetch: Fetch
) -> None:
    came: list[float] = []

    def reply(exchange: Exchange) -> None:
        came.append(time.monotonic())
        query = {name: each[-1] for name, each in parse_qs(urlsplit(exchange.path).query).items()}
        if len(came) == 2:
            say(b"", 429, {"Retry-After": "1"})(exchange)
        else:
            say(json.dumps(by_offset(query, None)[0]).encode())(exchange)

    server.on("*", reply)
    ran = fetch(pagination=Offset(size=1, total="meta.total"), limits=Limits(concurrency=2))
    assert records_of(ran) == [1, 2, 3, 4, 5, 6, 7]
    assert all(later - came[1] > 0.9 for later in came[4:])


def test_concurrency_without_a_total_is_refused_with_the_file() -> None:
    with pytest.raises(ConfigError, match="needs to know the pages in advance"):
        ArchivingHttpOperator(
            task_id="t",
            entity="a.b",
            endpoint="/",
            pagination=LinkHeader(),
            limits=Limits(concurrency=2),
        )


def test_a_source_that_is_down_is_unavailable_with_many_at_once(server: Wire, fetch: Fetch) -> None:
    server.on("*", say(b"", 503))
    server.on("/f?offset=0&limit=1", say(b'{"meta": {"total": 4}}'))
    ran = fetch(
        pagination=Offset(size=1, total="meta.total"), limits=Limits(concurrency=3), attempts=2
    )
    unavailable(ran, SourceUnavailable)
