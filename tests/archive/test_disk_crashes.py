"""A commit on disk that is killed, or meets an error, at every call to the operating system."""

from __future__ import annotations

import errno
import shutil
import tempfile
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


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where that is possible: an fsync costs nothing there, and the calls are the same."""
    memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else tmp_path))
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("over", [False, True], ids=["empty", "over-another"])
@pytest.mark.parametrize("moment", ["before", "after", "torn"])
def test_a_kill_at_any_call_leaves_all_or_nothing_and_a_retry_commits_once(
    elsewhere: ProcessPoolExecutor, folder: Path, moment: Moment, over: bool
) -> None:
    report = elsewhere.submit(disk_crashes.kills, folder, moment, over=over).result()
    assert report.violations == []
    assert report.schedules >= {"before": 200, "after": 70, "torn": 6}[moment]


@pytest.mark.parametrize("over", [False, True], ids=["empty", "over-another"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=errno.errorcode.get)
def test_an_error_at_any_call_is_an_archive_error_and_a_retry_commits_once(
    elsewhere: ProcessPoolExecutor, folder: Path, code: int, moment: Moment, over: bool
) -> None:
    report = elsewhere.submit(disk_crashes.errors, folder, moment, code, over=over).result()
    assert report.violations == []
    assert report.schedules >= 70


def test_short_writes_change_nothing(elsewhere: ProcessPoolExecutor, folder: Path) -> None:
    assert elsewhere.submit(disk_crashes.narrow_writes, folder).result() == []
