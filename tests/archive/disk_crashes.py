"""One commit on disk, broken at every call to the operating system, and what a retry makes of it.

It runs in a process of its own, which forks: a fork of one that has threads might hang.
"""

from __future__ import annotations

import os
import pickle
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from platform_ops import archive
from platform_ops.archive import Outcome
from platform_ops.archive.stores import store
from platform_ops.entity import Manifest, RunIdentity
from platform_ops.errors import ArchiveError, PlatformError
from platform_ops.settings import Settings
from tests.archive.samples import commit, faults, part, run, slot
from tests.fakes.operating_system import Moment, Names, OperatingSystem

BODIES: Final = (b"first page " * 400, b"second page")
OTHER: Final = (b"other bytes", b"second page")
RETRIES: Final[dict[str, tuple[RunIdentity, tuple[bytes, bytes]]]] = {
    "same try": (run(), BODIES),
    "next try": (run(try_number=2), BODIES),
    "next try, other bytes": (run(try_number=2), OTHER),
}


How = Literal["alone", "packed", "gzip"]
HOW: Final[dict[How, dict[str, object]]] = {
    "alone": {},
    "packed": {"pack": True, "codec": "gzip"},
    "gzip": {"codec": "gzip"},
}
"""What the entity's settings say of how its bodies are stored."""


@dataclass(frozen=True)
class Report:
    """How many schedules ran, and each that broke a promise."""

    schedules: int
    violations: list[str]


def kills(folder: Path, moment: Moment, how: How, *, over: bool) -> Report:
    """SIGKILL at each call in turn; then each kind of retry.

    After a call the disk is as before the next one: there, one kind of retry is enough.

    :param over: The slot holds another run's revision, with one of the two bodies.
    """
    violations, schedules = [], 0
    steps = _steps(folder, how, over)
    for name, (identity, bodies) in list(RETRIES.items())[-1 if moment == "after" else 0 :]:
        for step, call in enumerate(steps, start=1):
            if moment == "torn" and call != "write":
                continue
            site = _site(folder, f"{name} {step}", how, over)
            names = _killed(site, step, moment)
            found = [*_half_visible(site, over), *_after_retry(site, over, identity, bodies, names)]
            violations += [f"kill {moment} call {step} ({call}), {name}: {each}" for each in found]
            schedules += 1
    return Report(schedules, violations)


def errors(folder: Path, moment: Moment, how: How, code: int, *, over: bool) -> Report:
    """The same with an error of the operating system in place of the kill."""
    violations = []
    steps = _steps(folder, how, over)
    for step, call in enumerate(steps, start=1):
        site = _site(folder, str(step), how, over)
        system = OperatingSystem(at=step, moment=moment, error=code)
        found = [
            *_tried(site, system),
            *_half_visible(site, over),
            *_after_retry(site, over, run(try_number=2), OTHER, system.names),
        ]
        violations += [
            f"{os.strerror(code)} {moment} call {step} ({call}): {each}" for each in found
        ]
    return Report(len(steps), violations)


def narrow_writes(folder: Path, how: How) -> list[str]:
    """Every write takes a single byte, as near a full disk."""
    site = _site(folder, "narrow", how, over=False)
    found = _tried(site, OperatingSystem(narrow=True))
    return [*found, *([] if _bodies(site) == [BODIES] else ["a short write changed the bytes"])]


def _steps(folder: Path, how: How, over: bool) -> list[str]:
    """The calls of a commit that nothing disturbs."""
    system = OperatingSystem()
    _commit(_site(folder, "undisturbed", how, over), run(), BODIES, system)
    return system.steps


def _site(folder: Path, name: str, how: How, over: bool) -> Settings:
    root = folder / name
    if over:
        base = folder / "base"
        if not base.exists():
            parts = [part(b"before", "a"), part(BODIES[1], "b")]
            commit(_settings(base, how), *parts, by=run("another"))
        shutil.copytree(base, root)
    store.opened.cache_clear()  # what one process knows of folders, the next does not
    return _settings(root, how)


def _settings(root: Path, how: How) -> Settings:
    return Settings.model_validate(
        {
            "archive": {"root": f"file://{root}"},
            "sources": {"weather": {"entities": {"forecast": HOW[how]}}},
        }
    )


def _commit(
    site: Settings, identity: RunIdentity, bodies: tuple[bytes, bytes], system: OperatingSystem
) -> Outcome:
    with system.installed():
        parts = [part(body, name) for body, name in zip(bodies, "ab", strict=True)]
        return commit(site, *parts, by=identity).outcome


def _killed(site: Settings, step: int, moment: Moment) -> Names:
    """Commit in a child that dies at a step; which names it left that a power failure would take."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        put = os.write  # the real one: last words are no step

        def last_words(names: Names) -> None:
            put(writer, pickle.dumps(names))

        try:
            system = OperatingSystem(at=step, moment=moment, kill=True, last_words=last_words)
            _commit(site, run(), BODIES, system)
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        words = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != -signal.SIGKILL:
        raise AssertionError(f"the child ended with {status}, not by SIGKILL")
    names: Names = pickle.loads(words)
    return names


def _half_visible(site: Settings, over: bool) -> Iterator[str]:
    """A crash leaves nothing visible or everything."""
    store.opened.cache_clear()
    if found := faults(site):
        yield f"verify before the retry: {found}"
    visible = _bodies(site)[int(over) :]
    if visible not in ([], [BODIES]):
        yield f"{visible!r} is visible"


def _after_retry(
    site: Settings, over: bool, identity: RunIdentity, bodies: tuple[bytes, bytes], names: Names
) -> Iterator[str]:
    """A retry leaves one revision of the run, whole, and nothing that a power failure could take."""
    store.opened.cache_clear()
    committed = _bodies(site)[int(over) :]
    lost: list[str] = []
    system = OperatingSystem(names=names)
    system.at_link = lambda path: lost.extend(_unsafe(path, system.names))
    outcome = _commit(site, identity, bodies, system)
    if found := faults(site):
        yield f"verify after the retry: {found}"
    held = _bodies(site)[int(over) :]
    if held != (committed or [bodies]):
        yield f"the run has {len(held)} revisions, or other bytes"
    if outcome is not (Outcome.ADOPTED if committed else Outcome.CREATED):
        yield f"outcome {outcome}"
    if not committed:
        newest = archive.refer(archive.newest(slot(), settings=site), site)
        yield from lost
        yield from (f"not durable: {each}" for each in names.lost(_path(newest.manifest_url)))


def _unsafe(path: Path, names: Names) -> Iterator[str]:
    """As a manifest appears, its content and its payloads must survive a power failure."""
    if "/meta/" in str(path):
        payloads = Manifest.from_json(path.read_bytes(), str(path)).payloads
        root = Path(str(path).partition("/meta/")[0])
        blobs = [blob for payload in payloads for blob in payload.blobs]
        lost = [each for blob in blobs for each in names.lost(root / blob.key)]
        yield from (f"manifest before its payload: {each}" for each in lost)
        if path in names.unsynced:
            yield f"manifest before its content: {path}"


def _path(url: str) -> Path:
    return Path(url.removeprefix("file://"))


def _bodies(site: Settings) -> list[tuple[bytes, ...]]:
    revisions = list(archive.revisions(slot(), site))[::-1]
    return [tuple(body.read() for body in archive.bodies(found, site)) for found in revisions]


def _tried(site: Settings, system: OperatingSystem) -> list[str]:
    try:
        _commit(site, run(), BODIES, system)
    except ArchiveError:
        return []
    except (OSError, PlatformError) as err:
        return [f"not an archive error: {err!r}"]
    return []
