"""Slots, runs and parts to archive, with every field that a test does not care about filled."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Self

import pytest

from platform_ops import archive
from platform_ops.archive import Commit
from platform_ops.archive.upkeep import expiry, sweeping
from platform_ops.archive.writing import write
from platform_ops.entity import Entity, Origin, Part, RunIdentity, Slot
from platform_ops.settings import OnExisting, Settings

FORECAST = Entity("weather", "forecast")
TUESDAY = datetime(2024, 3, 5, tzinfo=UTC)


def slot(day: int = 0, **keys: Any) -> Slot:  # Any: partition_key, map_key, team
    return Slot(FORECAST, TUESDAY + timedelta(days=day), **keys)


def run(run_id: str = "scheduled-1", try_number: int = 1, max_tries: int = 2) -> RunIdentity:
    return RunIdentity("weather", "forecast", run_id, try_number=try_number, max_tries=max_tries)


def part(
    body: bytes | Iterable[bytes] = b"sunny", name: str = "page-0001.json", **fields: Any
) -> Part:
    chunks = [body] if isinstance(body, bytes) else body
    return Part(name, chunks, Origin("https://weather.example/forecast"), **fields)


class _Untouchable:
    def __iter__(self) -> Iterator[bytes]:
        raise AssertionError("the source was asked")


def untouchable() -> Iterable[bytes]:
    """The body of a source that must not be asked."""
    return _Untouchable()


def commit(
    settings: Settings,
    *parts: Part,
    at: Slot | None = None,
    by: RunIdentity | None = None,
    on_existing: OnExisting | None = None,
) -> Commit:
    """One session from start to end, as the ingest path does it."""
    session = archive.session(at or slot(), by or run(), on_existing=on_existing, settings=settings)
    with session:
        if session.commit is None:
            for each in parts or (part(),):
                session.write(each)
    assert session.commit is not None
    return session.commit


@contextmanager
def aged(days: int) -> Iterator[None]:
    """Commits made in here were made so many days ago, as their manifests tell it."""

    class Then(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(time.time() - days * 86_400, tz)

    with pytest.MonkeyPatch.context() as patch:
        for module in (write, sweeping, expiry):
            patch.setattr(module, "datetime", Then)
        yield


def faults(settings: Settings) -> list[str]:
    """What a full verification finds, as ``kind url``."""
    verdicts = archive.verify(settings=settings)
    return [f"{fault.kind} {fault.url}" for verdict in verdicts for fault in verdict.faults]
