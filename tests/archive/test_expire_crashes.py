"""An expiry and an erasure that are killed, refused or left without a reply at every step they take.

Some faults of each kind; all of them, on S3 too, where ``EVERY_FAULT`` is set, as in `nox -s races`.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from platform_ops.errors import ArchiveError
from tests.archive import expire_crashes
from tests.archive.expire_crashes import Filled, broken, filled, let_go
from tests.archive.places import ObjectServer, bucket_of
from tests.archive.request_trials import killed
from tests.fakes.faulty import Fault, FaultyProxy
from tests.fakes.operating_system import Moment

EVERY = bool(os.environ.get("EVERY_FAULT"))

CALLS: list[tuple[Moment, int]] = [("before", errno.ENOSPC), ("torn", errno.ENOSPC)]
if EVERY:
    CALLS += [("before", errno.EIO), ("after", errno.EIO), ("after", errno.ENOSPC)]

REQUESTS: list[tuple[str, Fault]] = [("gcs", "lost")]
KILLS: list[tuple[str, Fault]] = [("gcs", "killed-after")]
if EVERY:
    REQUESTS += [("gcs", "500"), ("gcs", "503"), ("gcs", "429"), ("gcs", "403"), ("gcs", "refused")]
    REQUESTS += [("s3", "lost"), ("s3", "500-done"), ("s3", "403")]
    KILLS += [("gcs", "killed-before"), ("s3", "killed-after"), ("s3", "killed-before")]


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[ProcessPoolExecutor]:
    """A process without threads or open archives, which may fork."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver")) as pool:
        yield pool


@pytest.mark.parametrize("moment", ["before", "torn", *(["after"] if EVERY else [])])
def test_a_kill_at_any_call_loses_nothing_that_lives_and_the_next_run_ends_the_work(
    elsewhere: ProcessPoolExecutor, memory: Path, moment: Moment
) -> None:
    schedules, violations = elsewhere.submit(expire_crashes.ON_DISK.kills, memory, moment).result()
    assert violations == []
    assert schedules >= (5 if moment == "torn" else 60)


@pytest.mark.parametrize(("moment", "code"), CALLS)
def test_an_error_at_any_call_is_an_archive_error_and_the_next_run_ends_the_work(
    elsewhere: ProcessPoolExecutor, memory: Path, moment: Moment, code: int
) -> None:
    trial = elsewhere.submit(expire_crashes.ON_DISK.errors, memory, moment, code)
    schedules, violations = trial.result()
    assert violations == []
    assert schedules >= (5 if moment == "torn" else 60)


def test_short_writes_change_nothing(elsewhere: ProcessPoolExecutor, memory: Path) -> None:
    assert elsewhere.submit(expire_crashes.ON_DISK.narrow_writes, memory).result() == []


# --- Object stores --------------------------------------------------------------------------------


@pytest.fixture
def state(object_server: ObjectServer, proxy: FaultyProxy, bucket: str) -> Filled:
    """An archive behind the proxy, of which a part is over."""
    return filled(bucket_of(object_server, bucket))


def steps(proxy: FaultyProxy, state: Filled) -> range:
    """The requests that nothing disturbs, by number."""
    proxy.arm(None, 0)
    let_go(state.site)
    return range(1, len(proxy.seen) + 1)


@pytest.mark.parametrize(
    ("object_server", "fault"), REQUESTS, indirect=["object_server"], scope="module"
)
def test_one_fault_at_any_request_loses_nothing_and_the_next_run_ends_the_work(
    state: Filled, proxy: FaultyProxy, fault: Fault
) -> None:
    for step in steps(proxy, state):
        state.restore()
        proxy.arm(fault, step)
        with suppress(ArchiveError):
            let_go(state.site)
        line = proxy.seen[step - 1]
        proxy.arm(None, 0)
        assert list(broken(state)) == [], line


@pytest.mark.parametrize(
    ("object_server", "fault"), KILLS, indirect=["object_server"], scope="module"
)
def test_a_kill_at_any_request_loses_nothing_and_the_next_run_ends_the_work(
    state: Filled, proxy: FaultyProxy, fault: Fault
) -> None:
    for step in steps(proxy, state):
        state.restore()
        proxy.arm(fault, step)
        assert killed(proxy, let_go, state.site)
        line = proxy.seen[step - 1]
        proxy.arm(None, 0)
        assert list(broken(state)) == [], line
