"""A commit in an object store that is killed, refused or left without a reply at every request it makes."""

from __future__ import annotations

from contextlib import suppress
from itertools import count

import pytest

from platform_ops import archive
from platform_ops.archive import Outcome
from platform_ops.archive.stores import store
from platform_ops.errors import ArchiveConflict, ArchiveError, ArchiveUnavailable, ArchiveUnwritable
from platform_ops.settings import ArchiveSettings, OnExisting, Settings
from tests.archive.request_trials import killed
from tests.archive.samples import commit, faults, part, run, slot
from tests.fakes.faulty import Fault, FaultyProxy

SMALL = ((b"first page", b"second page"), (b"other bytes", b"second page"))
BIG = ((b"x" * (9 << 20),), (b"other bytes",))
ANSWERS: list[Fault] = ["500", "503", "429", "412", "409", "403", "404", "500-done"]
BREAKS: list[Fault] = ["refused", "lost", "halved"]
KILLS: list[Fault] = ["killed-before", "killed-after"]

_numbers = count(1)

Bodies = tuple[bytes, ...]


def new_site(
    bucket: str, over: bool = False, on_existing: OnExisting = "revise", pack: bool = False
) -> Settings:
    """An archive of its own; ``over``: the slot holds another run's revision, one part the same."""
    root = f"{bucket}/{next(_numbers)}"
    site = Settings.model_validate(
        {
            "archive": {"root": root, "on_existing": on_existing},
            "sources": {"weather": {"entities": {"forecast": {"pack": pack}}}},
        }
    )
    if over:
        commit(site, part(b"before", "0"), part(b"second page", "1"), by=run("another"))
    return site


def attempt(site: Settings, bodies: Bodies, try_number: int = 1) -> Outcome:
    parts = [part(body, str(number)) for number, body in enumerate(bodies)]
    return commit(site, *parts, by=run(try_number=try_number)).outcome


def held(site: Settings, over: bool) -> list[Bodies]:
    """The payloads of the run's own revisions, oldest first."""
    found = list(archive.revisions(slot(), site))[::-1][int(over) :]
    return [tuple(body.read() for body in archive.bodies(one, site)) for one in found]


def requests(proxy: FaultyProxy, site: Settings, bodies: Bodies) -> list[str]:
    """The requests of a commit that nothing disturbs."""
    proxy.arm(None, 0)
    attempt(site, bodies)
    return list(proxy.seen)


def check_retries(site: Settings, over: bool, bodies: Bodies, others: Bodies) -> None:
    """All or nothing is visible; a retry makes it one whole revision, a second one adopts it."""
    assert faults(site) == []
    visible = held(site, over)
    assert visible in ([], [bodies])
    retried = attempt(site, others, try_number=2)
    assert retried is (Outcome.ADOPTED if visible else Outcome.CREATED)
    assert attempt(site, bodies, try_number=3) is Outcome.ADOPTED
    assert held(site, over) == (visible or [others])
    assert faults(site) == []


def on_each_path(all_faults: list[Fault], of_multipart: list[Fault]) -> pytest.MarkDecorator:
    """Two small parts, the same over another run's revision, packed, and a body of several uploads."""
    small = [pytest.param(each, SMALL, False, False, id=f"{each}-small") for each in all_faults]
    over = [
        pytest.param(each, SMALL, True, False, id=f"{each}-over-another") for each in all_faults
    ]
    packed = [pytest.param(each, SMALL, True, True, id=f"{each}-packed") for each in of_multipart]
    big = [pytest.param(each, BIG, False, False, id=f"{each}-multipart") for each in of_multipart]
    return pytest.mark.parametrize(
        ("fault", "bodies", "over", "pack"), [*small, *over, *packed, *big]
    )


@on_each_path([*ANSWERS, *BREAKS], ["500", "404", "409", "lost"])
def test_one_fault_at_any_request_leaves_all_or_nothing(
    bucket: str,
    proxy: FaultyProxy,
    fault: Fault,
    bodies: tuple[Bodies, Bodies],
    over: bool,
    pack: bool,
) -> None:
    lines = requests(proxy, new_site(bucket, over, pack=pack), bodies[0])
    for step, line in enumerate(lines, start=1):
        site = new_site(bucket, over, pack=pack)
        proxy.arm(fault, step)
        # What a person must mend is not worth a retry; all else is.
        expected = ArchiveUnwritable if fault == "403" else ArchiveUnavailable
        with suppress(expected):
            assert attempt(site, bodies[0]) is Outcome.CREATED, line
        proxy.arm(None, 0)
        check_retries(site, over, *bodies)


@on_each_path(KILLS, KILLS)
def test_a_kill_at_any_request_leaves_all_or_nothing(
    bucket: str,
    proxy: FaultyProxy,
    fault: Fault,
    bodies: tuple[Bodies, Bodies],
    over: bool,
    pack: bool,
) -> None:
    lines = requests(proxy, new_site(bucket, over, pack=pack), bodies[0])
    for step in range(1, len(lines) + 1):
        site = new_site(bucket, over, pack=pack)
        proxy.arm(fault, step)
        assert killed(proxy, attempt, site, bodies[0])
        proxy.arm(None, 0)
        check_retries(site, over, *bodies)


# --- What the client mends by itself --------------------------------------------------------------


@pytest.mark.parametrize("fault", ["500", "503", "refused", "500-done", "lost"])
def test_a_passing_fault_is_mended_within_the_try(
    bucket: str, proxy: FaultyProxy, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost reply is retried only where that is safe: not on the put of the manifest."""
    lines = requests(proxy, new_site(bucket), SMALL[0])
    monkeypatch.setenv("PLATFORM_OPS_STORE_ATTEMPTS", "3")
    for step in range(1, len(lines) + 1):
        site = new_site(bucket)
        store.opened.cache_clear()
        proxy.arm(fault, step)
        creates = "templates/" in lines[step - 1] or lines[step - 1].endswith(".json")
        if fault == "refused" and creates and lines[step - 1].startswith("PUT"):
            continue  # nothing tells it from a lost reply: the try fails, as the matrix above has it
        assert attempt(site, SMALL[0]) is Outcome.CREATED, lines[step - 1]
        proxy.arm(None, 0)
        check_retries(site, False, *SMALL)


@pytest.mark.parametrize("fault", ["lost", "500-done", "409", "412"])
def test_a_doubtful_reply_to_the_manifest_is_settled_by_reading(
    bucket: str, proxy: FaultyProxy, fault: Fault
) -> None:
    lines = requests(proxy, new_site(bucket), SMALL[0])
    assert lines[-1].endswith("/000001.json")
    site = new_site(bucket)
    proxy.arm(fault, len(lines))
    assert attempt(site, SMALL[0]) is Outcome.CREATED
    assert held(site, over=False) == [SMALL[0]]


@pytest.mark.parametrize("policy", ["revise", "reuse", "fail"])
def test_a_rival_after_a_lost_reply_does_not_take_the_commit_away(
    bucket: str, proxy: FaultyProxy, policy: OnExisting
) -> None:
    lines = requests(proxy, new_site(bucket), SMALL[0])
    site = new_site(bucket, on_existing=policy)
    proxy.arm("killed-after", len(lines))
    assert killed(proxy, attempt, site, SMALL[0])
    proxy.arm(None, 0)
    try:
        commit(site, part(b"a rival's"), by=run("rival"))
    except ArchiveConflict:
        assert policy == "fail"
    assert attempt(site, SMALL[1], try_number=2) is Outcome.ADOPTED
    mine = [each for each in archive.revisions(slot(), site) if each.run.run_id == run().run_id]
    assert [each.revision for each in mine] == [1]
    assert len(held(site, over=False)) == (2 if policy == "revise" else 1)


def test_a_store_that_never_decides_is_unavailable(bucket: str, proxy: FaultyProxy) -> None:
    lines = requests(proxy, new_site(bucket), SMALL[0])
    site = new_site(bucket)
    proxy.arm("409", len(lines), times=1000)
    with pytest.raises(ArchiveError, match=r"retry later|409") as caught:
        attempt(site, SMALL[0])
    assert caught.value.retryable
    proxy.arm(None, 0)
    check_retries(site, False, *SMALL)


@pytest.mark.parametrize("fault", ["refused", "halved", "500", "503", "404", "403", "409", "412"])
def test_a_fault_while_reading_is_an_archive_error(
    bucket: str, proxy: FaultyProxy, fault: Fault
) -> None:
    site = new_site(bucket)
    done = commit(site, part(b"0123456789" * 1000))
    for step in (1, 2):
        proxy.arm(fault, step)
        with pytest.raises(ArchiveError):
            archive.open(done.reference, settings=site).read()
        proxy.arm(None, 0)
    assert len(archive.open(done.reference, settings=site).read()) == 10_000


def test_a_missing_bucket_is_said_at_once(bucket: str) -> None:
    scheme = bucket.partition("://")[0]
    site = Settings(archive=ArchiveSettings(root=f"{scheme}://no-such-bucket/x"))
    with pytest.raises(ArchiveUnwritable) as caught:
        commit(site)
    assert str(caught.value) == (
        f"{scheme}://no-such-bucket/x/meta/v1/weather/forecast/dt=2024-03-05/at=000000Z: no such bucket; "
        "make it, or correct archive.root"
    )
