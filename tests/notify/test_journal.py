"""The memory of what was told: one step at a time, whoever else takes one."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from platform_ops.archive.stores import store
from platform_ops.errors import ArchiveUnavailable
from platform_ops.notify import incident
from platform_ops.notify.journal import Journal

NOW = datetime(2024, 3, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["disk", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> store.Store:
    if request.param == "s3":
        return store.at(f"s3://{request.getfixturevalue('s3_bucket')}/archive")
    return store.at(f"file://{tmp_path}")


def add(state: Any) -> tuple[Any, int]:
    count = int(state.get("count", 0)) + 1
    return {"count": count}, count


def test_rivals_take_one_step_each(root: store.Store) -> None:
    def steps(_: int) -> list[int]:
        memory = Journal(root, "x/y")
        return [memory.step(add) for _ in range(5)]

    with ThreadPoolExecutor(4) as pool:
        seen = [each for found in pool.map(steps, range(4)) for each in found]
    assert sorted(seen) == list(range(1, 21))
    assert Journal(root, "x/y").read() == {"count": 20}


def test_old_steps_go_and_the_number_goes_on(root: store.Store) -> None:
    memory = Journal(root, "x")
    for _ in range(40):
        memory.step(add)
    entries = root.level("notices/v1/x").entries
    assert len(entries) <= 33
    assert max(each.key for each in entries).endswith("/000000040.json")
    assert json.loads(root.read(max(each.key for each in entries)))["count"] == 40


def test_what_changes_nothing_writes_nothing(root: store.Store) -> None:
    memory = Journal(root, "x")
    assert memory.step(lambda state: (state, "same")) == "same"
    assert root.level("notices/v1/x").entries == ()


def test_who_never_gets_a_turn_says_so(tmp_path: Path) -> None:
    root = store.at(f"file://{tmp_path}")
    rival = Journal(root, "x")

    def late(state: Any) -> tuple[Any, None]:
        rival.step(add)
        return {"count": -1}, None

    with pytest.raises(ArchiveUnavailable, match="too many write here"):
        Journal(root, "x").step(late)


def test_a_failure_is_told_first_then_by_the_window_then_when_it_is_worse() -> None:
    state: Any = {}
    told = []
    for minutes in (0, 20, 50, 70, 80, 100):
        state, standing = incident.fail(
            state, NOW + timedelta(minutes=minutes), HOUR, critical_after=5
        )
        if standing.tell:
            told.append((minutes, standing.count, standing.untold, standing.severity))
    assert told == [(0, 1, 1, "error"), (70, 4, 3, "error"), (80, 5, 1, "critical")]
    state, ended = incident.recover(state)
    assert ended is not None
    assert (ended.count, ended.since_utc) == (6, NOW)
    assert incident.recover(state)[1] is None


def test_a_channel_takes_so_many_in_a_window() -> None:
    state: Any = {}
    seen = []
    for minutes in (0, 1, 2, 3, 61):
        state, one = incident.admit(state, NOW + timedelta(minutes=minutes), HOUR, 2)
        seen.append((one.admitted, one.last, one.left_out))
    assert seen == [
        (True, False, 0),
        (True, True, 0),
        (False, False, 0),
        (False, False, 0),
        (True, False, 2),
    ]
