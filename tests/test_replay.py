"""Replay where something changed since: told, and never made up for by asking the source."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from platform_ops import archive
from platform_ops.archive.records.tombstones import Tombstone, tombstone_key
from platform_ops.archive.stores.store import put_once
from platform_ops.entity import Reference
from platform_ops.settings import Settings
from platform_ops.sources.http import ArchivingHttpOperator
from platform_ops.testing.runner import TaskResult, run_task
from tests.fakes.wire import Wire, say

pytestmark = pytest.mark.filterwarnings("ignore:The `airflow.utils:FutureWarning")

DAY = "2024-03-05"
REPLAY = {"platform_ops": {"replay": True}}
Run = Callable[..., TaskResult]


@pytest.fixture
def ours(server: Wire, platform_archive: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    server.connect(monkeypatch)
    for path in ("/f", "/f?station=EWX", f"/f?on={DAY}"):
        server.on(path, say(b"sunny"))

    def run(at: str = DAY, conf: Any = None, run_id: str = "first", **arguments: Any) -> TaskResult:
        given = {"endpoint": "/f", "http_conn_id": "source", "entity": "weather.forecast"}
        with DAG("weather"):
            operator = ArchivingHttpOperator(task_id="forecast", **{**given, **arguments})
        return run_task(operator, at=at, conf=conf, run_id=run_id)

    return run


@pytest.fixture
def stock(server: Wire, platform_archive: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    server.connect(monkeypatch, entity="weather.forecast")
    for path in ("/f", "/f?station=EWX", f"/f?on={DAY}"):
        server.on(path, say(b"sunny"))

    def run(conf: Any = None, run_id: str = "first", **arguments: Any) -> TaskResult:
        given = {"endpoint": "/f", "http_conn_id": "source", "method": "GET"}
        with DAG("weather"):
            operator = HttpOperator(task_id="forecast", **{**given, **arguments})
        return run_task(operator, at=DAY, conf=conf, run_id=run_id)

    return run


def test_an_operator_whose_request_changed_says_so_and_replays(
    server: Wire, ours: Run, caplog: pytest.LogCaptureFixture
) -> None:
    first = ours(query={"station": "EWX"})
    asked = len(server.requests)
    with caplog.at_level(logging.WARNING):
        same = ours(conf=REPLAY, run_id="replay", query={"station": "EWX"})
    assert "asks for something else now" not in caplog.text
    with caplog.at_level(logging.WARNING):
        changed = ours(conf=REPLAY, run_id="replay", query={"station": "OKX"})
    assert same.xcom == changed.xcom == first.xcom
    assert (
        f"replayed weather.forecast {DAY}T00:00:00Z, revision 1, which answers GET {server.url}/f?"
        "station=EWX: this task asks for something else now"
    ) in caplog.text
    assert len(server.requests) == asked


def test_another_slots_replay_is_no_change_of_the_request(
    ours: Run, caplog: pytest.LogCaptureFixture
) -> None:
    ours(query={"on": "{{ ds }}"})
    conf = {"platform_ops": {"replay": {"time": f"{DAY}T00:00Z"}}}
    with caplog.at_level(logging.WARNING):
        assert ours("2030-01-01", conf, "replay", query={"on": "{{ ds }}"}).state == "success"
    assert "asks for something else now" not in caplog.text


def test_a_replay_needs_no_connection(ours: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ours()
    monkeypatch.delenv("AIRFLOW_CONN_SOURCE")
    assert ours(conf=REPLAY, run_id="replay").xcom == first.xcom


def test_a_stock_operator_whose_request_changed_is_refused_with_what_was_asked_then(
    server: Wire, stock: Run
) -> None:
    stock(data={"station": "EWX"})
    asked = len(server.requests)
    missed = stock(REPLAY, "replay", data={"station": "OKX"})
    assert isinstance(missed.error, AirflowFailException)
    message = str(missed.error)
    assert f"(GET {server.url}/f?station=EWX)" in message
    assert (
        f"the task asks for GET {server.url}/f?station=OKX, which was not asked then as often: the "
        "task or its pages have changed since"
    ) in message
    assert len(server.requests) == asked


def test_a_miss_names_the_other_keys_of_that_time(ours: Run) -> None:
    for key in "abcdefg":
        ours(map_key=key, run_id=key)
    missed = ours(conf=REPLAY, run_id="replay", map_key="z")
    assert "archived at that time are: map=a (GET http" in str(missed.error)
    assert str(missed.error).endswith("and 2 more")
    alone = ours("2024-03-09", REPLAY, "replay")
    assert str(alone.error).endswith("; nothing else of the entity is archived at that time")


def test_a_revision_whose_payloads_were_removed_is_refused_at_once(
    server: Wire, ours: Run, platform_archive: Settings
) -> None:
    reference = Reference.from_dict(ours().xcom)
    found = archive.manifest(reference)
    now = datetime(2024, 4, 1, tzinfo=UTC)
    stone = Tombstone(
        found.slot, 1, "expired", "30 days", "keeper", now, 5, reference.manifest_sha256
    )
    store = archive.root(platform_archive)
    key = tombstone_key(reference.manifest_url.removeprefix(f"{store.url}/"))
    put_once(store, key, stone.to_json())
    asked = len(server.requests)
    missed = ours(conf=REPLAY, run_id="replay")
    assert isinstance(missed.error, AirflowFailException)
    assert "revision 1 was expired on 2024-04-01 00:00Z by keeper: 30 days" in str(missed.error)
    assert len(server.requests) == asked


def test_a_mixed_backfill_replays_what_is_archived_and_refuses_or_fetches_the_rest(
    server: Wire, ours: Run
) -> None:
    days = [f"2024-03-0{day}" for day in range(1, 6)]
    archived = {day: ours(day, run_id=f"first-{day}").xcom for day in days[1::2]}
    asked = len(server.requests)

    replayed = {day: ours(day, REPLAY, f"backfill-{day}") for day in days}
    assert {day: ran.xcom for day, ran in replayed.items() if ran.state == "success"} == archived
    refused = {day: ran.error for day, ran in replayed.items() if ran.state == "failed"}
    assert list(refused) == days[0::2]
    for day, error in refused.items():
        assert isinstance(error, AirflowFailException)  # at once: no retry would find more
        assert f"NotArchived: weather.forecast {day}T00:00:00Z" in str(error)
    assert len(server.requests) == asked

    auto = {"platform_ops": {"mode": "auto"}}
    fetched = {day: ours(day, auto, f"backfill-{day}").xcom for day in refused}
    assert len(server.requests) == asked + len(refused)
    again = {day: ours(day, REPLAY, f"second-{day}").xcom for day in days}
    assert again == archived | fetched
    assert len(server.requests) == asked + len(refused)
