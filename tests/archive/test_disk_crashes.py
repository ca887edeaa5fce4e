"""A commit on disk that is killed, or meets an error, at every call to the operating system."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.archive import disk_crashes
from tests.archive.disk_crashes import How
from tests.fakes.operating_system import Moment

SLOTS = [
    pytest.param("alone", False, id="empty"),
    pytest.param("alone", True, id="over-another"),
    pytest.param("packed", True, id="packed-over-another"),
]


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[ProcessPoolExecutor]:
    """A process without threads or open archives, which may fork."""
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as pool:
        yield pool


@pytest.mark.parametrize(("how", "over"), SLOTS)
@pytest.mark.parametrize("moment", ["before", "after", "torn"])
def test_a_kill_at_any_call_leaves_all_or_nothing_and_a_retry_commits_once(
    elsewhere: ProcessPoolExecutor, memory: Path, moment: Moment, how: How, over: bool
) -> None:
    report = elsewhere.submit(disk_crashes.kills, memory, moment, how, over=over).result()
    assert report.violations == []
    assert report.schedules >= {"before": 150, "after": 60, "torn": 6}[moment]


@pytest.mark.parametrize(("how", "over"), SLOTS)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=errno.errorcode.get)
def test_an_error_at_any_call_is_an_archive_error_and_a_retry_commits_once(
    elsewhere: ProcessPoolExecutor, memory: Path, code: int, moment: Moment, how: How, over: bool
) -> None:
    report = elsewhere.submit(disk_crashes.errors, memory, moment, how, code, over=over).result()
    assert report.violations == []
    assert report.schedules >= 60


@pytest.mark.parametrize("moment", ["after", "torn"])
def test_what_is_compressed_on_the_way_is_no_worse_off(
    elsewhere: ProcessPoolExecutor, memory: Path, moment: Moment
) -> None:
    report = elsewhere.submit(disk_crashes.kills, memory, moment, "gzip", over=True).result()
    assert report.violations == []


@pytest.mark.parametrize("how", disk_crashes.HOW)
def test_short_writes_change_nothing(
    elsewhere: ProcessPoolExecutor, memory: Path, how: How
) -> None:
    assert elsewhere.submit(disk_crashes.narrow_writes, memory, how).result() == []
