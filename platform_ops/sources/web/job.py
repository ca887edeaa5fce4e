"""What is to be known of an API's exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from platform_ops.errors import ConfigError

__all__ = ["Export", "Look"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """How an API names an export, says how far it is, and where its result lies.

    :param job: Where the answer to the submission names the job: keys down its JSON, such as ``job.id``,
        or ``header:Location``.
    :param poll: Endpoint that says how far a job is; ``{job}`` stands for its name.
    :param state: Where that answer says so, such as ``status``. Where unset, its status does: 202 is at
        work, 200 is done.
    :param done: States in which the result is ready.
    :param failed: States that a job never leaves, and that have no result.
    :param result: Endpoint of the result; ``{job}`` stands for the job's name.
    :param result_at: Where the answer of ``poll`` names the result's URL, instead of ``result``. On another
        host it is fetched without the connection's credentials, as signed URLs want it.
    :param interval_s: Seconds between two looks; a ``Retry-After`` that is longer counts instead.
    :param timeout_s: Seconds after which a try gives up waiting; its retry goes on with the same job.
    :param idempotency_header: Header of the submission that is equal for all tries of a run, so that an API
        which knows it makes one export of two submissions.
    :raises ConfigError: The values contradict each other.
    """

    job: str
    poll: str
    state: str | None = None
    done: tuple[str, ...] = ("done", "completed", "succeeded", "success", "finished", "ready")
    failed: tuple[str, ...] = ("failed", "error", "cancelled", "canceled", "expired")
    result: str | None = None
    result_at: str | None = None
    interval_s: float = 30.0
    timeout_s: float = 6 * 3600.0
    idempotency_header: str | None = "Idempotency-Key"

    def __post_init__(self) -> None:
        if (self.result is None) == (self.result_at is None):
            raise ConfigError("Export: give either result= or result_at=, and not both")
        if "{job}" not in self.poll:
            raise ConfigError(f"Export: poll={self.poll!r} names no job; write {{job}} into it")

    def for_trigger(self) -> dict[str, Any]:  # Any: JSON values
        """What a trigger has to know: no endpoint, which may hold a secret. See :meth:`from_dict`."""
        blank = {"job": "", "poll": "{job}", "result": None if self.result is None else "{job}"}
        lists = {"done": list(self.done), "failed": list(self.failed)}
        return {**asdict(self), **blank, **lists}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Export:  # Any: JSON values
        """Read it back."""
        lists = {name: tuple(plain[name]) for name in ("done", "failed")}
        return cls(**{**plain, **lists})


@dataclass(frozen=True, slots=True)
class Look:
    """How far a job is.

    :param asked: The request, for messages.
    :param word: What became of it, in words.
    :param wait_s: Seconds until the next look.
    :param result: The result's URL, where the answer tells it.
    """

    state: Literal["waiting", "done", "failed", "gone"]
    asked: str
    word: str = ""
    wait_s: float = 0.0
    result: str | None = None
