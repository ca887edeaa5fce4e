"""An expiry and an erasure that are killed at every step they take."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.archive import expire_crashes
from tests.fakes.operating_system import Moment


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_at_any_call_loses_nothing_that_lives_and_the_next_run_ends_the_work(
    memory: Path, moment: Moment
) -> None:
    clean = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(1, mp_context=clean) as pool:
        schedules, violations = pool.submit(expire_crashes.kills, memory, moment).result()
    assert violations == []
    assert schedules >= 60
