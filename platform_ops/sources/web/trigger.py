"""Waiting for an API in Airflow's triggerer, with nothing that is secret and no byte of what it makes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from platform_ops.sources.web.hook import ArchivingHttpHook

__all__ = ["HttpExportTrigger", "HttpReadyTrigger"]

_AS_IT_IS: Final = {"Accept-Encoding": "identity"}


class _AsGiven(BaseTrigger):
    """A trigger that Airflow keeps by the arguments which it was given."""

    _arguments: ClassVar[tuple[str, ...]]

    def serialize(self) -> tuple[str, dict[str, Any]]:  # Any: JSON values
        """As Airflow keeps it until the triggerer takes it up."""
        kept = {name: getattr(self, name) for name in self._arguments}
        return f"{__name__}.{type(self).__name__}", kept


class HttpExportTrigger(_AsGiven):
    """Fires when an API has made an export, or cannot say so, or the time is over.

    It asks over the same connection as the operator, and carries no header, token or answer.

    :param http_conn_id: The operator's connection.
    :param url: Where the API says how far the job is.
    :param entity: Of the operator, for the metrics.
    :param export: What of the operator's ``export`` tells how far a job is.
    :param deadline_s: Seconds since the epoch after which nobody waits any more.
    """

    _arguments = ("http_conn_id", "url", "entity", "export", "deadline_s")

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
        self.export = dict(export)
        self.deadline_s = deadline_s

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again; the event says ``ready``, ``unsure`` or ``late``, and no more."""
        yield await _fired(self._look, float(self.export["interval_s"]), self.deadline_s)

    def _look(self) -> tuple[str, float]:
        from platform_ops.entity import Entity
        from platform_ops.sources.web.desk import Desk
        from platform_ops.sources.web.job import Export

        export = Export.from_dict(self.export)

        def looked(hook: ArchivingHttpHook) -> tuple[str, float]:
            with hook.get_conn(_AS_IT_IS) as session:
                found = Desk(hook, session, Entity.parse(self.entity), export, 1).look(self.url)
            return ("waiting", found.wait_s) if found.state == "waiting" else ("ready", 0.0)

        return _asked(self.http_conn_id, "GET", looked, export.interval_s)


class HttpReadyTrigger(_AsGiven):
    """Fires when a resource answers, or refuses; the task then asks once more, and archives the answer.

    It asks over the same connection as the sensor, reads no body, and carries no header, token or answer.

    :param http_conn_id: The sensor's connection.
    :param url: The resource.
    :param method: ``GET`` or ``HEAD``.
    :param not_yet: Statuses that mean that it is not there yet.
    :param interval_s: Seconds between two looks.
    """

    _arguments = ("http_conn_id", "url", "method", "not_yet", "interval_s")

    def __init__(
        self,
        *,
        http_conn_id: str,
        url: str,
        method: str,
        not_yet: Sequence[int],
        interval_s: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's is untyped
        self.http_conn_id = http_conn_id
        self.url = url
        self.method = method
        self.not_yet = list(not_yet)
        self.interval_s = interval_s

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again; the event says ``ready`` or ``unsure``, and no more."""
        yield await _fired(self._look, self.interval_s)

    def _look(self) -> tuple[str, float]:
        from platform_ops.sources.web import exchange
        from platform_ops.sources.web.pages import Ask

        def looked(hook: ArchivingHttpHook) -> tuple[str, float]:
            with hook.get_conn(_AS_IT_IS) as session:
                request = Ask(self.method, self.url).prepared(session)
                with hook.ask(session, request) as response:
                    if response.status_code in self.not_yet:
                        return "waiting", self.interval_s
                    exchange.check_status(response, request)
            return "ready", 0.0

        return _asked(self.http_conn_id, self.method, looked, self.interval_s)


async def _fired(
    look: Callable[[], tuple[str, float]], wait_s: float, deadline_s: float = float("inf")
) -> TriggerEvent:
    """Look again and again, in a thread; the first look comes after the first wait."""
    from asgiref.sync import sync_to_async

    looked = sync_to_async(look, thread_sensitive=False)
    while (left_s := deadline_s - time.time()) > 0:
        await asyncio.sleep(min(wait_s, left_s))
        outcome, wait_s = await looked()
        if outcome != "waiting":
            return _event(outcome)
    return _event("late")


def _asked(
    conn_id: str,
    method: str,
    look: Callable[[ArchivingHttpHook], tuple[str, float]],
    interval_s: float,
) -> tuple[str, float]:
    from platform_ops.errors import PlatformError
    from platform_ops.sources.web.hook import ArchivingHttpHook

    try:
        return look(ArchivingHttpHook(method, conn_id))
    except PlatformError as err:
        # What passes is waited for; what does not, the task meets again and can tell in full.
        return ("waiting", interval_s) if err.retryable else ("unsure", 0.0)


def _event(outcome: str) -> TriggerEvent:
    return TriggerEvent({"outcome": outcome})  # type: ignore[no-untyped-call]  # Airflow's is untyped
