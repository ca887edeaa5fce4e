"""A small state that many workers change, kept beside the archive: one object a step, and none overwritten.

Tasks have no metadata database, and Airflow's state stores belong to one task or asset and are out of reach
of the DAG processor, where callbacks of DAGs run. Every process that tells anybody anything can reach the
archive, whose stores create an object only where none is: so exactly one writer takes each step (ADR 0027).
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar
from uuid import uuid4

from platform_ops.archive.stores.store import Entry, Store, put_once
from platform_ops.errors import ArchiveError, ArchiveUnavailable, NotArchived

__all__ = ["TREE", "Journal", "State"]

log = logging.getLogger("platform_ops.notify")

TREE: Final = "notices/v1"
_KEPT: Final = 32
"""Steps that stay. One that was taken away could be taken again by who was asleep for all that followed."""
_ATTEMPTS: Final = 12
_PAUSE_S: Final = 0.02

State = Mapping[str, Any]  # Any: JSON values
"""What is remembered of one thing."""
Result = TypeVar("Result")


class Journal:
    """The state of one thing: the object with the highest number.

    :param store: Of the archive.
    :param folder: Below :data:`TREE`, of the thing.
    """

    def __init__(self, store: Store, folder: str) -> None:
        self._store = store
        self._folder = f"{TREE}/{folder}"

    def read(self) -> dict[str, Any]:  # Any: JSON values
        """The state; empty where there never was one.

        :raises ArchiveUnavailable: The store is out of reach.
        """
        return self._head()[1]

    def step(self, change: Callable[[State], tuple[State, Result]]) -> Result:
        """Change the state, once, whoever else does at the same time.

        :param change: From the state to the next and what follows from it; called again for each rival
            that was faster. The same state is not written again.
        :raises ArchiveUnavailable: The store is out of reach, or there are too many rivals.
        """
        for attempt in range(_ATTEMPTS):
            number, state, entries = self._head()
            following, result = change(state)
            if following == state:
                return result
            body = json.dumps({**following, "by": uuid4().hex}).encode()
            if put_once(self._store, f"{self._folder}/{number + 1:09d}.json", body):
                self._prune(entries, number)
                return result
            time.sleep(random.uniform(0, _PAUSE_S * 2 ** min(attempt, 4)))
        raise ArchiveUnavailable(f"{self._store.url}/{self._folder}: too many write here at once")

    def _head(self) -> tuple[int, dict[str, Any], list[Entry]]:  # Any: JSON values
        for _ in range(_ATTEMPTS):
            entries = sorted(self._store.level(self._folder).entries, key=lambda each: each.key)
            if not entries:
                return 0, {}, entries
            with suppress(NotArchived):  # others took so many steps that this one is gone
                state = self._state(entries[-1].key)
                return _number(entries[-1].key), state, entries
        raise ArchiveUnavailable(
            f"{self._store.url}/{self._folder}: changes faster than it is read"
        )

    def _state(self, key: str) -> dict[str, Any]:  # Any: JSON values
        try:
            state = json.loads(self._store.read(key))
        except ValueError:
            state = None
        if not isinstance(state, dict):
            log.warning("%s/%s is damaged; what it remembered is lost", self._store.url, key)
            return {}
        state.pop("by", None)
        return state

    def _prune(self, entries: list[Entry], number: int) -> None:
        for entry in entries:
            if _number(entry.key) <= number - _KEPT:
                with suppress(ArchiveError):  # the next step tries again
                    self._store.delete(entry.key)


def _number(key: str) -> int:
    return int(key.rpartition("/")[2].removesuffix(".json"))
