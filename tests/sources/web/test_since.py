"""Asking only for what is new: since a watermark, and whether a resource has changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from platform_ops import archive
from platform_ops.errors import ConfigError
from platform_ops.settings import Settings
from platform_ops.sources.http import ArchivingHttpOperator, LinkHeader, Since
from platform_ops.testing.runner import Supervisor, run_task
from tests.fakes.statsd import Listener
from tests.fakes.wire import Exchange, Wire, say
from tests.sources.outcomes import ENTITY, Fetch, body_of, rejected

SINCE = Since(path="items.*.at", parameter="since", first="2024-01-01")
REPLAY = {"platform_ops": {"replay": True}}


@pytest.fixture
def days(fetch: Fetch) -> Callable[..., Any]:
    """Run one day after the other, over one Airflow."""
    office = Supervisor()

    def run(day: int, *, supervisor: Supervisor | None = None, **arguments: Any) -> Any:
        given = {"at": f"2024-03-{day:02d}", "supervisor": supervisor or office}
        return fetch({**given, **arguments.pop("run", {})}, **arguments)

    return run


def page(*times: object, target: str | None = None) -> Any:
    headers = {"Link": f'<{target}>; rel="next"'} if target else {}
    return say(json.dumps({"items": [{"at": each} for each in times]}).encode(), headers=headers)


def asked(server: Wire) -> list[str]:
    return [request.path for request in server.requests]


# --- Since a watermark ----------------------------------------------------------------------------


def test_each_capture_goes_on_from_where_the_one_before_ended(
    server: Wire, days: Callable[..., Any]
) -> None:
    server.on("*", page("2024-03-01", "2024-03-03", "2024-03-02"), page("2024-03-05"), page())
    first, *_ = [days(day, since=SINCE) for day in (1, 2, 3, 4)]
    assert archive.manifest(first.xcom).watermark == "2024-03-03"
    assert asked(server) == [
        "/f?since=2024-01-01",
        "/f?since=2024-03-03",
        "/f?since=2024-03-05",
        "/f?since=2024-03-05",
    ]
    assert [each.watermark for each in archive.find(ENTITY)][-1] == "2024-03-05"


def test_without_a_first_value_the_first_capture_takes_all(
    server: Wire, days: Callable[..., Any]
) -> None:
    server.on("*", page("2024-03-01"))
    for day in (1, 2):
        days(day, since=Since(path="items.*.at", parameter="since"))
    assert asked(server) == ["/f", "/f?since=2024-03-01"]


def test_the_highest_of_all_pages_counts_and_numbers_are_numbers(
    server: Wire, days: Callable[..., Any]
) -> None:
    server.on("/f?since=8", page(9, 100, target="/g"))
    server.on("/g", page(11))
    ran = days(
        1, since=Since(path="items.*.at", parameter="since", first="8"), pagination=LinkHeader()
    )
    assert archive.manifest(ran.xcom).watermark == "100"


def test_a_watermark_may_stand_in_a_header_and_travel_in_the_body(
    server: Wire, days: Callable[..., Any]
) -> None:
    server.on("*", say(b"x", headers={"X-Sequence": "17"}))
    since = Since(path="header:X-Sequence", parameter="filter.after", in_body=True)
    for day in (1, 2):
        days(day, method="POST", json={"filter": {"kind": "all"}}, since=since)
    bodies = [json.loads(request.body) for request in server.requests]
    assert bodies == [
        {"filter": {"kind": "all"}},
        {"filter": {"kind": "all", "after": "17"}},
    ]


def test_a_lost_state_store_costs_nothing(server: Wire, days: Callable[..., Any]) -> None:
    server.on("*", page("2024-03-01"))
    days(1, since=SINCE)
    days(2, since=SINCE, supervisor=Supervisor())
    assert asked(server)[1] == "/f?since=2024-03-01"


def test_each_mapped_instance_goes_on_from_where_it_ended_itself(
    server: Wire, days: Callable[..., Any]
) -> None:
    server.on("*", page("2024-03-09"), page("2024-03-02"), page(), page())
    for day in (1, 2):
        for name in ("a", "b"):
            days(day, endpoint=f"/{name}", map_key=name, since=SINCE)
    assert asked(server) == [
        "/a?since=2024-01-01",
        "/b?since=2024-01-01",
        "/a?since=2024-03-09",
        "/b?since=2024-03-02",
    ]


def test_what_airflow_keeps_of_a_key_holds_where_the_archive_is_another(
    server: Wire, days: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.on("*", page("2024-03-09"), page("2024-03-02"), page(), page())
    for day in (1, 2):
        for name in ("a", "b"):
            days(day, endpoint=f"/{name}", map_key=name, since=SINCE)
        monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", f"file://{tmp_path}/another")
    assert asked(server)[2:] == ["/a?since=2024-03-09", "/b?since=2024-03-02"]


def test_an_expanded_task_keeps_its_parts_apart_by_key(
    server: Wire, platform_archive: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.connect(monkeypatch)
    server.on("*", page("2024-03-09"), page("2024-03-02"), page(), page())
    office, pages = Supervisor(), [{"endpoint": f"/{each}", "map_key": each} for each in "ab"]
    with DAG("weather"):
        fixed = {"entity": ENTITY, "http_conn_id": "source", "since": SINCE}
        mapped = ArchivingHttpOperator.partial(task_id="each", **fixed).expand_kwargs(pages)
    for at in ("2024-03-01", "2024-03-02"):
        for index in (0, 1):
            assert run_task(mapped, at=at, map_index=index, supervisor=office).state == "success"
    assert asked(server)[2:] == ["/a?since=2024-03-09", "/b?since=2024-03-02"]


def test_a_slot_that_is_filled_again_asks_from_where_it_began(
    server: Wire, days: Callable[..., Any]
) -> None:
    server.on("*", page("2024-03-01"), page("2024-03-02"), page("2024-03-03"), page())
    for day in (1, 2):
        days(day, since=SINCE)
    days(1, since=SINCE, run={"run_id": "cleared"})
    days(3, since=SINCE)
    assert asked(server)[2:] == ["/f?since=2024-01-01", "/f?since=2024-03-02"]


def test_a_capture_that_fails_moves_no_watermark(server: Wire, days: Callable[..., Any]) -> None:
    server.on("*", page("2024-03-09", target="/gone"))
    server.on("/gone", say(b"", 404))
    assert days(1, since=SINCE, pagination=LinkHeader()).state == "failed"
    server.on("*", page("2024-03-02"))
    days(2, since=SINCE)
    assert asked(server)[-1] == "/f?since=2024-01-01"


def test_what_can_be_no_watermark_is_refused(server: Wire, days: Callable[..., Any]) -> None:
    server.on("*", page({"hunter": 1}))
    assert "neither text nor number at 'items.*.at'" in rejected(days(1, since=SINCE))


def test_a_replay_of_an_incremental_capture_warns_of_nothing(
    server: Wire, days: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    server.on("*", page("2024-03-01"))
    days(1, since=SINCE)
    caplog.clear()
    again = days(1, since=SINCE, run={"run_id": "r", "conf": REPLAY})
    assert (again.state, len(server.requests)) == ("success", 1)
    assert "asks for something else now" not in caplog.text


# --- Whether it has changed -----------------------------------------------------------------------

VALIDATORS = {"ETag": '"v1"', "Last-Modified": "Tue, 05 Mar 2024 00:00:00 GMT"}


def versioned(body: bytes, etag: str = '"v1"') -> Any:
    """The body, or 304 for those who have it."""

    def reply(exchange: Exchange) -> None:
        known = exchange.request_.headers.get("if-none-match") == etag
        answer = say(b"", 304) if known else say(body, headers={**VALIDATORS, "ETag": etag})
        answer(exchange)

    return reply


def test_what_has_not_changed_makes_no_revision(
    server: Wire, days: Callable[..., Any], statsd: Listener
) -> None:
    server.on("/f", versioned(b"sunny"))
    first, second = (days(day, conditional=True) for day in (1, 2))
    assert second.state == "success"
    assert second.xcom == first.xcom
    assert (second.asset_events, second.asset_names) == ({}, ())
    assert len(list(archive.find(ENTITY))) == 1
    assert [each.value for each in statsd.ours() if each.name == "platform_ops.unchanged"] == [1]
    asked_for = server.requests[1].headers
    assert asked_for["if-none-match"] == '"v1"'
    assert asked_for["if-modified-since"] == VALIDATORS["Last-Modified"]


def test_what_has_changed_is_a_revision_as_ever(server: Wire, days: Callable[..., Any]) -> None:
    server.on("/f", versioned(b"sunny"))
    days(1, conditional=True)
    server.on("/f", versioned(b"rain", '"v2"'))
    assert body_of(days(2, conditional=True)) == b"rain"
    assert len(list(archive.find(ENTITY))) == 2


def test_another_question_is_asked_without_conditions(
    server: Wire, days: Callable[..., Any]
) -> None:
    server.on("/f", versioned(b"sunny"))
    days(1, conditional=True)
    server.on("/f?unit=f", versioned(b"hot"))
    assert body_of(days(2, conditional=True, query={"unit": "f"})) == b"hot"
    assert "if-none-match" not in server.requests[1].headers


def test_each_mapped_instance_has_its_own_revision(server: Wire, days: Callable[..., Any]) -> None:
    server.on("/a", versioned(b"a"))
    server.on("/b", versioned(b"b"))
    for day in (1, 2):
        for name in ("a", "b"):
            ran = days(day, endpoint=f"/{name}", map_key=name, conditional=True)
            assert body_of(ran) == name.encode()
    assert len(list(archive.find(ENTITY))) == 2


def test_a_revision_without_validators_is_fetched_again(
    server: Wire, days: Callable[..., Any]
) -> None:
    server.on("/f", say(b"sunny"))
    assert [body_of(days(day, conditional=True)) for day in (1, 2)] == [b"sunny", b"sunny"]


def test_what_was_erased_is_fetched_again(server: Wire, days: Callable[..., Any]) -> None:
    server.on("/f", versioned(b"sunny"))
    first = days(1, conditional=True)
    archive.erase(archive.manifest(first.xcom).slot, reason="asked for", by="me", delete=True)
    assert body_of(days(2, conditional=True)) == b"sunny"
    assert "if-none-match" not in server.requests[1].headers


def test_not_modified_is_no_answer_to_a_plain_question(
    server: Wire, days: Callable[..., Any]
) -> None:
    server.on("/f", say(b"", 304))
    assert "HTTP 304, nothing has changed, although nobody asked" in rejected(days(1))
    assert "HTTP 304, nothing has changed, although nobody asked" in rejected(
        days(1, conditional=True)
    )


@pytest.mark.parametrize("other", [{"pagination": LinkHeader()}, {"since": SINCE}])
def test_conditions_and_pages_do_not_go_together(other: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="conditional=True asks whether one resource has changed"):
        ArchivingHttpOperator(task_id="t", entity="a.b", endpoint="/", conditional=True, **other)
