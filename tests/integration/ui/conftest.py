"""A real Airflow with three days of orders, whose source can turn empty, and people with browsers."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.demo.airflow import Airflow, free_port
from tests.demo.api import Api, Run
from tests.demo.processes import Nursery, poll
from tests.integration.ui.dags import DAYS, FIRST
from tests.servers import postgres

TOML = """
[archive]
root = "file://{home}/archive"
[ui]
refresh_s = 0
[notify.channels.desk]
kind = "webhook"
connection = "desk"
[sources.shop]
owner = "Shop team"
[sources.shop.entities.orders]
description = "What customers ordered, a file a day."
schedule = "@daily"
on_empty = "fail"
[sources.staff.entities.salaries]
owner = "People"
sensitivity = "personal"
"""
ORDERS = b"id,what\n1,<script>alert(1)</script>\n2,tea\n"
SALARIES = b"who,pay\nlovelace,4000\n"


@dataclass(slots=True)
class Shop:
    """The source, which may turn empty; and the desk, which takes messages by POST."""

    server: ThreadingHTTPServer
    asked: list[str] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    empty: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @classmethod
    def serve(cls) -> Shop:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shop.asked.append(self.path)
                body = SALARIES if "salaries" in self.path else b"" if shop.empty else ORDERS
                self.send_response(200)
                self.send_header("Content-Type", "text/csv")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                shop.told.append(json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
                """Keep the test's output to itself."""

        shop = cls(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=shop.server.serve_forever, daemon=True).start()
        return shop


@dataclass(frozen=True, slots=True)
class Site:
    """Airflow once the days that have passed are archived."""

    airflow: Airflow
    api: Api
    shop: Shop

    @property
    def url(self) -> str:
        return self.airflow.url

    def states(self) -> dict[str, str]:
        return {run.run_id: run.state for run in self.api.runs()}

    def last(self) -> Run:
        """The scheduled run of the last day."""
        return [run for run in self.api.runs() if run.run_id.startswith("scheduled")][-1]

    def revisions(self) -> list[str]:
        return sorted(str(path) for path in (self.airflow.home / "archive").glob("meta/**/*.json"))


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("browser")
    (folder / "dags").mkdir()
    shutil.copy(Path(__file__).with_name("dags.py"), folder / "dags" / "shop.py")
    home = folder / "airflow"
    config = folder / "platform.toml"
    config.write_text(TOML.format(home=home), encoding="utf-8")
    with ExitStack() as stack:
        shop = Shop.serve()
        stack.callback(shop.server.server_close)
        stack.callback(shop.server.shutdown)
        database = stack.enter_context(postgres.started())
        nursery = stack.enter_context(Nursery.opened(folder / "logs"))
        opened = datetime.now(UTC).date() - timedelta(days=DAYS)
        variables = {
            FIRST: opened.isoformat(),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.sqlalchemy_url,
            "AIRFLOW__PLATFORM_OPS__CONFIG": str(config),
            "AIRFLOW_CONN_SHOP": json.dumps({"conn_type": "http", "host": shop.url}),
            "AIRFLOW_CONN_DESK": json.dumps({"conn_type": "http", "host": shop.url}),
            "AIRFLOW_CONN_STOCK": json.dumps({"conn_type": "archiving_http", "host": shop.url}),
        }
        airflow = Airflow(home, nursery, free_port(), variables)
        airflow.start()
        found = Site(airflow, airflow.ready(), shop)

        def ran() -> bool:
            nursery.check()
            states = list(found.states().values())
            assert "failed" not in states
            return states.count("success") == DAYS

        poll(ran, "every run to succeed", 180, interval_s=0.5)
        yield found


@pytest.fixture(scope="package")
def logged_in(browser: Browser, site: Site) -> Iterator[Callable[[str], BrowserContext]]:
    """A context of a person who has logged in by Airflow's own form."""
    passwords = json.loads((site.airflow.home / "passwords.json").read_text("utf-8"))
    known: dict[str, BrowserContext] = {}

    def context(user: str) -> BrowserContext:
        if user not in known:
            made = browser.new_context(viewport={"width": 1360, "height": 900})
            page = made.new_page()
            page.goto(f"{site.url}/platform-ops/archive/entity?name=shop.orders")
            login(page, user, passwords[user])
            expect(page.get_by_role("heading", level=1)).to_have_text("shop.orders")
            page.close()
            known[user] = made
        return known[user]

    yield context
    for each in known.values():
        each.close()


@pytest.fixture
def admin(logged_in: Callable[[str], BrowserContext]) -> Iterator[Page]:
    page = logged_in("admin").new_page()
    yield page
    page.close()


@pytest.fixture
def viewer(logged_in: Callable[[str], BrowserContext]) -> Iterator[Page]:
    page = logged_in("viewer").new_page()
    yield page
    page.close()


def login(page: Page, user: str, password: str) -> None:
    """Fill in Airflow's form, which an address that needs a login leads to."""
    page.wait_for_url("**/auth/login**")
    page.locator("input[name=username]").fill(user)
    page.locator("input[name=password]").fill(password)
    page.locator("button[type=submit]").click()
