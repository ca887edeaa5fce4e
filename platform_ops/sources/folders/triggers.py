"""What waits for files in Airflow's triggerer.

Source: https://airflow.apache.org/docs/apache-airflow/stable/authoring-and-scheduling/deferring.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from platform_ops.entity import Entity
from platform_ops.errors import PlatformError
from platform_ops.ingest import site_settings
from platform_ops.sources.folders.pickup import Checksum, Readiness, Watch
from platform_ops.sources.folders.reach import Protocol, reach
from platform_ops.sources.folders.selection import Selection

__all__ = ["FilesTrigger"]

log = logging.getLogger("platform_ops.sources.files")


class FilesTrigger(BaseTrigger):
    """Fires once a folder holds a file that is new and whole; its event is a number, and no name.

    What is stored of it in Airflow's database is what stands below: the connection's id, never what it
    holds. A source that is out of reach is asked again; a login that is refused ends the wait.

    :param protocol: ``sftp``, ``ftp``, ``bucket`` or ``local``.
    :param entity: Whose manifests say which versions came before.
    :param folder: Where the files are.
    :param conn_id: Connection of the source, where it needs one.
    :param files: Name or pattern of the files.
    :param regex: Instead of it, for the whole path below the folder.
    :param new_only: Whether versions that the entity holds already do not count.
    :param stable_s: Seconds through which size and time must stay as they are.
    :param done: Name of the marker beside each file.
    :param checksum: Kind of the checksum file beside each file.
    :param poke_interval_s: Seconds between two looks.
    """

    def __init__(
        self,
        *,
        protocol: Protocol,
        entity: str,
        folder: str,
        conn_id: str | None = None,
        files: str = "*",
        regex: str | None = None,
        new_only: bool = True,
        stable_s: float = 0.0,
        done: str | None = None,
        checksum: Checksum | None = None,
        poke_interval_s: float = 60.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as BaseTrigger has it
        self.protocol: Protocol = protocol
        self.entity = entity
        self.folder = folder
        self.conn_id = conn_id
        self.files = files
        self.regex = regex
        self.new_only = new_only
        self.stable_s = stable_s
        self.done = done
        self.checksum: Checksum | None = checksum
        self.poke_interval_s = poke_interval_s

    def serialize(self) -> tuple[str, dict[str, Any]]:  # Any: plain values
        """What Airflow stores while it waits."""
        names = (
            *("protocol", "entity", "folder", "conn_id", "files", "regex", "new_only", "stable_s"),
            *("done", "checksum", "poke_interval_s"),
        )
        return f"{__name__}.{type(self).__name__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until a file is there; each look in a thread, so that others wait undisturbed."""
        watch = self.watch()
        while True:
            try:
                found = await asyncio.to_thread(self.look, watch)
            except PlatformError as err:
                if not err.retryable:
                    yield fired({"error": f"{type(err).__name__}: {err}"})
                    return
                log.warning("%s", err)
                found = 0
            if found:
                yield fired({"files": found})
                return
            wait_s = min(self.poke_interval_s, self.stable_s or self.poke_interval_s)
            await asyncio.sleep(wait_s)

    def watch(self) -> Watch:
        """What remembers from one look to the next."""
        readiness = Readiness(self.stable_s, self.done, self.checksum)
        return Watch(readiness, Entity.parse(self.entity), new_only=self.new_only)

    def look(self, watch: Watch) -> int:
        """How many files are there, new and whole."""
        source, below = reach(self.protocol, self.folder, self.conn_id)
        with closing(source):
            selection = Selection(source.absolute(below), self.files, self.regex)
            return watch.look(source, selection, site_settings())


def fired(payload: dict[str, Any]) -> TriggerEvent:  # Any: a number, or words
    """The event that ends the wait."""
    return TriggerEvent(payload)  # type: ignore[no-untyped-call]  # as Airflow has it
