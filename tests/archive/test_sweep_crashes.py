"""A sweep that is killed, refused or left without a reply at every step it takes."""

from __future__ import annotations

import errno
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from platform_ops.archive.stores import store
from platform_ops.errors import ArchiveError
from tests.archive import sweep_crashes
from tests.archive.places import Bucket
from tests.archive.request_trials import killed
from tests.archive.samples import faults
from tests.archive.strays import Littered, littered, swept
from tests.fakes.faulty import Fault, FaultyProxy, faulty_proxy
from tests.fakes.operating_system import Moment
from tests.fakes.s3 import S3Server


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[ProcessPoolExecutor]:
    """A process without threads or open archives, which may fork."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver")) as pool:
        yield pool


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_at_any_call_loses_nothing_and_the_next_sweep_ends_the_work(
    elsewhere: ProcessPoolExecutor, memory: Path, moment: Moment
) -> None:
    schedules, violations = elsewhere.submit(sweep_crashes.ON_DISK.kills, memory, moment).result()
    assert violations == []
    assert schedules >= 60


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES], ids=errno.errorcode.get)
def test_an_error_at_any_call_loses_nothing(
    elsewhere: ProcessPoolExecutor, memory: Path, code: int, moment: Moment
) -> None:
    schedules, violations = elsewhere.submit(
        sweep_crashes.ON_DISK.errors, memory, moment, code
    ).result()
    assert violations == []
    assert schedules >= 60


# --- S3 -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proxy(s3_server: S3Server) -> Iterator[FaultyProxy]:
    with faulty_proxy(s3_server.url) as running:
        yield running


@pytest.fixture
def litter(
    s3_server: S3Server, s3_bucket: str, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> Littered:
    """Strays in a bucket behind the proxy, for a client that asks each thing once."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    store.opened.cache_clear()
    proxy.arm(None, 0)
    return littered(Bucket(s3_server, s3_bucket))


def steps(proxy: FaultyProxy, litter: Littered) -> int:
    """How many requests a sweep makes that nothing disturbs."""
    proxy.arm(None, 0)
    assert swept(litter.site) == (litter.strays, [])
    return len(proxy.seen)


def check_next_sweep(litter: Littered) -> None:
    assert litter.needed.items() <= litter.objects.items()
    assert faults(litter.site) == []
    swept(litter.site)
    assert litter.left == []


@pytest.mark.parametrize("fault", ["500", "403", "404", "lost", "halved"])
def test_one_fault_at_any_request_loses_nothing(
    litter: Littered, proxy: FaultyProxy, fault: Fault
) -> None:
    failed = 0
    for step in range(1, steps(proxy, litter) + 1):
        litter.soil()
        proxy.arm(fault, step)
        try:
            swept(litter.site)
        except ArchiveError:
            failed += 1
        proxy.arm(None, 0)
        check_next_sweep(litter)
    assert failed > 5


@pytest.mark.parametrize("fault", ["killed-before", "killed-after"])
def test_a_kill_at_any_request_loses_nothing(
    litter: Littered, proxy: FaultyProxy, fault: Fault
) -> None:
    for step in range(1, steps(proxy, litter) + 1):
        litter.soil()
        proxy.arm(fault, step)
        assert killed(proxy, swept, litter.site)
        proxy.arm(None, 0)
        check_next_sweep(litter)
