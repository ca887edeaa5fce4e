"""Airflow's own ``HttpOperator`` over a connection of type ``archiving_http``."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import pytest
import tenacity
from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.http.sensors.http import HttpSensor
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowFailException

from platform_ops import archive
from platform_ops.errors import SourceTruncated, SourceUnavailable
from platform_ops.settings import Settings
from platform_ops.sources.web.hook import ArchivingHttpHook
from platform_ops.testing.runner import Supervisor, TaskResult, run_task
from tests.fakes.statsd import Listener
from tests.fakes.wire import Wire, cut, reset, say

pytestmark = pytest.mark.filterwarnings("ignore:The `airflow.utils:FutureWarning")

DAY = "2024-03-05"
REPLAY = {"platform_ops": {"replay": True}}
Stock = Callable[..., tuple[TaskResult, list[dict[str, Any]]]]


@pytest.fixture
def stock(server: Wire, platform_archive: Settings, monkeypatch: pytest.MonkeyPatch) -> Stock:
    """Run the stock operator: how it ended, and the references in its XCom key ``archive``."""
    server.connect(monkeypatch, entity="weather.forecast")

    def run(
        run: dict[str, Any] | None = None, **arguments: Any
    ) -> tuple[TaskResult, list[dict[str, Any]]]:
        given = {"endpoint": "/f", "http_conn_id": "source", "method": "GET", "retries": 2}
        with DAG("weather"):
            operator = HttpOperator(task_id="forecast", **{**given, **arguments})
        supervisor = Supervisor()
        ran = run_task(operator, at=DAY, supervisor=supervisor, **(run or {}))
        return ran, supervisor.xcoms.get(("forecast", "archive", -1), [])

    return run


def bodies(references: list[dict[str, Any]]) -> list[bytes]:
    return [archive.open(each).read() for each in references]


def test_a_coded_answer_is_archived_as_it_came_and_read_as_ever(server: Wire, stock: Stock) -> None:
    packed = gzip.compress(b'{"high": 31}', mtime=0)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    server.on("/f", say(packed, headers=headers))
    first, found = stock(response_filter=lambda response: response.json()["high"])
    assert (first.xcom, bodies(found)) == (31, [packed])
    assert archive.manifest(found[0]).payloads[0].codec == "gzip"
    replayed, _ = stock(
        {"run_id": "r", "conf": REPLAY}, response_filter=lambda found: found.json()["high"]
    )
    assert replayed.xcom == 31
    assert len(server.requests) == 1


def test_an_archived_answer_looks_like_the_one_that_came(server: Wire, stock: Stock) -> None:
    server.on(
        "/f",
        say(
            "früh".encode("latin-1"),
            203,
            {"Content-Type": "text/plain; charset=latin-1", "ETag": '"1"'},
        ),
    )

    def seen(response: Any) -> list[Any]:
        headers = {name: response.headers[name] for name in ("ETag", "content-type")}
        return [
            response.status_code,
            response.reason,
            response.ok,
            response.text,
            response.url,
            headers,
        ]

    first, _ = stock(response_filter=seen)
    replayed, _ = stock({"run_id": "r", "conf": REPLAY}, response_filter=seen)
    assert first.xcom[3] == "früh"
    assert replayed.xcom == first.xcom


def test_equal_calls_are_told_apart_by_how_often_they_were_made(server: Wire, stock: Stock) -> None:
    server.on("/f", say(b"1"), say(b"2"), say(b"3"))
    calls: list[int] = []

    def again(response: Any) -> dict[str, Any] | None:
        calls.append(1)
        return {"endpoint": "/f"} if len(calls) % 3 else None

    first, found = stock(pagination_function=again)
    assert (first.xcom, bodies(found)) == (["1", "2", "3"], [b"1", b"2", b"3"])
    keys = [archive.manifest(each).slot.map_key or "" for each in found]
    assert [key.rpartition(".")[2] for key in keys] == ["1", "2", "3"]
    assert len({key.rpartition(".")[0] for key in keys}) == 1
    replayed, _ = stock({"run_id": "r", "conf": REPLAY}, pagination_function=again)
    assert (replayed.xcom, len(server.requests)) == (first.xcom, 3)


def test_a_call_that_failed_first_moves_no_slot(server: Wire, stock: Stock) -> None:
    server.on("/f", reset, say(status=503), say(b"now"))
    retry = {
        "stop": tenacity.stop_after_attempt(3),
        "retry": tenacity.retry_if_exception_type(SourceUnavailable),
        "reraise": True,
    }
    first, found = stock(retry_args=retry)
    assert (first.xcom, bodies(found)) == ("now", [b"now"])
    replayed, again = stock({"run_id": "r", "conf": REPLAY})
    assert (replayed.xcom, again) == ("now", found)


def test_an_answer_that_is_an_error_is_not_archived(server: Wire, stock: Stock) -> None:
    server.on("/f", say(b"<html>", 404))
    ran, found = stock()
    assert (ran.state, type(ran.error)) == ("failed", AirflowFailException)
    server.on("/f", say(b"<html>", 500))
    again, also = stock()
    assert (again.state, type(again.error)) == ("up_for_retry", SourceUnavailable)
    assert (found, also, list(archive.find("weather.forecast"))) == ([], [], [])


@pytest.mark.parametrize("status", [404, 500])
def test_an_error_is_archived_where_the_author_takes_it(
    server: Wire, stock: Stock, status: int
) -> None:
    server.on("/f", say(b"<html>", status))
    given: dict[str, Any] = {
        "extra_options": {"check_response": False},
        "response_filter": lambda response: [response.status_code, response.text],
    }
    first, found = stock(**given)
    assert (first.xcom, bodies(found)) == ([status, "<html>"], [b"<html>"])
    assert archive.manifest(found[0]).payloads[0].origin.status == status
    again, _ = stock({"try_number": 2}, **given)
    assert (again.xcom, len(server.requests)) == (first.xcom, 1)


def test_a_body_cut_short_is_not_archived(server: Wire, stock: Stock) -> None:
    server.on("/f", cut(b"sunny", 2))
    ran, found = stock()
    assert (ran.state, type(ran.error), found) == ("up_for_retry", SourceTruncated, [])
    assert list(archive.find("weather.forecast")) == []


def test_the_time_to_the_first_byte_is_measured(
    server: Wire, stock: Stock, statsd: Listener
) -> None:
    server.on("/f", say(b"{}"))
    stock()
    (latency,) = [each for each in statsd.ours() if each.name == "platform_ops.source_latency"]
    assert 0 < latency.value < 60_000


def test_head_has_no_body(server: Wire, stock: Stock) -> None:
    server.on("/f", say(b"sunny", headers={"ETag": '"1"'}))
    ran, found = stock(method="HEAD", response_filter=lambda response: response.headers["etag"])
    assert (ran.xcom, bodies(found)) == ('"1"', [b""])


def test_a_body_that_was_posted_is_part_of_the_question(server: Wire, stock: Stock) -> None:
    server.on("/f", say(b"1"), say(b"2"))
    _, first = stock(method="POST", data='{"day": 1}')
    _, second = stock(method="POST", data='{"day": 2}')
    assert bodies(first) + bodies(second) == [b"1", b"2"]
    assert [request.body for request in server.requests] == [b'{"day": 1}', b'{"day": 2}']


def test_without_an_entity_the_connection_and_the_task_name_it(
    server: Wire, stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.connect(monkeypatch)
    server.on("/f", say(b"sunny"))
    _, found = stock()
    assert [each["entity"] for each in found] == ["source.forecast"]


def test_the_entity_is_not_sent_as_a_header(server: Wire, stock: Stock) -> None:
    server.on("/f", say(b"sunny"))
    stock()
    assert "entity" not in server.requests[0].headers


def test_a_wrong_entity_fails_at_once(
    server: Wire, stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.connect(monkeypatch, entity="nodot")
    ran, _ = stock()
    assert (ran.state, type(ran.error)) == ("failed", AirflowFailException)
    assert server.requests == []


def test_a_mapped_stock_operator_fills_a_slot_for_each_instance(server: Wire, stock: Stock) -> None:
    server.on("/a", say(b"a"))
    server.on("/b", say(b"b"))
    with DAG("weather"):
        mapped = HttpOperator.partial(task_id="m", http_conn_id="source", method="GET").expand(
            endpoint=["/a", "/b"]
        )
    assert [run_task(mapped, at=DAY, map_index=index).xcom for index in (0, 1)] == ["a", "b"]
    keys = [found.slot.map_key or "" for found in archive.find("weather.forecast")]
    assert [key.partition(".")[0] for key in keys] == ["0", "1"]


def test_a_tasks_own_code_archives_through_the_hook_too(server: Wire, stock: Stock) -> None:
    server.on("/f", say(b"sunny"))

    def own() -> str:
        answer: str = ArchivingHttpHook("GET", "source").run("/f").text
        return answer

    with DAG("weather"):
        called: Any = task(own)()  # Any: an XComArg, which hides its operator
    supervisor = Supervisor()
    ran = run_task(called.operator, at=DAY, supervisor=supervisor)
    assert ran.xcom == "sunny"
    assert bodies(supervisor.xcoms["own", "archive", -1]) == [b"sunny"]


def test_the_deferrable_operator_asks_from_the_triggerer_and_archives_nothing(
    server: Wire, platform_archive: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.connect(monkeypatch, password="hunter2", entity="weather.forecast", auth="basic")
    server.on("/f", say(b"sunny"))
    with DAG("weather"):
        operator = HttpOperator(
            task_id="forecast", http_conn_id="source", endpoint="/f", method="GET", deferrable=True
        )
    waiting = run_task(operator, at=DAY)
    ran = run_task(operator, at=DAY, resume=waiting.deferral)
    assert ran.xcom == "sunny"
    assert list(archive.find("weather.forecast")) == []
    (asked,) = server.requests
    # Airflow's asynchronous hook sends every field of the extra that it does not know.
    assert (asked.headers["entity"], asked.headers["auth"]) == ("weather.forecast", "basic")


def test_the_stock_sensor_makes_its_own_hook_and_archives_nothing(
    server: Wire, platform_archive: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.connect(monkeypatch, entity="weather.forecast")
    server.on("/f", say(b"sunny"))
    with DAG("weather"):
        sensor = HttpSensor(task_id="there", http_conn_id="source", endpoint="/f")
    assert run_task(sensor, at=DAY).state == "success"
    assert list(archive.find("weather.forecast")) == []
