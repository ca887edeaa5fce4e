"""One message of each kind, as they would be of a shop's orders: for previews, and to try a channel."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from platform_ops.notify.context import Ended, Happening, message_of
from platform_ops.notify.incident import Standing
from platform_ops.notify.lateness import Odd, Overdue, late_message, odd_message
from platform_ops.notify.message import Message, Subject
from platform_ops.settings import KINDS, Kind, Settings, Severity

__all__ = ["sample"]

_NOW: Final = datetime(2026, 3, 5, 9, 30, tzinfo=UTC)
_AIRFLOW: Final = "https://airflow.example.com"
_SUBJECT: Final = Subject(
    dag_id="shop",
    task_id="orders",
    run_id="scheduled__2026-03-05T06:00:00+00:00",
    try_number=3,
    entity="shop.orders",
    owner="shop-desk",
)
_ERROR: Final = "SourceUnavailable: shop.orders page 3: HTTP 503 after 5 attempts"
_SMALL: Final = "small: 3 rows; Thursdays bring 1,020–1,190 (median 1,104 of 9 captures)"
_HELD: Final[Mapping[Kind, tuple[int, int, Severity]]] = {
    "success": (0, 0, "info"),
    "failure": (1, 1, "error"),
    "critical": (5, 4, "critical"),
    "recovered": (5, 0, "info"),
}
"""How often it failed, how often since the last message, and how bad that is."""


def sample(kind: Kind, site: Settings, now: datetime = _NOW) -> Message:
    """One message of a kind, as the site's own settings make it.

    :param now: When it is told.
    """
    slot_time = now.replace(hour=6, minute=0)
    if kind == "late":
        overdue = Overdue("shop.orders", (slot_time,), slot_time + timedelta(hours=2))
        return late_message(overdue, now, site, _AIRFLOW)
    if kind == "volume-anomaly":
        return odd_message(
            Odd("shop.orders", slot_time, 1, "small", _SMALL, None), now, site, _AIRFLOW
        )
    count, untold, severity = _HELD[kind]
    since = now - timedelta(hours=3, minutes=20) if count > 1 else now
    ended: Ended = "success" if KINDS[kind][0] == "info" else "failure"
    seen = Happening(
        ended=ended,
        subject=_SUBJECT,
        index=-1,
        error=_ERROR if ended == "failure" else "",
        refused="",
        grave=False,
        log_url=f"{_AIRFLOW}/dags/shop/runs/scheduled__2026-03-05T06%3A00%3A00%2B00%3A00/tasks/orders",
        airflow_url=_AIRFLOW,
        operator="ArchivingHttpOperator",
    )
    return message_of(seen, Standing(True, since, count, untold, severity), now, site)
