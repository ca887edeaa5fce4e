"""A real Airflow on loopback: fresh home, SQLite, LocalExecutor, every port free or as asked for."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.demo.api import Api
from tests.demo.processes import Child, DemoFailed, Nursery, poll

__all__ = [
    "EXAMPLES",
    "PAUSED",
    "ROOT",
    "SHOWN",
    "USER",
    "Airflow",
    "clean_environment",
    "free_port",
]

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = tuple(sorted(file.stem for file in (ROOT / "docs" / "examples").glob("*.py")))
"""Ids of all DAGs; each has a file of its name."""
SHOWN = (
    "airports_by_state",
    "daily_weather",
    "hourly_temperatures",
    "sleepy_station",
    "stock_operator",
)
"""Those whose runs the demo tells of: pages, a mapped task, a file, a source that sleeps, and Airflow's
own operator over our connection type."""
PAUSED = (
    "archive_maintenance",
    "erase_on_request",
    "hold_on_request",
    "monthly_prices",
    "partner_deliveries",
    "weekly_witness",
    "yearly_bag",
)
"""Those that are there as well, and wait until somebody starts them."""
USER = "admin"


def clean_environment(home: Path) -> dict[str, str]:
    """The caller's environment without the caller's Airflow, if there is one.

    :param home: Takes the place of its ``AIRFLOW_HOME``.
    """
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "PLATFORM_OPS"))
    }
    if env.pop("PYTHONDONTWRITEBYTECODE", None):
        # Without bytecode each of forty task processes would compile all that it imports.
        env["PYTHONPYCACHEPREFIX"] = str(home.parent / "bytecode")
    return {**env, "AIRFLOW_HOME": str(home)}


def free_port(asked: int | None = None) -> int:
    """A port of 127.0.0.1 that nobody listens on.

    :param asked: The one that it has to be.
    :raises DemoFailed: It is taken.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", asked or 0))
        except OSError as err:
            raise DemoFailed(
                f"port {asked} of 127.0.0.1 cannot be had ({err.strerror}); stop what listens there, "
                "name another one with --port, or leave --port out and a free one is taken"
            ) from err
        port: int = probe.getsockname()[1]
    return port


@dataclass(slots=True)
class Airflow:
    """One Airflow: its home, its port, its processes.

    :param home: An empty folder.
    :param extra: Further variables for every process of it.
    """

    home: Path
    nursery: Nursery
    port: int
    extra: Mapping[str, str]
    password: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    _secret: str = field(default_factory=lambda: secrets.token_hex(64))

    @property
    def url(self) -> str:
        """Where the UI and the API answer."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        """What every process of it sees."""
        return {**clean_environment(self.home), **_options(self), **self.extra}

    def start(self) -> None:
        """Start it; the database is made while the API server loads."""
        (self.home / "dags").mkdir(parents=True)
        for name in (*SHOWN, *PAUSED):
            shutil.copy(ROOT / "docs" / "examples" / f"{name}.py", self.home / "dags")
        passwords = self.home / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({USER: self.password}), encoding="utf-8")
        database = self._run("database", "db", "migrate")
        self._run("api-server", "api-server", "--host", "127.0.0.1", "--port", str(self.port))
        database.finish(timeout_s=90)
        self._run("dag-processor", "dag-processor")
        # No server for logs: the API server reads them from this disk.
        self._run("scheduler", "scheduler", "--skip-serve-logs")

    def start_triggerer(self) -> None:
        """What deferred tasks need, and the UI's page on health asks for; the demo does without."""
        self._run("triggerer", "triggerer", "--skip-serve-logs")

    def ready(self) -> Api:
        """Wait until it is healthy, and log in."""
        poll(self._healthy, "Airflow to be healthy", 120, self.nursery.logs / "api-server.log")
        return Api.login(self.url, USER, self.password)

    def _healthy(self) -> bool:
        self.nursery.check()
        try:
            health = requests.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
        except requests.RequestException:
            return False
        wanted = ("metadatabase", "scheduler", "dag_processor")
        return all(health[each]["status"] == "healthy" for each in wanted)

    def _run(self, name: str, *arguments: str) -> Child:
        command = [sys.executable, "-m", "airflow", *arguments]
        return self.nursery.start(name, command, self.env, self.home)


def _options(airflow: Airflow) -> dict[str, str]:
    options: dict[str, dict[str, object]] = {
        "core": {
            "dags_folder": airflow.home / "dags",
            "load_examples": False,
            "executor": "LocalExecutor",
            "parallelism": 4,
            "dags_are_paused_at_creation": False,
            "execution_api_server_url": f"{airflow.url}/execution/",
            "simple_auth_manager_users": f"{USER}:admin",
            "simple_auth_manager_passwords_file": airflow.home / "passwords.json",
            "fernet_key": "",
        },
        "api": {
            "base_url": airflow.url,
            "host": "127.0.0.1",
            "port": airflow.port,
            "workers": 1,
            "secret_key": airflow._secret,
        },
        "api_auth": {"jwt_secret": airflow._secret},
        "database": {
            # Patience: on a busy machine SQLite's one writer may hold it longer than its usual 5 s.
            "sql_alchemy_conn": f"sqlite:///{airflow.home / 'airflow.db'}?timeout=60",
            "load_default_connections": False,
            "check_migrations": False,
        },
        "scheduler": {"scheduler_idle_sleep_time": 0.2},
        "logging": {"base_log_folder": airflow.home / "logs"},
        "usage_data_collection": {"enabled": False},
        "platform_ops": {"config": ROOT / "conf" / "platform.toml"},
    }
    return {
        f"AIRFLOW__{section.upper()}__{name.upper()}": str(value)
        for section, values in options.items()
        for name, value in values.items()
    }
