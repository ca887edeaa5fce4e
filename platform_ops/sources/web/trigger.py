"""Waiting for an export in Airflow's triggerer, with nothing that is secret and no byte of the result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

__all__ = ["HttpExportTrigger"]


class HttpExportTrigger(BaseTrigger):
    """Fires when an API has made an export, or cannot say so, or the time is over.

    It asks over the same connection as the operator, and carries no header, token or answer.

    :param http_conn_id: The operator's connection.
    :param url: Where the API says how far the job is.
    :param entity: Of the operator, for the metrics.
    :param export: What of the operator's ``export`` tells how far a job is.
    :param deadline_s: Seconds since the epoch after which nobody waits any more.
    """

    def __init__(
        self,
        *,
        http_conn_id: str,
        url: str,
        entity: str,
        export: Mapping[str, Any],  # Any: JSON values
        deadline_s: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's is untyped
        self.http_conn_id = http_conn_id
        self.url = url
        self.entity = entity
        self.export = export
        self.deadline_s = deadline_s

    def serialize(self) -> tuple[str, dict[str, Any]]:  # Any: JSON values
        """As Airflow keeps it until the triggerer takes it up."""
        return (
            f"{HttpExportTrigger.__module__}.{HttpExportTrigger.__qualname__}",
            {
                "http_conn_id": self.http_conn_id,
                "url": self.url,
                "entity": self.entity,
                "export": dict(self.export),
                "deadline_s": self.deadline_s,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again; the event says ``ready``, ``unsure`` or ``late``, and no more."""
        from asgiref.sync import sync_to_async

        look = sync_to_async(self._look, thread_sensitive=False)
        wait_s = float(self.export["interval_s"])
        while (left_s := self.deadline_s - time.time()) > 0:
            await asyncio.sleep(min(wait_s, left_s))
            outcome, wait_s = await look()
            if outcome != "waiting":
                yield _event(outcome)
                return
        yield _event("late")

    def _look(self) -> tuple[str, float]:
        from platform_ops.entity import Entity
        from platform_ops.errors import PlatformError
        from platform_ops.sources.web.desk import Desk
        from platform_ops.sources.web.hook import ArchivingHttpHook
        from platform_ops.sources.web.job import Export

        export = Export.from_dict(self.export)
        hook = ArchivingHttpHook("GET", self.http_conn_id)
        try:
            with hook.get_conn({"Accept-Encoding": "identity"}) as session:
                found = Desk(hook, session, Entity.parse(self.entity), export, 1).look(self.url)
        except PlatformError as err:
            # What passes is waited for; what does not, the task meets again and can tell in full.
            return ("waiting", export.interval_s) if err.retryable else ("unsure", 0.0)
        return ("waiting", found.wait_s) if found.state == "waiting" else ("ready", 0.0)


def _event(outcome: str) -> TriggerEvent:
    return TriggerEvent({"outcome": outcome})  # type: ignore[no-untyped-call]  # Airflow's is untyped
