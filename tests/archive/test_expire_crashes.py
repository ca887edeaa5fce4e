"""Expiry, erasure, and that of one body, killed, refused or left without a reply at every step they take.

Some faults of each kind; all of them, on S3 too, where ``EVERY_FAULT`` is set, as in `nox -s crashes`.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest

from platform_ops.errors import ArchiveError
from tests.archive import excise_crashes, expire_crashes
from tests.archive.expire_crashes import Filled
from tests.archive.places import ObjectServer, bucket_of
from tests.archive.request_trials import killed
from tests.fakes.faulty import Fault, FaultyProxy
from tests.fakes.operating_system import Moment

EVERY = bool(os.environ.get("EVERY_FAULT"))

CALLS: list[tuple[Moment, int]] = [("torn", errno.ENOSPC)]
if EVERY:
    CALLS += [
        ("before", errno.ENOSPC),
        ("before", errno.EIO),
        ("after", errno.EIO),
        ("after", errno.ENOSPC),
    ]

REQUESTS: list[tuple[str, Fault]] = [("gcs", "lost")]
KILLS: list[tuple[str, Fault]] = [("gcs", "killed-after")]
if EVERY:
    REQUESTS += [("gcs", "500"), ("gcs", "503"), ("gcs", "429"), ("gcs", "403"), ("gcs", "refused")]
    REQUESTS += [("s3", "lost"), ("s3", "500-done"), ("s3", "403")]
    KILLS += [("gcs", "killed-before"), ("s3", "killed-after"), ("s3", "killed-before")]


@pytest.fixture(params=[expire_crashes, excise_crashes], ids=["whole", "one-body"])
def what(request: pytest.FixtureRequest) -> ModuleType:
    """What is broken off, and how what is left of it is looked at."""
    module: ModuleType = request.param
    return module


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[ProcessPoolExecutor]:
    """A process without threads or open archives, which may fork."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver")) as pool:
        yield pool


@pytest.mark.parametrize("moment", ["before", "torn", *(["after"] if EVERY else [])])
def test_a_kill_at_any_call_loses_nothing_that_lives_and_the_next_run_ends_the_work(
    elsewhere: ProcessPoolExecutor, memory: Path, what: ModuleType, moment: Moment
) -> None:
    schedules, violations = elsewhere.submit(what.ON_DISK.kills, memory, moment).result()
    assert violations == []
    assert schedules >= (5 if moment == "torn" else 60)


@pytest.mark.parametrize(("moment", "code"), CALLS)
def test_an_error_at_any_call_is_an_archive_error_and_the_next_run_ends_the_work(
    elsewhere: ProcessPoolExecutor, memory: Path, what: ModuleType, moment: Moment, code: int
) -> None:
    trial = elsewhere.submit(what.ON_DISK.errors, memory, moment, code)
    schedules, violations = trial.result()
    assert violations == []
    assert schedules >= (5 if moment == "torn" else 60)


def test_short_writes_change_nothing(
    elsewhere: ProcessPoolExecutor, memory: Path, what: ModuleType
) -> None:
    assert elsewhere.submit(what.ON_DISK.narrow_writes, memory).result() == []


# --- Object stores --------------------------------------------------------------------------------


@pytest.fixture
def state(object_server: ObjectServer, proxy: FaultyProxy, bucket: str, what: ModuleType) -> Filled:
    """An archive behind the proxy, of which a part is over."""
    filled: Filled = what.filled(bucket_of(object_server, bucket))
    return filled


def steps(proxy: FaultyProxy, state: Filled, what: ModuleType) -> range:
    """The requests that nothing disturbs, by number."""
    proxy.arm(None, 0)
    what.let_go(state.site)
    return range(1, len(proxy.seen) + 1)


@pytest.mark.parametrize(
    ("object_server", "fault"), REQUESTS, indirect=["object_server"], scope="module"
)
def test_one_fault_at_any_request_loses_nothing_and_the_next_run_ends_the_work(
    state: Filled, proxy: FaultyProxy, fault: Fault, what: ModuleType
) -> None:
    for step in steps(proxy, state, what):
        state.restore()
        proxy.arm(fault, step)
        with suppress(ArchiveError):
            what.let_go(state.site)
        line = proxy.seen[step - 1]
        proxy.arm(None, 0)
        assert list(what.broken(state)) == [], line


@pytest.mark.parametrize(
    ("object_server", "fault"), KILLS, indirect=["object_server"], scope="module"
)
def test_a_kill_at_any_request_loses_nothing_and_the_next_run_ends_the_work(
    state: Filled, proxy: FaultyProxy, fault: Fault, what: ModuleType
) -> None:
    for step in steps(proxy, state, what):
        state.restore()
        proxy.arm(fault, step)
        assert killed(proxy, what.let_go, state.site)
        line = proxy.seen[step - 1]
        proxy.arm(None, 0)
        assert list(what.broken(state)) == [], line
