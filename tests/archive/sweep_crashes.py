"""One sweep on disk, broken at every call to the operating system, and what the next one makes of it.

It runs in a process of its own, which forks: a fork of one that has threads might hang.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from platform_ops import archive
from platform_ops.errors import ArchiveError, PlatformError
from tests.archive.places import Disk
from tests.archive.samples import faults
from tests.archive.strays import Littered, littered, swept
from tests.fakes.operating_system import Moment, OperatingSystem


def kills(folder: Path, moment: Moment) -> tuple[int, list[str]]:
    """SIGKILL at each call in turn: how many there are, and each that broke a promise."""
    violations = []
    steps = _steps(folder)
    for step, call in enumerate(steps, start=1):
        litter = _littered(folder / str(step))
        child = os.fork()
        if not child:
            try:
                _swept(litter, OperatingSystem(at=step, moment=moment, kill=True))
            finally:
                os._exit(1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != -signal.SIGKILL:
            raise AssertionError(f"the child ended with {status}, not by SIGKILL")
        violations += [f"kill {moment} call {step} ({call}): {each}" for each in _broken(litter)]
    return len(steps), violations


def errors(folder: Path, moment: Moment, code: int) -> tuple[int, list[str]]:
    """The same with an error of the operating system in place of the kill."""
    violations = []
    steps = _steps(folder)
    for step, call in enumerate(steps, start=1):
        litter = _littered(folder / str(step))
        found = list(_tried(litter, OperatingSystem(at=step, moment=moment, error=code)))
        found += _broken(litter)
        violations += [f"{os.strerror(code)} {moment} {step} ({call}): {each}" for each in found]
    return len(steps), violations


def _steps(folder: Path) -> list[str]:
    """The calls of a sweep that nothing disturbs."""
    system = OperatingSystem()
    _swept(_littered(folder / "undisturbed"), system)
    return system.steps


def _littered(folder: Path) -> Littered:
    archive.store.at.cache_clear()
    return littered(Disk(folder))


def _swept(litter: Littered, system: OperatingSystem) -> None:
    archive.store.at.cache_clear()
    with system.installed():
        swept(litter.site)


def _tried(litter: Littered, system: OperatingSystem) -> Iterator[str]:
    try:
        _swept(litter, system)
    except ArchiveError:
        return
    except (OSError, PlatformError) as err:
        yield f"not an archive error: {err!r}"


def _broken(litter: Littered) -> Iterator[str]:
    """What is needed is whole, and the next sweep removes what is left."""
    archive.store.at.cache_clear()
    if lost := litter.needed.items() - litter.objects.items():
        yield f"gone: {sorted(key for key, _ in lost)}"
    if found := faults(litter.site):
        yield f"verify: {found}"
    swept(litter.site)
    if left := litter.left:
        yield f"not swept afterwards: {left}"
