"""The browser as Airflow mounts it, over an archive that was really written, with Airflow's own rights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from airflow.api_fastapi import app as airflow_app
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import get_user
from fastapi import FastAPI, HTTPException, Request
from starlette.testclient import TestClient

from platform_ops import links, settings
from platform_ops.settings import Settings
from platform_ops.ui.app import airflow_application, app

TOML = """
[archive]
root = "{root}"
index = "{index}"
[ui]
refresh_s = 0
[sources.weather]
owner = "Met Team"
[sources.weather.entities.forecast]
schedule = "@daily"
[sources.weather.entities.gale]
schedule = "@daily"
[sources.staff.entities.salaries]
sensitivity = "personal"
"""


@dataclass(slots=True)
class Airflow:
    """The far end of the wire to Airflow's REST API: two DAGs, and whatever is triggered."""

    taken: set[str] = field(default_factory=set)
    asked: list[dict[str, Any]] = field(default_factory=list)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    paused: bool = False
    cookies: list[str | None] = field(default_factory=list)

    def app(self) -> FastAPI:
        served = FastAPI()

        @served.get("/api/v2/dags/{dag_id}")
        def dag(dag_id: str, request: Request) -> dict[str, Any]:
            self.cookies.append(request.headers.get("cookie"))
            if dag_id != "weather":
                raise HTTPException(404, f"The Dag with ID: `{dag_id}` was not found")
            return {"dag_id": dag_id, "is_paused": self.paused}

        @served.get("/api/v2/dags/{dag_id}/dagRuns/{run_id:path}")
        def run(dag_id: str, run_id: str) -> dict[str, Any]:
            if run_id not in self.runs:
                raise HTTPException(404, "no such run")
            return self.runs[run_id]

        @served.post("/api/v2/dags/{dag_id}/dagRuns")
        def trigger(dag_id: str, body: dict[str, Any]) -> dict[str, Any]:
            self.asked.append(body)
            if len(self.asked) == 1 and self.taken:
                raise HTTPException(409, "the logical date is taken")
            self.runs[body["dag_run_id"]] = {**body, "state": "queued"}
            return {"dag_run_id": body["dag_run_id"]}

        return served


@dataclass(slots=True)
class Visitor:
    """Somebody with a browser."""

    client: TestClient
    role: str | None = "ADMIN"

    def get(self, path: str, **query: str) -> Any:  # Any: httpx's response
        return self.client.get(
            f"{links.MOUNT}/{path}", params=query or None, follow_redirects=False
        )

    def post(
        self, path: str, headers: dict[str, str] | None = None, **form: str
    ) -> Any:  # Any: same
        return self.client.post(
            f"{links.MOUNT}/{path}", data=form, headers=headers, follow_redirects=False
        )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    file = tmp_path / "platform.toml"
    root, index = f"file://{tmp_path / 'archive'}", tmp_path / "index"
    file.write_text(TOML.format(root=root, index=index), encoding="utf-8")
    monkeypatch.setenv("PLATFORM_OPS_CONFIG", str(file))
    monkeypatch.setenv("AIRFLOW__API__SECRET_KEY", "for these tests alone")
    return settings.load().settings


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


@pytest.fixture
def visitor(site: Settings, airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> Iterator[Visitor]:
    manager = SimpleAuthManager()  # type: ignore[no-untyped-call]  # its base says no types
    monkeypatch.setattr(airflow_app._AuthManagerState, "instance", manager)
    outer, browser = FastAPI(), app
    outer.mount(links.MOUNT, browser)
    with TestClient(outer, base_url="http://airflow.example") as client:
        who = Visitor(client)

        def user() -> SimpleAuthManagerUser:
            if who.role is None:
                raise HTTPException(401, "Not authenticated")
            return SimpleAuthManagerUser(username="ada", role=who.role)

        overrides: dict[Callable[..., Any], Callable[..., Any]] = {
            get_user: user,
            airflow_application: airflow.app,
        }
        browser.dependency_overrides.update(overrides)
        yield who
        browser.dependency_overrides.clear()
