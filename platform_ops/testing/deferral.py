"""What a task waits for, once it has given its worker back: a trigger, played here as the triggerer does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk.execution_time import comms
    from airflow.triggers.base import BaseTrigger

__all__ = ["Deferral"]


@dataclass(frozen=True, slots=True)
class Deferral:
    """Where a task waits, and where it goes on.

    :param trigger: Class of the trigger, with its module.
    :param arguments: What the trigger is made of; all that Airflow keeps of it.
    :param method: Method of the operator that goes on.
    :param kwargs: What that method is given, beside the event.
    """

    trigger: str
    arguments: Mapping[str, Any]  # Any: JSON values
    method: str
    kwargs: Mapping[str, Any]  # Any: JSON values

    @classmethod
    def told(cls, message: comms.DeferTask) -> Deferral:
        """As the task has told the supervisor."""
        from airflow.sdk.serde import deserialize

        given: Any = message.trigger_kwargs  # Any: JSON values
        kwargs: Any = message.next_kwargs  # Any: as above
        arguments: Any = deserialize(given) or {}  # Any: what Airflow reads back
        passed: Any = deserialize(kwargs) or {}  # Any: as above
        return cls(message.classpath, arguments, message.next_method, passed)

    def fired(self) -> Any:  # Any: whatever the trigger says
        """Make the trigger of what Airflow keeps, wait for its first event, and return what that says."""
        module, _, name = self.trigger.rpartition(".")
        trigger: BaseTrigger = getattr(import_module(module), name)(**self.arguments)

        async def first() -> Any:  # Any: as above
            async for event in trigger.run():
                return event.payload
            return None

        return asyncio.run(first())
