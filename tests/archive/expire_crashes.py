"""One expiry and one erasure on disk, killed at every call, and what the next run makes of them.

It runs in a process of its own, which forks: a fork of one that has threads might hang.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from platform_ops import archive
from platform_ops.errors import Removed
from platform_ops.settings import Settings
from tests.archive.places import Disk
from tests.archive.samples import aged, commit, faults, part, run, slot
from tests.fakes.operating_system import Moment, OperatingSystem


def kills(folder: Path, moment: Moment) -> tuple[int, list[str]]:
    """SIGKILL at each call in turn: how many there are, and each that broke a promise."""
    system = OperatingSystem()
    _let_go(_filled(folder / "undisturbed"), system)
    violations = []
    for step, call in enumerate(system.steps, start=1):
        site = _filled(folder / str(step))
        child = os.fork()
        if not child:
            try:
                _let_go(site, OperatingSystem(at=step, moment=moment, kill=True))
            finally:
                os._exit(1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != -signal.SIGKILL:
            raise AssertionError(f"the child ended with {status}, not by SIGKILL")
        violations += [f"kill {moment} call {step} ({call}): {each}" for each in _broken(site)]
    return len(system.steps), violations


def _filled(folder: Path) -> Settings:
    """Two revisions that are over, of which the first shares a payload with one that is not."""
    archive.store.at.cache_clear()
    entities = {"forecast": {"retention_days": 30}}
    plain = {
        "archive": {"root": Disk(folder).root},
        "sources": {"weather": {"entities": entities}},
    }
    site = Settings.model_validate(plain)
    with aged(days=40):
        commit(site, part(b"sunny", "a"), part(b"mild", "b"))
        commit(site, part(b"windy"), at=slot(1))
    commit(site, part(b"rainy", "a"), part(b"mild", "b"), by=run("manual-2"))
    commit(site, part(b"secret"), at=slot(2))
    return site


def _let_go(site: Settings, system: OperatingSystem) -> None:
    archive.store.at.cache_clear()
    with system.installed():
        _work(site)


def _work(site: Settings) -> None:
    list(archive.expire(delete=True, pause=timedelta(0), settings=site))
    archive.erase(slot(2), reason="request 4711", by="privacy", delete=True, settings=site)


def _broken(site: Settings) -> Iterator[str]:
    """What lives is whole, and the next run ends the work."""
    archive.store.at.cache_clear()
    newest = archive.newest(slot(), settings=site)
    if archive.open(archive.refer(newest, site), settings=site).read() != b"rainymild":
        yield "a revision that lives lost a payload"
    # Halfway between tombstone and redaction is told; nothing else is wrong at any moment.
    if found := [each for each in faults(site) if not each.startswith("tombstone ")]:
        yield f"verify: {found}"
    _work(site)
    if found := faults(site):
        yield f"verify afterwards: {found}"
    for day in (1, 2):
        gone = archive.newest(slot(day), settings=site)
        try:
            archive.open(archive.refer(gone, site), settings=site).read()
        except Removed:
            continue
        yield f"still there afterwards: {gone.slot}"
    left = sum(1 for _ in archive.root(site).entries("data"))
    if left != 2:
        yield f"{left} payloads are left, where two are needed"
