"""The supervisor of one run, played from memory: it answers what a task asks on a worker.

Source: ``airflow.sdk.execution_time.comms``, whose unions ``ToSupervisor`` and ``ToTask`` are the
protocol.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import comms

__all__ = ["Supervisor", "XComKey"]

XComKey = tuple[str, str, int]
"""Task id, key and map index, which is -1 where the task is not mapped."""

_NOTED: Final = (
    comms.AwaitInputTask,
    comms.DeferTask,
    comms.MaskSecret,
    comms.RescheduleTask,
    comms.RetryTask,
    comms.SetRenderedFields,
    comms.SetRenderedMapIndex,
    comms.SkipDownstreamTasks,
    comms.SucceedTask,
    comms.TaskState,
)
"""Messages that tell, and wait for no value."""


@dataclass(slots=True)
class Supervisor:
    """Answers a task from memory; the tasks of one run share it, and through it their XComs.

    Connections and variables come from the environment (``AIRFLOW_CONN_…``, ``AIRFLOW_VAR_…``), which a
    task asks before its supervisor.

    :param xcoms: XCom values.
    :param variables: Variables that a task has set.
    :param state_store: Values of the task state store.
    :param asset_store: Values of the asset state store, by the asset's name and the key.
    :param sent: What the task told or asked last, in order.
    """

    xcoms: dict[XComKey, Any] = field(default_factory=dict)  # Any: JSON values
    variables: dict[str, str | None] = field(default_factory=dict)
    state_store: dict[str, Any] = field(default_factory=dict)  # Any: JSON values
    asset_store: dict[tuple[str, str], Any] = field(default_factory=dict)  # Any: JSON values
    sent: list[Any] = field(default_factory=list)  # Any: Airflow's union of messages

    def send(self, msg: Any) -> Any:  # Any: Airflow's unions of messages and answers
        """Answer one message, as the real supervisor would.

        :raises NotImplementedError: A message that only a real Airflow can answer.
        """
        self.sent.append(msg)
        if isinstance(msg, _NOTED):
            return comms.OKResponse(ok=True)
        for answer in (
            self._xcom,
            self._sequence,
            self._variable,
            self._state,
            self._assets,
            self._other,
        ):
            if (found := answer(msg)) is not None:
                return found
        raise NotImplementedError(
            f"run_task has no answer to {type(msg).__name__}: nothing outside of this task exists here; "
            "test what needs it with dag.test(), or move it out of the task"
        )

    async def asend(self, msg: Any) -> Any:  # Any: as in send
        """As :meth:`send`, for a task that runs in an event loop."""
        return self.send(msg)

    def told(self, kind: type) -> Any:  # Any: Airflow's union of messages
        """The last message of one kind, or None."""
        return next((each for each in reversed(self.sent) if isinstance(each, kind)), None)

    def values(self, task_id: str, key: str) -> list[Any]:  # Any: JSON values
        """The XComs of all instances of a task, by map index."""
        found = [
            (index, value)
            for (task, name, index), value in self.xcoms.items()
            if (task, name) == (task_id, key)
        ]
        return [value for _, value in sorted(found, key=lambda pair: pair[0])]

    def _xcom(self, msg: Any) -> Any:  # Any: as in send
        match msg:
            case comms.SetXCom():
                self.xcoms[msg.task_id, msg.key, _index(msg.map_index)] = msg.value
            case comms.DeleteXCom():
                self.xcoms.pop((msg.task_id, msg.key, _index(msg.map_index)), None)
            case comms.GetXCom():
                value = self.xcoms.get((msg.task_id, msg.key, _index(msg.map_index)))
                return comms.XComResult(key=msg.key, value=value)
            case _:
                return None
        return comms.OKResponse(ok=True)

    def _sequence(self, msg: Any) -> Any:  # Any: as in send
        match msg:
            case comms.GetXComCount():
                return comms.XComCountResponse(len=len(self.values(msg.task_id, msg.key)))
            case comms.GetXComSequenceItem():
                values = self.values(msg.task_id, msg.key)
                if msg.offset >= len(values):
                    return comms.ErrorResponse(error=ErrorType.XCOM_NOT_FOUND)
                return comms.XComSequenceIndexResult(root=values[msg.offset])
            case comms.GetXComSequenceSlice():
                chosen = slice(msg.start, msg.stop, msg.step)
                return comms.XComSequenceSliceResult(root=self.values(msg.task_id, msg.key)[chosen])
        return None

    def _variable(self, msg: Any) -> Any:  # Any: as in send
        match msg:
            case comms.GetVariable():
                if msg.key not in self.variables:
                    return comms.ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND)
                return comms.VariableResult(key=msg.key, value=self.variables[msg.key])
            case comms.PutVariable():
                self.variables[msg.key] = msg.value
            case comms.DeleteVariable():
                self.variables.pop(msg.key, None)
            case _:
                return None
        return comms.OKResponse(ok=True)

    def _state(self, msg: Any) -> Any:  # Any: as in send
        match msg:
            case comms.GetTaskStateStore():
                if msg.key not in self.state_store:
                    return comms.ErrorResponse(error=ErrorType.TASK_STORE_NOT_FOUND)
                return comms.TaskStateStoreResult(value=self.state_store[msg.key])
            case comms.SetTaskStateStore():
                self.state_store[msg.key] = msg.value
            case comms.DeleteTaskStateStore():
                self.state_store.pop(msg.key, None)
            case comms.ClearTaskStateStore():
                self.state_store.clear()
            case _:
                return None
        return comms.OKResponse(ok=True)

    def _assets(self, msg: Any) -> Any:  # Any: as in send
        match msg:
            case comms.GetAssetStateStoreByName():
                if (msg.name, msg.key) not in self.asset_store:
                    return comms.ErrorResponse(error=ErrorType.ASSET_STORE_NOT_FOUND)
                return comms.AssetStateStoreResult(value=self.asset_store[msg.name, msg.key])
            case comms.SetAssetStateStoreByName():
                self.asset_store[msg.name, msg.key] = msg.value
            case comms.DeleteAssetStateStoreByName():
                self.asset_store.pop((msg.name, msg.key), None)
            case comms.ClearAssetStateStoreByName():
                for name, key in [each for each in self.asset_store if each[0] == msg.name]:
                    del self.asset_store[name, key]
            case _:
                return None
        return comms.OKResponse(ok=True)

    def _other(self, msg: Any) -> Any:  # Any: as in send
        match msg:
            case comms.ValidateInletsAndOutlets():
                return comms.InactiveAssetsResult(inactive_assets=[])
            case comms.GetConnection():
                return comms.ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND)
        return None


def _index(map_index: int | None) -> int:
    return -1 if map_index is None else map_index
