"""A commit on disk that is killed, or meets an error, at every call to the operating system."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.archive import disk_crashes
from tests.fakes.operating_system import Moment


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[ProcessPoolExecutor]:
    """A process without threads or open archives, which may fork."""
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as pool:
        yield pool


@pytest.mark.parametrize("over", [False, True], ids=["empty", "over-another"])
@pytest.mark.parametrize("moment", ["before", "after", "torn"])
def test_a_kill_at_any_call_leaves_all_or_nothing_and_a_retry_commits_once(
    elsewhere: ProcessPoolExecutor, memory: Path, moment: Moment, over: bool
) -> None:
    report = elsewhere.submit(disk_crashes.kills, memory, moment, over=over).result()
    assert report.violations == []
    assert report.schedules >= {"before": 200, "after": 70, "torn": 6}[moment]


@pytest.mark.parametrize("over", [False, True], ids=["empty", "over-another"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=errno.errorcode.get)
def test_an_error_at_any_call_is_an_archive_error_and_a_retry_commits_once(
    elsewhere: ProcessPoolExecutor, memory: Path, code: int, moment: Moment, over: bool
) -> None:
    report = elsewhere.submit(disk_crashes.errors, memory, moment, code, over=over).result()
    assert report.violations == []
    assert report.schedules >= 70


def test_short_writes_change_nothing(elsewhere: ProcessPoolExecutor, memory: Path) -> None:
    assert elsewhere.submit(disk_crashes.narrow_writes, memory).result() == []
