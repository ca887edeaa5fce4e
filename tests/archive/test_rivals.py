"""Writers at once on one slot: every revision is somebody's, none is lost, none is doubled.

Eight of them for ten rounds, or as many as ``RIVALS`` and ``RIVAL_ROUNDS`` say: `nox -s races` lets
sixteen meet a hundred times.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier

import pytest

from platform_ops import archive
from platform_ops.errors import ArchiveConflict
from platform_ops.settings import OnExisting, Settings
from tests.archive.places import Place, place_of, settings_of
from tests.archive.samples import commit, faults, part, run, slot

WRITERS = int(os.environ.get("RIVALS", "8"))
ROUNDS = int(os.environ.get("RIVAL_ROUNDS", "10"))
STORES = ("AWS_", "AZURE_", "GOOGLE_")
"""Beginnings of the variables that tell a client where its store is."""

_clean = multiprocessing.get_context("forkserver")
_start: Barrier


@dataclass(frozen=True)
class Ended:
    """What a writer says of its commit: outcome and revision, or the conflict's message."""

    writer: int
    outcome: str
    revision: int
    conflict: str = ""


@pytest.fixture(scope="module")
def writers() -> Iterator[ProcessPoolExecutor]:
    """Processes that start together, as a barrier lets them."""
    barrier = _clean.Barrier(WRITERS)
    with ProcessPoolExecutor(
        WRITERS, mp_context=_clean, initializer=_remember, initargs=(barrier,)
    ) as pool:
        yield pool


@pytest.fixture(params=["disk", "s3", "gcs"])
def place(request: pytest.FixtureRequest, memory: Path) -> Place:
    return place_of(request, memory / "archive")


def _remember(barrier: Barrier) -> None:
    global _start  # noqa: PLW0603  # a barrier reaches a pool's process at its start only
    _start = barrier


def _write(
    environment: dict[str, str], settings: Settings, writer: int, body: bytes, day: int
) -> Ended:
    os.environ.update(environment)
    session = archive.session(slot(day), run(f"run-{writer}"), settings=settings)
    try:
        _start.wait(60)
        with session:
            if session.commit is None:
                session.write(part(iter([body[:3], body[3:]])))
                if session.pack:
                    session.write(part(b"of all", "page-0002.json"))
    except ArchiveConflict as err:
        return Ended(writer, "conflict", 0, str(err))
    assert session.commit is not None
    return Ended(writer, session.commit.outcome.value, session.commit.manifest.revision)


def race(
    pool: ProcessPoolExecutor, settings: Settings, bodies: list[bytes], day: int
) -> list[Ended]:
    environment = {name: value for name, value in os.environ.items() if name.startswith(STORES)}
    tasks = [
        pool.submit(_write, environment, settings, writer, body, day)
        for writer, body in enumerate(bodies)
    ]
    return [task.result() for task in tasks]


def held(settings: Settings, day: int) -> list[tuple[str, bytes]]:
    """Run and body of every revision, oldest first; the numbers must be 1, 2, 3 …"""
    store = archive.root(settings)
    found = list(archive.revisions(slot(day), settings))[::-1]
    assert [each.revision for each in found] == list(range(1, len(found) + 1))
    return [(each.run.run_id, store.read(each.payloads[0].key)) for each in found]


def test_revise_keeps_every_writers_bytes_once(place: Place, writers: ProcessPoolExecutor) -> None:
    settings = settings_of(place)
    bodies = [b"body %d" % number for number in range(WRITERS)]
    for day in range(ROUNDS):
        ended = race(writers, settings, bodies, day)
        assert sorted(each.revision for each in ended) == list(range(1, WRITERS + 1))
        assert {each.outcome for each in ended} == {"created"}
        by_revision = sorted(ended, key=lambda each: each.revision)
        assert held(settings, day) == [(f"run-{e.writer}", bodies[e.writer]) for e in by_revision]
    assert faults(settings) == []


def test_packs_of_rivals_are_whole_each_with_its_own_list(
    place: Place, writers: ProcessPoolExecutor
) -> None:
    settings = Settings.model_validate(
        {
            "archive": {"root": place.root},
            "sources": {"weather": {"entities": {"forecast": {"pack": True}}}},
        }
    )
    bodies = [b"body %d" % (number // 2) for number in range(WRITERS)]
    for day in range(3):
        ended = race(writers, settings, bodies, day)
        wrote = {f"run-{each.writer}": bodies[each.writer] for each in ended}
        for found in archive.revisions(slot(day), settings):
            held = [body.read() for body in archive.bodies(found, settings)]
            assert held == [wrote[found.run.run_id], b"of all"]
    assert faults(settings) == []


def test_equal_bytes_are_adopted_and_committed_once_in_a_race(
    place: Place, writers: ProcessPoolExecutor
) -> None:
    """A writer that lists before the first commit adopts it; one that comes later shares its payload."""
    settings = settings_of(place)
    for day in range(ROUNDS):
        ended = race(writers, settings, [b"the same"] * WRITERS, day)
        counted = Counter(each.outcome for each in ended)
        assert counted["created"] == 1
        assert counted["created"] + counted["adopted"] + counted["unchanged"] == WRITERS
        rows = held(settings, day)
        assert len(rows) == counted["created"] + counted["unchanged"]
        assert {body for _, body in rows} == {b"the same"}
        assert len({each.payloads[0].key for each in archive.revisions(slot(day), settings)}) == 1
    assert faults(settings) == []


@pytest.mark.parametrize("policy", ["reuse", "fail"])
def test_reuse_and_fail_let_one_writer_through(
    place: Place, writers: ProcessPoolExecutor, policy: OnExisting
) -> None:
    settings = settings_of(place, on_existing=policy)
    bodies = [b"body %d" % number for number in range(WRITERS)]
    losing = {"conflict"} if policy == "fail" else {"adopted", "reused"}
    for day in range(ROUNDS):
        ended = race(writers, settings, bodies, day)
        (winner,) = [each for each in ended if each.outcome == "created"]
        losers = [each for each in ended if each is not winner]
        assert {each.outcome for each in losers} <= losing
        assert held(settings, day) == [(f"run-{winner.writer}", bodies[winner.writer])]
        if policy == "fail":
            assert all(
                f"revision 1 of run 'run-{winner.writer}'" in each.conflict for each in losers
            )
    assert faults(settings) == []


def test_two_tries_of_one_run_commit_once_whatever_they_fetched(place: Place) -> None:
    """A worker that was given up for dead, and its successor, both reach the end."""
    settings = settings_of(place)
    first = archive.session(slot(), run(), settings=settings)
    second = archive.session(slot(), run(try_number=2), settings=settings)
    with first, second:
        first.write(part(b"from the lost worker"))
        second.write(part(b"from its successor"))
    assert second.commit is not None
    assert first.commit is not None
    assert first.commit.reference == second.commit.reference
    assert [body for _, body in held(settings, 0)] == [b"from its successor"]


def test_who_loses_to_a_rival_continues_its_chain(place: Place) -> None:
    settings = settings_of(place)
    slow = archive.session(slot(), run("slow"), settings=settings)
    with slow:
        slow.write(part(b"slow"))
        for number in range(3):
            commit(settings, part(b"%d" % number), by=run(f"rival-{number}"))
    assert slow.commit is not None
    assert (slow.commit.manifest.revision, slow.commit.conflicts) == (4, 3)
    assert [body for _, body in held(settings, 0)] == [b"0", b"1", b"2", b"slow"]
    assert faults(settings) == []
