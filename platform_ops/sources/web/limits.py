"""How much of an API may be asked, and how fast."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final

from platform_ops.errors import ConfigError, SourceRejected

__all__ = ["Budget", "Limits", "Pace"]

_MOST_AT_ONCE: Final = 10
"""Connections that a session keeps to one host; more would be opened and dropped again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one capture may take from its source.

    :param max_bytes: Bytes of all pages together. A body that announces more is refused before it is
        read, one that does not is refused once it is over; no limit where unset.
    :param max_pages: Pages, so that a source that always names another one is left in the end.
    :param requests_per_s: Requests a second, retries included, of this task alone: a pool of Airflow
        keeps several tasks apart. No limit where unset.
    :param concurrency: Pages asked for at once, 1 to 10, where the pagination knows them in advance:
        :class:`~platform_ops.sources.web.paging.PageNumber` and
        :class:`~platform_ops.sources.web.paging.Offset` that are told where the total stands.
    :param max_wait_s: Longest ``Retry-After`` that the task waits for itself; where the source asks
        for more, it is left to Airflow's retry.
    :raises ConfigError: A value is out of its range.
    """

    max_bytes: int | None = None
    max_pages: int = 10_000
    requests_per_s: float | None = None
    concurrency: int = 1
    max_wait_s: float = 60.0

    def __post_init__(self) -> None:
        right = {
            "max_bytes, 0 or more": self.max_bytes is None or self.max_bytes >= 0,
            "max_pages, 1 or more": self.max_pages >= 1,
            "requests_per_s, above 0": self.requests_per_s is None or self.requests_per_s > 0,
            f"concurrency, 1 to {_MOST_AT_ONCE}": 1 <= self.concurrency <= _MOST_AT_ONCE,
            "max_wait_s, 0 or more": self.max_wait_s >= 0,
        }
        if wrong := [name for name, holds in right.items() if not holds]:
            raise ConfigError(f"Limits: out of range: {'; '.join(wrong)}")


class Budget:
    """Counts the bytes of a capture, whichever thread reads them.

    :param limit: Bytes; None is no limit.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._taken = 0
        self._lock = threading.Lock()

    def check(self, announced: int, asked: str) -> None:
        """Refuse a body by the length that it announces.

        :param asked: The request, for the message.
        :raises SourceRejected: It does not fit.
        """
        if self._limit is not None and self._taken + announced > self._limit:
            raise self._over(f"announces {announced} bytes", asked)

    def take(self, size_bytes: int, asked: str) -> None:
        """Count what was read.

        :raises SourceRejected: That was more than the limit.
        """
        with self._lock:
            self._taken += size_bytes
        if self._limit is not None and self._taken > self._limit:
            raise self._over("goes on", asked)

    def _over(self, fault: str, asked: str) -> SourceRejected:
        return SourceRejected(
            f"{asked}: {fault}, past the limit of {self._limit} bytes; nothing was kept. A retry does not "
            "help: find out why it is so big, or raise max_bytes"
        )


class Pace:
    """Keeps requests apart, whichever thread sends them.

    :param per_s: Requests a second; None is as fast as they come.
    :param stopped: Set when nothing more is to be sent.
    """

    def __init__(self, per_s: float | None, stopped: threading.Event) -> None:
        self._gap_s = 1 / per_s if per_s else 0.0
        self._stopped = stopped
        self._free_s = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when the next request may go."""
        with self._lock:
            now = time.monotonic()
            mine = max(now, self._free_s)
            self._free_s = mine + self._gap_s
        if mine > now:
            self._stopped.wait(mine - now)

    def pause(self, seconds: float) -> None:
        """Let no request go for a while: the source asked for that."""
        with self._lock:
            self._free_s = max(self._free_s, time.monotonic() + seconds)
