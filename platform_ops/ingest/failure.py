"""Which failures a retry may cure: told to Airflow, which would try again whatever it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowFailException

from platform_ops.errors import PlatformError

__all__ = ["no_vain_retry"]


@contextmanager
def no_vain_retry() -> Iterator[None]:
    """Fail the task for good where a retry would fail alike; an error that may pass is left as it is.

    :raises AirflowFailException: In the place of such an error, which is its cause.
    """
    try:
        yield
    except PlatformError as err:
        if err.retryable:
            raise
        raise AirflowFailException(f"{type(err).__name__}: {err}") from err
