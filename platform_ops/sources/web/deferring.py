"""What waits for an API without a worker: handed to a trigger once, and taken up again when that fires.

Vendor page: https://www.rfc-editor.org/rfc/rfc9110 (HTTP Semantics).
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import conf

from platform_ops.sources.http import ArchivingHttpOperator

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from platform_ops.entity import Part

__all__ = ["DeferringHttpOperator"]


class DeferringHttpOperator(ArchivingHttpOperator):
    """Archive what an API has only after a while; the waiting may be a trigger's.

    :param deferrable: Whether to wait in Airflow's triggerer, or on a worker. Airflow's option
        ``[operators] default_deferrable`` where unset.
    """

    def __init__(
        self,
        *,
        deferrable: bool | None = None,
        **kwargs: Any,  # Any: ArchivingHttpOperator's own arguments
    ) -> None:
        super().__init__(**kwargs)
        if deferrable is None:
            deferrable = conf.getboolean("operators", "default_deferrable", fallback=False)
        self.deferrable = deferrable
        self._deadline_s: float | None = None

    @abstractmethod
    def fetch(self, context: Context) -> Iterator[Part]:
        """Wait, and then ask."""

    def resume(
        self,
        context: Context,
        event: Mapping[str, Any],  # noqa: ARG002  # Any: JSON values; what it says is looked up again
        deadline_s: float,
    ) -> dict[str, Any]:  # Any: JSON values
        """Go on when the trigger has fired: what it saw is looked at once more."""
        self._deadline_s = deadline_s
        try:
            return self.execute(context)
        finally:
            self._deadline_s = None

    def _until_s(self, timeout_s: float) -> float:
        """Seconds since the epoch at which the waiting is over: as it was when the task deferred."""
        return self._deadline_s or time.time() + timeout_s

    def _leave_to(self, trigger: BaseTrigger, deadline_s: float, grace_s: float = 0.0) -> NoReturn:
        """Give the worker back until the trigger fires.

        :param grace_s: How much longer Airflow waits than the deadline.
        """
        self.defer(
            trigger=trigger,
            method_name="resume",
            kwargs={"deadline_s": deadline_s},
            timeout=timedelta(seconds=max(0.0, deadline_s - time.time()) + grace_s),
        )
