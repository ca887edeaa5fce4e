"""Waiting for a resource: by a trigger that carries nothing, or on a worker; what ends it is archived."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, BaseSensorOperator
from airflow.sdk.exceptions import AirflowSensorTimeout

from platform_ops import archive
from platform_ops.errors import ConfigError
from platform_ops.settings import Settings
from platform_ops.sources.web.sensor import ArchivingHttpSensor
from platform_ops.testing.runner import Supervisor, TaskResult, run_dag, run_task
from tests.fakes.statsd import Listener
from tests.fakes.wire import Wire, redirect, say, silent
from tests.sources.outcomes import ENTITY, body_of, nothing_left, rejected, unavailable

SECRET = "hunter2-of-the-sensor"
REPLAY = {"platform_ops": {"replay": True}}
Watch = Callable[..., TaskResult]


def sensor(**arguments: Any) -> ArchivingHttpSensor:
    given = {"endpoint": "/f", "http_conn_id": "source", "poke_interval": 0.02}
    given |= {"timeout": 10, "retries": 2}
    with DAG("weather"):
        return ArchivingHttpSensor(task_id="wait", entity=ENTITY, **{**given, **arguments})


@pytest.fixture
def api(server: Wire, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """A resource that is there at the third look."""
    server.connect(
        monkeypatch, password=SECRET, auth="api_key", api_key_name="k", api_key_in="query"
    )
    server.on("*", say(b"", 404), say(b"", 404), say(b'{"day": 1}'))
    return server


@pytest.fixture
def watch(api: Wire, platform_archive: Settings, monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setattr("platform_ops.sources.web.delivery._BACKOFF", lambda _: 0.0)
    office = Supervisor()

    def run(run: dict[str, Any] | None = None, **arguments: Any) -> TaskResult:
        return run_task(
            sensor(**arguments), **{"at": "2024-03-05", "supervisor": office, **(run or {})}
        )

    return run


def test_what_ends_the_wait_is_archived(api: Wire, watch: Watch) -> None:
    ran = watch()
    assert body_of(ran) == b'{"day": 1}'
    assert len(api.requests) == 3
    assert list(ran.asset_events) == [ENTITY]


def test_the_waiting_is_a_triggers_that_carries_nothing(api: Wire, watch: Watch) -> None:
    waiting = watch(deferrable=True, timeout=60)
    assert waiting.state == "deferred"
    assert waiting.deferral is not None
    assert dict(waiting.deferral.arguments) == {
        "http_conn_id": "source",
        "url": f"{api.url}/f",
        "method": "GET",
        "not_yet": [404],
        "interval_s": 0.02,
    }
    assert "hunter" not in repr(waiting)
    assert list(archive.find(ENTITY)) == []
    assert waiting.deferral.fired() == {"outcome": "ready"}

    ran = watch({"resume": waiting.deferral}, deferrable=True)
    assert body_of(ran) == b'{"day": 1}'
    assert list(ran.asset_events) == [ENTITY]


def test_a_dag_waits_and_goes_on(api: Wire, watch: Watch) -> None:
    with DAG("weather") as dag:
        ArchivingHttpSensor(
            task_id="wait",
            entity=ENTITY,
            endpoint="/f",
            http_conn_id="source",
            poke_interval=0.02,
            deferrable=True,
        )
    assert run_dag(dag, at="2024-03-05").state == "success"


def test_a_trigger_that_saw_more_than_the_task_is_set_again(api: Wire, watch: Watch) -> None:
    api.on("*", say(b"", 404), say(b"1"), say(b"", 404))
    waiting = watch(deferrable=True)
    assert watch({"resume": waiting.deferral}, deferrable=True).state == "deferred"


def test_a_check_of_ones_own_decides_on_a_worker(api: Wire, watch: Watch) -> None:
    api.on("*", say(b'{"rows": 0}'), say(b'{"rows": 3}'))

    def enough(response: Any, ds: str) -> bool:
        rows: int = response.json()["rows"]
        return rows > 0 and ds == "2024-03-05"

    assert body_of(watch(response_check=enough, deferrable=True)) == b'{"rows": 3}'
    assert len(list(archive.find(ENTITY))) == 1


@pytest.mark.parametrize(
    "own",
    [{"headers": {"X-Key": SECRET}}, {"query": {"token": SECRET}}, {"method": "POST", "data": "a"}],
    ids=["headers", "secret query", "body"],
)
def test_what_may_not_be_kept_is_waited_for_on_a_worker(
    api: Wire, watch: Watch, own: dict[str, Any], tmp_path: Path
) -> None:
    ran = watch(deferrable=True, **own)
    assert body_of(ran) == b'{"day": 1}'
    files = [path for path in (tmp_path / "archive").rglob("*") if path.is_file()]
    assert not any(b"hunter" in path.read_bytes() for path in files)


def test_the_stock_sensors_arguments_are_understood(api: Wire, watch: Watch) -> None:
    api.on("*", say(b"", 503), say(b"[]"))
    ran = watch(request_params={"day": "1"}, response_error_codes_allowlist=["404", "503"])
    assert body_of(ran) == b"[]"
    assert archive.manifest(ran.xcom).payloads[0].origin.url.startswith(f"{api.url}/f?day=1")


def test_the_options_of_a_request_come_before_the_connections(api: Wire, watch: Watch) -> None:
    api.on("*", silent)
    assert "TimeoutError" in unavailable(
        watch(extra_options={"timeout": 0.1}, attempts=1, deferrable=True)
    )
    api.on("*", redirect("/elsewhere"))
    assert "HTTP 302 to /elsewhere, which was not followed" in rejected(
        watch(extra_options={"allow_redirects": False})
    )
    proxies = {"http": "http://user:hunter2-proxy@127.0.0.1:1"}
    assert "ConnectionRefusedError" in unavailable(
        watch(extra_options={"proxies": proxies}, attempts=1)
    )


def test_without_a_check_of_the_status_the_own_one_decides(api: Wire, watch: Watch) -> None:
    api.on("*", say(b"busy", 500), say(b"nothing", 404))
    ran = watch(
        extra_options={"check_response": False},
        response_check=lambda response: response.text == "nothing",
    )
    assert body_of(ran) == b"nothing"
    assert archive.manifest(ran.xcom).payloads[0].origin.status == 404


def test_rescheduling_frees_the_worker_and_counts_no_failure(
    watch: Watch, statsd: Listener
) -> None:
    assert watch(mode="reschedule").state == "up_for_reschedule"
    assert list(archive.find(ENTITY)) == []
    assert not [line for line in statsd.lines() if "failures" in line]


def test_a_retry_and_a_replay_do_not_ask(api: Wire, watch: Watch) -> None:
    first = watch()
    again = watch({"try_number": 2})
    replayed = watch({"conf": REPLAY, "run_id": "replayed"})
    assert len(api.requests) == 3
    assert first.xcom["manifest_url"] == again.xcom["manifest_url"] == replayed.xcom["manifest_url"]


def test_a_refusal_ends_the_wait(api: Wire, watch: Watch) -> None:
    api.on("*", say(b"", 403))
    assert "403" in rejected(watch())


def test_a_refusal_that_the_trigger_meets_is_told_by_the_task(api: Wire, watch: Watch) -> None:
    api.on("*", say(b"", 404), say(b"", 403))
    waiting = watch(deferrable=True)
    assert waiting.deferral is not None
    assert waiting.deferral.fired() == {"outcome": "unsure"}
    assert "403" in rejected(watch({"resume": waiting.deferral}, deferrable=True))


def test_an_answer_that_never_comes_ends_in_time(api: Wire, watch: Watch) -> None:
    api.on("*", say(b"", 404))
    ran = watch(timeout=0.05)
    assert isinstance(ran.error, AirflowSensorTimeout)
    nothing_left(ran)
    assert watch(timeout=0.05, soft_fail=True).state == "skipped"


def test_a_server_that_is_ill_is_for_airflows_retry(api: Wire, watch: Watch) -> None:
    api.on("*", say(b"", 503))
    assert "503" in unavailable(watch())


def test_it_is_a_sensor_with_the_operators_asset() -> None:
    made = sensor(mode="reschedule")
    assert isinstance(made, BaseSensorOperator)
    assert made.reschedule
    assert [str(each.name) for each in made.outlets] == [ENTITY]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mode": "replay"}, "'poke', 'reschedule'"),
        ({"conditional": True}, "conditional="),
        ({"extra_options": {"timeuot": 5}}, "has timeuot, which does not exist; right are: allow_"),
    ],
)
def test_what_makes_no_sense_is_refused_at_parse_time(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        sensor(**wrong)
