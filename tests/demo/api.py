"""Airflow's public REST API, as far as the demo asks it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import requests

from tests.demo.processes import DemoFailed

__all__ = ["Api", "Run", "TaskRun"]


@dataclass(frozen=True, slots=True)
class Run:
    """One DAG run."""

    dag_id: str
    run_id: str
    state: str
    start: datetime
    end: datetime
    replayed: bool

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from every other run."""
        return (self.dag_id, self.run_id)


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One task instance, at its latest try.

    :param run: DAG and run id.
    """

    run: tuple[str, str]
    task_id: str
    map_index: int
    state: str | None
    try_number: int


@dataclass(frozen=True, slots=True)
class Api:
    """A session with Airflow's API server."""

    url: str
    session: requests.Session

    @classmethod
    def login(cls, url: str, user: str, password: str) -> Api:
        """Log in with the simple auth manager, for a JSON web token."""
        session = requests.Session()
        session.trust_env = False  # loopback: no proxy is asked
        api = cls(url, session)
        granted = api._ask("POST", "auth/token", json={"username": user, "password": password})
        session.headers["Authorization"] = f"Bearer {granted['access_token']}"
        return api

    def get(self, path: str, **query: str | int) -> Any:  # Any: JSON values
        """The reply to one question."""
        return self._ask("GET", f"api/v2/{path}", params=query)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:  # Any: JSON values
        """The reply to one command."""
        return self._ask("POST", f"api/v2/{path}", json=body)

    def import_errors(self) -> list[str]:
        """The DAG files that do not load, each with the last line of its trace."""
        found = self.get("importErrors")["import_errors"]
        return [
            f"{each['filename']}: {each['stack_trace'].strip().splitlines()[-1]}" for each in found
        ]

    def runs(self) -> list[Run]:
        """Every run of every DAG, by DAG and interval."""
        found = self.get("dags/~/dagRuns", limit=1000)["dag_runs"]
        runs = [
            Run(
                each["dag_id"],
                each["dag_run_id"],
                each["state"],
                datetime.fromisoformat(each["data_interval_start"]),
                datetime.fromisoformat(each["data_interval_end"]),
                "platform_ops" in (each["conf"] or {}),
            )
            for each in found
        ]
        return sorted(runs, key=lambda run: (run.dag_id, run.start))

    def tasks(self) -> list[TaskRun]:
        """Every task instance of every run."""
        found = self.get("dags/~/dagRuns/~/taskInstances", limit=1000)["task_instances"]
        return [
            TaskRun(
                (each["dag_id"], each["dag_run_id"]),
                each["task_id"],
                each["map_index"],
                each["state"],
                each["try_number"],
            )
            for each in found
        ]

    def tries(self, task: TaskRun) -> list[str]:
        """The state in which each try of a task ended, in order."""
        dag_id, run_id = task.run
        path = f"dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task.task_id}"
        if task.map_index >= 0:
            path += f"/{task.map_index}"
        found = self.get(f"{path}/tries")["task_instances"]
        return [each["state"] for each in sorted(found, key=lambda each: each["try_number"])]

    def xcom_digest(self, runs: Sequence[Run]) -> str:
        """A digest over every XCom value of some runs, by DAG and day: what their tasks handed on."""
        values = []
        for run in runs:
            path = f"dags/{run.dag_id}/dagRuns/{quote(run.run_id)}/taskInstances/~/xcomEntries"
            for each in self.get(path, limit=1000)["xcom_entries"]:
                entry = f"{path.replace('~', each['task_id'])}/{each['key']}"
                value = self.get(entry, map_index=each["map_index"])["value"]
                day = f"{run.dag_id} {run.start.isoformat()}"
                values.append([day, each["task_id"], each["map_index"], each["key"], value])
        text = json.dumps(sorted(values, key=json.dumps), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def replay(self, runs: Sequence[Run]) -> None:
        """Run the same days of one DAG again, so marked that its tasks read the archive."""
        for number, run in enumerate(runs, start=1):
            # What a task loads is the interval. The logical date must be one that the DAG has not
            # seen, between its start and end.
            logical = runs[0].start + timedelta(seconds=number)
            self.post(
                f"dags/{run.dag_id}/dagRuns",
                {
                    "dag_run_id": f"replay__{run.start:%Y-%m-%d}",
                    "logical_date": logical.isoformat(),
                    "data_interval_start": run.start.isoformat(),
                    "data_interval_end": run.end.isoformat(),
                    "conf": {"platform_ops": {"replay": True}},
                },
            )

    def _ask(
        self, method: str, path: str, **options: Any
    ) -> Any:  # Any: requests' options, JSON values
        try:
            reply = self.session.request(method, f"{self.url}/{path}", timeout=60, **options)
        except requests.RequestException as err:
            raise DemoFailed(f"Airflow's API does not answer {method} {path}: {err}") from err
        if not reply.ok:
            raise DemoFailed(f"{method} {path}: HTTP {reply.status_code} {reply.text[:300]}")
        return reply.json()
