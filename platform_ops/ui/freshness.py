"""How new what the pages tell is: the index is refreshed before, for as long as a reader would wait."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from platform_ops.archive import Index
from platform_ops.errors import PlatformError

__all__ = ["Freshness", "News"]

_PATIENCE_S: Final = 4.0


@dataclass(frozen=True, slots=True)
class News:
    """As of when a page tells what it tells.

    :param as_of_utc: When the archive was listed last; None where it never was to the end.
    :param listing: Whether it is being listed still, and how many manifests were met so far.
    :param fault: Why it could not be listed now; what is known from before is told all the same.
    """

    as_of_utc: datetime | None
    listing: int | None = None
    fault: str | None = None


@dataclass(slots=True)
class _Work:
    future: Future[None]
    listed: int = 0


@dataclass(slots=True)
class Freshness:
    """Refreshes that are under way in this process, each prefix once however many ask for it."""

    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(2, "archive-browser-index")
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _under_way: dict[tuple[str, str], _Work] = field(default_factory=dict)

    def look(self, index: Index, prefixes: Iterable[str], max_age_s: int) -> News:
        """Refresh what is older than so many seconds, and wait for it a while, not for ever.

        :raises PlatformError: It could not be listed, and never was.
        """
        below = list(prefixes)
        work = [self._begin(index, each) for each in below if self._stale(index, each, max_age_s)]
        wait([each.future for each in work], timeout=_PATIENCE_S)
        fault = None
        for each in work:
            error = each.future.exception() if each.future.done() else None
            if isinstance(error, PlatformError):
                fault = str(error)
            elif error is not None:
                raise error
        running = [each.listed for each in work if not each.future.done()]
        known = [index.as_of(each) for each in below]
        as_of = None if None in known else min(each for each in known if each is not None)
        if fault is not None and as_of is None:
            raise next(
                error for each in work if (error := each.future.exception()) is not None
            )  # the reader gets a page that says it
        return News(as_of, sum(running) if running else None, fault)

    def _stale(self, index: Index, prefix: str, max_age_s: int) -> bool:
        if (str(index.path), prefix) in self._under_way:
            return True
        known = index.as_of(prefix)
        return known is None or (datetime.now(UTC) - known).total_seconds() >= max_age_s

    def _begin(self, index: Index, prefix: str) -> _Work:
        key = (str(index.path), prefix)
        with self._lock:
            work = self._under_way.get(key)
            if work is None:
                work = _Work(Future())
                self._under_way[key] = work
                work.future = self._pool.submit(self._refresh, index, prefix, work)
                work.future.add_done_callback(lambda _: self._under_way.pop(key, None))
            return work

    @staticmethod
    def _refresh(index: Index, prefix: str, work: _Work) -> None:
        def progress(listed: int, _read: int) -> None:
            work.listed = listed

        index.refresh(prefix, progress)
