"""A replay as a run of Airflow: planned from a manifest, asked for through Airflow's own REST API.

The API is asked inside this process, as the user who confirmed: it checks their rights once more, and
writes its own audit log.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from platform_ops.archive.indexing import Hit
from platform_ops.entity import Manifest
from platform_ops.errors import PlatformError
from platform_ops.runconf import CONF_KEY

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

__all__ = ["Api", "Plan", "Refused", "conf_of", "plan"]

_ATTEMPTS: Final = 5
_SECOND_US: Final = 1_000_000


class Refused(PlatformError):
    """Airflow did not do what it was asked; the message is its own."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Plan:
    """What a confirmed replay asks Airflow for.

    :param body: Of ``POST /dags/{dag_id}/dagRuns``.
    :param paused: Whether the DAG is paused: the run waits until somebody changes that.
    """

    dag_id: str
    body: Mapping[str, Any]  # Any: JSON values
    paused: bool


@dataclass(frozen=True, slots=True)
class Api:
    """Airflow's REST API as the user of a request sees it, asked without a network.

    :param headers: What tells the user.
    """

    app: FastAPI
    headers: Mapping[str, str]

    @classmethod
    def of(cls, request: Request, app: FastAPI) -> Api:
        """For whoever sent a request."""
        names = ("authorization", "cookie", "referer")
        told = {name: request.headers[name] for name in names if name in request.headers}
        return cls(app, {**told, "host": request.headers.get("host", "localhost")})

    async def ask(self, method: str, path: str, body: object = None) -> Any:  # Any: JSON values
        """One question.

        :raises Refused: It was not answered with success.
        """
        import httpx

        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as client:
            reply = await client.request(
                method, f"/api/v2{path}", json=body, headers=dict(self.headers)
            )
        if reply.is_success:
            return reply.json()
        try:
            detail = reply.json()["detail"]
        except (ValueError, KeyError, TypeError):
            detail = ""
        told = detail if isinstance(detail, str) else str(detail)[:500]
        raise Refused(f"Airflow answered HTTP {reply.status_code}: {told}", reply.status_code)

    async def run(self, dag_id: str, run_id: str) -> Mapping[str, Any] | None:  # Any: JSON values
        """A run, or None where Airflow no longer knows it."""
        try:
            found: Mapping[str, Any] = await self.ask("GET", _path(dag_id, run_id))  # Any: as above
        except Refused as err:
            if err.status == 404:
                return None
            raise
        return found

    async def start(self, planned: Plan) -> str:
        """Trigger a run; its id.

        :raises Refused: Airflow did not make it.
        """
        body = dict(planned.body)
        for attempt in range(_ATTEMPTS):
            try:
                made = await self.ask("POST", _path(planned.dag_id), body)
            except Refused as err:
                if err.status != 409 or attempt == _ATTEMPTS - 1 or body["logical_date"] is None:
                    raise
                body["logical_date"] = _beside(body["data_interval_start"])
                continue
            return str(made["dag_run_id"])
        raise AssertionError  # the loop ends by returning or raising


async def plan(api: Api, manifest: Manifest, conf: Mapping[str, Any]) -> Plan:  # Any: JSON values
    """The run that reads a revision: of the same interval and partition as the one that archived it.

    Airflow has one run for each logical date of a DAG, so that this one has a date within the same
    second: the interval, which decides on the slot, is the same.

    :raises Refused: Airflow does not show the DAG.
    """
    run = manifest.run
    dag = await api.ask("GET", f"/dags/{quote(run.dag_id, safe='')}")
    before = await api.run(run.dag_id, run.run_id) or {}
    start = before.get("data_interval_start") or _iso(run.interval_start_utc)
    end = before.get("data_interval_end") or _iso(run.interval_end_utc)
    body: dict[str, Any] = {  # Any: as above
        "dag_run_id": f"replay__{manifest.slot.time_utc:%Y-%m-%dT%H%M%S}__"
        f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}",
        "logical_date": None,
        "conf": conf,
        "note": f"Replay of {manifest.slot.entity}, revision {manifest.revision}, from the archive.",
    }
    if start and end:
        body.update(logical_date=_beside(start), data_interval_start=start, data_interval_end=end)
    if before.get("partition_key") is not None:
        body["partition_key"] = before["partition_key"]
    return Plan(run.dag_id, body, bool(dag.get("is_paused")))


def conf_of(
    manifest: Manifest, beside: Iterable[Hit], *, emit: bool
) -> dict[str, Any]:  # Any: JSON
    """The run's conf: this revision, and of the run's other tasks what they archived with it.

    :param beside: Revisions of the same run.
    :param emit: Whether the run announces its assets, so that consumers run too.
    """
    wish: dict[str, Any] = {}  # Any: JSON values
    others = [hit for hit in beside if hit.slot != manifest.slot]
    if any(hit.revision != manifest.revision for hit in others):
        # One number does not serve them all: read what stood once the whole run had ended.
        times = [hit.committed_at_utc for hit in others if hit.committed_at_utc is not None]
        wish["as_of"] = max([manifest.committed_at_utc, *times]).isoformat()
    else:
        wish["revision"] = manifest.revision
    if manifest.run.interval_start_utc is None:
        wish["time"] = manifest.slot.time_utc.isoformat()
    if emit:
        wish["emit"] = True
    return {CONF_KEY: {"replay": wish}}


def _beside(start: str) -> str:
    """A moment within the second that an interval begins with."""
    second = datetime.fromisoformat(start).replace(microsecond=0)
    return (second + timedelta(microseconds=1 + secrets.randbelow(_SECOND_US - 1))).isoformat()


def _path(dag_id: str, run_id: str | None = None) -> str:
    path = f"/dags/{quote(dag_id, safe='')}/dagRuns"
    return path if run_id is None else f"{path}/{quote(run_id, safe='')}"


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
