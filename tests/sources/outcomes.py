"""How a task over HTTP ended: its bytes, or the message of its failure."""

from __future__ import annotations

from collections.abc import Callable

from airflow.sdk.exceptions import AirflowFailException

from platform_ops import archive
from platform_ops.errors import SourceError, SourceRejected, SourceUnavailable
from platform_ops.testing.runner import TaskResult

ENTITY = "weather.forecast"
Fetch = Callable[..., TaskResult]


def body_of(ran: TaskResult) -> bytes:
    assert ran.state == "success", ran.error
    return archive.open(ran.xcom).read()


def rejected(ran: TaskResult, kind: type[SourceError] = SourceRejected) -> str:
    """The message of a failure that Airflow does not retry."""
    assert ran.state == "failed", ran
    assert isinstance(ran.error, AirflowFailException)
    assert type(ran.error.__cause__) is kind
    return nothing_left(ran)


def unavailable(ran: TaskResult, kind: type[SourceError] = SourceUnavailable) -> str:
    """The message of a failure that Airflow retries."""
    assert ran.state == "up_for_retry", ran
    assert type(ran.error) is kind
    return nothing_left(ran)


def nothing_left(ran: TaskResult) -> str:
    assert list(archive.find(ENTITY)) == []
    assert (ran.xcom, dict(ran.asset_events)) == (None, {})
    assert "hunter" not in str(ran.error)
    return str(ran.error)
