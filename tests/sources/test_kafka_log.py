"""What a topic's log may look like: deleted from its front, compacted, with transactions given up or open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from platform_ops import archive
from platform_ops.errors import SourceRejected
from platform_ops.settings import Settings
from platform_ops.sources.kafka import ArchivingKafkaOperator
from platform_ops.testing.runner import TaskResult, run_task
from tests.fakes.kafka import TOPIC, Broker, broker

ENTITY = "shop.orders"


@pytest.fixture
def log(platform_archive: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    with broker() as running:
        connection = {"conn_type": "kafka", "extra": running.connection()}
        monkeypatch.setenv("AIRFLOW_CONN_SOURCE", json.dumps(connection))
        yield running


def capture(day: int, **given: Any) -> TaskResult:  # Any: the operator's own
    with DAG("stream"):
        task = ArchivingKafkaOperator(
            task_id="orders",
            entity=ENTITY,
            kafka_config_id="source",
            topics=[TOPIC],
            **{"retries": 2, "timeout_s": 5.0, **given},
        )
    return run_task(task, at=f"2024-03-{day:02d}")


def rows(ran: TaskResult) -> list[tuple[int, str]]:
    assert ran.state == "success", ran.error
    found = [row for batch in archive.batches(ran.xcom) for row in batch.to_pylist()]
    return [(row["offset"], row["value"].decode()) for row in found]


def refusal(ran: TaskResult) -> str:
    assert ran.state == "failed", ran
    assert isinstance(ran.error, AirflowFailException)
    assert isinstance(ran.error.__cause__, SourceRejected)
    return str(ran.error)


def test_each_record_once_and_the_group_after_it(log: Broker) -> None:
    log.append(b"a", b"b")
    assert rows(capture(1)) == [(0, "a"), (1, "b")]
    assert log.committed == 2
    log.append(b"c")
    assert rows(capture(2)) == [(2, "c")]
    assert log.committed == 3


def test_records_deleted_before_they_were_archived_are_a_gap(log: Broker) -> None:
    log.append(b"a", b"b")
    capture(1)
    log.append(b"c", b"d")
    log.append(b"e")
    log.start = 4
    said = refusal(capture(2))
    assert f"{TOPIC}[0]: records 2 to 3 were deleted before they were archived" in said
    assert "on_gap='accept' once, at 4" in said
    assert log.committed == 2
    assert rows(capture(2, on_gap="accept")) == [(4, "e")]
    assert log.committed == 5


def test_records_deleted_after_they_were_archived_are_no_gap(log: Broker) -> None:
    log.append(b"a", b"b")
    capture(1)
    log.append(b"c")
    log.start = 2
    assert rows(capture(2)) == [(2, "c")]


def test_records_that_the_group_has_read_and_the_topic_deleted_are_a_gap(log: Broker) -> None:
    log.append(b"a", b"b")
    log.append(b"c")
    log.committed, log.start = 1, 2
    assert "records 1 to 1 were deleted" in refusal(capture(1))


def test_a_log_that_was_cut_off_behind_what_is_archived_is_told(log: Broker) -> None:
    log.append(b"a", b"b")
    capture(1)
    log.log = []
    log.append(b"z")
    said = refusal(capture(2))
    assert "ends at 1, and 2 was archived: it was made anew or cut off" in said
    assert [row for ran in archive.find(ENTITY) for row in [ran.rows]] == [2]


def test_records_deleted_while_they_are_read_leave_nothing(log: Broker) -> None:
    for each in (b"a", b"b", b"c"):
        log.append(each)
    log.starts_after = {2: 3}
    said = refusal(capture(1))
    assert "records were deleted while they were read; see on_gap=" in said
    assert (list(archive.find(ENTITY)), log.committed) == ([], -1)
    log.append(b"d")
    assert rows(capture(1, on_gap="accept")) == [(3, "d")]


def test_offsets_that_compaction_took_are_passed_over(log: Broker) -> None:
    log.append(None, b"b", None, None)
    log.append(None, None)
    log.append(b"g", None)
    assert rows(capture(1)) == [(1, "b"), (6, "g")]
    assert log.committed == 8, "past the record that is missing at the end"
    log.append(None, b"j")
    assert rows(capture(2)) == [(9, "j")]


def test_a_limit_stands_between_compacted_records(log: Broker) -> None:
    log.append(None, b"b", None, b"d")
    assert rows(capture(1, max_records=1)) == [(1, "b")]
    assert log.committed == 2
    assert rows(capture(2)) == [(3, "d")]


def test_a_transaction_that_was_given_up_is_not_archived(log: Broker) -> None:
    log.append(b"a", producer=7)
    log.mark("commit", 7)
    log.append(b"given up", b"this too", producer=7)
    log.mark("abort", 7)
    log.aborted = [(7, 2)]
    log.append(b"plain")
    assert rows(capture(1)) == [(0, "a"), (5, "plain")]
    assert log.committed == 6


def test_a_batch_that_ends_in_marks_goes_on_after_them(log: Broker) -> None:
    log.append(b"a", producer=7)
    log.mark("commit", 7)
    assert rows(capture(1)) == [(0, "a")]
    assert log.committed == 2, "past the mark, so that nobody sees a lag"
    log.append(b"b", producer=7)
    log.mark("commit", 7)
    assert rows(capture(2)) == [(2, "b")]


def test_nothing_but_marks_and_what_was_given_up_is_nothing_new(log: Broker) -> None:
    log.append(b"a")
    assert rows(capture(1)) == [(0, "a")]
    log.append(b"given up", producer=7)
    log.mark("abort", 7)
    log.aborted = [(7, 1)]
    assert capture(2).state == "skipped"
    assert log.committed == 3
    log.append(b"b")
    assert rows(capture(3)) == [(3, "b")]


def test_an_open_transaction_is_waited_for(log: Broker) -> None:
    log.append(b"a")
    log.append(b"not yet", producer=7)
    log.append(b"behind it")
    log.stable = 1
    assert rows(capture(1)) == [(0, "a")]
    assert log.committed == 1
    log.mark("commit", 7)
    log.stable = None
    assert rows(capture(2)) == [(1, "not yet"), (2, "behind it")]


def test_a_group_with_members_is_told_once_all_is_safe(log: Broker) -> None:
    log.append(b"a")
    log.members = True
    ran = capture(1)
    assert ran.state == "failed"
    assert "the group has other members; give this task a group of its own" in str(ran.error)
    log.append(b"b")
    log.members = False
    assert rows(capture(2)) == [(1, "b")], "nothing twice, nothing lost"
    assert [each.rows for each in archive.find(ENTITY)] == [1, 1]
