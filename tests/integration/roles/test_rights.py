"""Who may do what in the archive browser where roles are those of FAB, on a real API server."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from platform_ops import archive, links
from platform_ops.entity import Entity, RunIdentity, Slot
from platform_ops.settings import load
from tests.archive.samples import TUESDAY, part
from tests.demo.airflow import ROOT, Airflow, free_port
from tests.demo.processes import Nursery, poll

FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
TOML = """
[archive]
root = "file://{folder}/archive"
[sources.shop.entities.orders]
[sources.shop.entities.customers]
sensitivity = "personal"
[sources.bank.entities.rates]
"""
DAGS = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

for name in ("shop", "bank"):
    with DAG(name, schedule=None):
        EmptyOperator(task_id="load")
"""


@dataclass(frozen=True, slots=True)
class Site:
    """An API server over an archive with three entities.

    :param manifests: By entity.
    """

    url: str
    manifests: dict[str, str]

    def token(self, user: str) -> str:
        """A person logs in for the API; each has the password of their own name."""
        body = {"username": user, "password": user}
        reply = requests.post(f"{self.url}/auth/token", json=body, timeout=60)
        assert reply.status_code == 201, reply.text
        return str(reply.json()["access_token"])

    def person(self, user: str) -> requests.Session:
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {self.token(user)}"
        return session

    def get(
        self, session: requests.Session, path: str, entity: str = "", **query: str
    ) -> requests.Response:
        if entity:
            query["manifest"] = self.manifests[entity]
        where = f"{self.url}{links.MOUNT}/{path}"
        return session.get(where, params=query, timeout=60, allow_redirects=False)

    def send(
        self, session: requests.Session, path: str, entity: str, page: str
    ) -> requests.Response:
        """Send the form of a page, with what it carries against forgery, where it has one."""
        token = re.search(r'name="token" value="([^"]+)"', page)
        form = {"manifest": self.manifests[entity], "token": token[1] if token else ""}
        where = f"{self.url}{links.MOUNT}/{path}"
        return session.post(where, data=form, timeout=60, allow_redirects=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("rights")
    config = folder / "platform.toml"
    config.write_text(TOML.format(folder=folder), encoding="utf-8")
    found = {"shop.orders": "shop", "shop.customers": "shop", "bank.rates": "bank"}
    manifests = {entity: kept(config, entity, dag) for entity, dag in found.items()}
    with Nursery.opened(folder / "logs") as nursery:
        variables = {
            "AIRFLOW__CORE__AUTH_MANAGER": FAB,
            "AIRFLOW__PLATFORM_OPS__CONFIG": str(config),
        }
        airflow = Airflow(folder / "airflow", nursery, free_port(), variables)
        (airflow.home / "dags").mkdir(parents=True)
        (airflow.home / "dags" / "dags.py").write_text(DAGS, encoding="utf-8")
        ran = subprocess.run(
            [sys.executable, "-m", "tests.integration.roles.people"],
            env=airflow.env, cwd=ROOT, check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr
        airflow._run("api-server", "api-server", "--host", "127.0.0.1", "--port", str(airflow.port))

        def answers() -> bool:
            nursery.check()
            try:
                return requests.get(f"{airflow.url}/api/v2/version", timeout=5).ok
            except requests.RequestException:
                return False

        poll(answers, "the API server", 120, airflow.nursery.logs / "api-server.log")
        yield Site(airflow.url, manifests)


def kept(config: Path, entity: str, dag: str) -> str:
    """The address of the manifest of a revision that a DAG archived."""
    slot = Slot(Entity.parse(entity), TUESDAY)
    run = RunIdentity(dag, "load", "scheduled-1", try_number=1, max_tries=2)
    with archive.session(slot, run, settings=load(config).settings) as session:
        session.write(part(b'{"of": "somebody"}', "page.json"))
    assert session.commit is not None
    return session.commit.reference.manifest_url


# What each role may: list, read, read what is personal, verify and replay; the last two of another DAG's.
RIGHTS = {
    "admin": "list read personal run other-read other-run",
    "op": "list read personal run other-read other-run",
    "user": "list read run other-read other-run",
    "viewer": "list read other-read",
    "lists": "list",
    "reads": "list read",
    "starts": "list read",
    "shop": "list read run",
    "public": "",
}


@pytest.mark.parametrize("role", RIGHTS)
def test_a_role_does_what_airflow_grants_it_and_no_more(site: Site, role: str) -> None:
    session = site.person(role)
    may = {
        "list": lists(site, session),
        "read": reads(site, session, "shop.orders"),
        "personal": reads(site, session, "shop.customers"),
        "run": runs(site, session, "shop.orders"),
        "other-read": reads(site, session, "bank.rates"),
        "other-run": runs(site, session, "bank.rates"),
    }
    assert " ".join(right for right, has in may.items() if has) == RIGHTS[role]


def lists(site: Site, session: requests.Session) -> bool:
    """Whether they see what there is: the list, an entity, a manifest; all of it, or none."""
    seen = {
        site.get(session, "").text.count("shop.orders") > 0,
        site.get(session, "entity", name="bank.rates").status_code == 200,
        "shop.customers" in site.get(session, "revision", "shop.customers").text,
        site.get(session, "download", "shop.customers").status_code == 200,
    }
    assert len(seen) == 1
    return seen.pop()


def reads(site: Site, session: requests.Session, entity: str) -> bool:
    """Whether they see a body: by its preview and as a download, or by neither."""
    reply = site.get(session, "download", entity, body="page.json")
    assert reply.status_code in (200, 403)
    assert (b"somebody" in reply.content) == (reply.status_code == 200)
    page = site.get(session, "revision", entity)
    assert (b"somebody" in page.content) == (reply.status_code == 200)
    return reply.status_code == 200


def runs(site: Site, session: requests.Session, entity: str) -> bool:
    """Whether they verify and replay; who may not is offered neither, and refused both."""
    page = site.get(session, "revision", entity)
    verified = site.send(session, "verify", entity, page.text)
    asked = site.get(session, "replay", entity)
    replayed = site.send(session, "replay", entity, asked.text)
    if "Verify now" not in page.text:
        assert "Replay …" not in page.text
        for reply in (verified, asked, replayed):
            assert reply.status_code == 403
            assert "right to" in reply.text
        return False
    assert "every byte is what was committed" in verified.text
    assert replayed.status_code == 303, replayed.text
    there = session.get(f"{site.url}{replayed.headers['location']}", timeout=60)
    assert "The run is <strong" in there.text
    assert "queued" in there.text
    return True


def test_who_is_not_logged_in_logs_in_by_fabs_form_and_comes_back(site: Site) -> None:
    session = requests.Session()
    reply = site.get(session, "entity", name="shop.orders")
    assert (reply.status_code, b"shop.orders" in reply.content) == (302, False)
    form = session.get(f"{site.url}{reply.headers['location']}", timeout=60)
    csrf = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form.text)
    assert csrf is not None, form.text
    given = {"username": "viewer", "password": "viewer", "csrf_token": csrf[1]}
    landed = session.post(form.url, data=given, timeout=60)
    assert landed.status_code == 200
    assert landed.url == f"{site.url}{links.MOUNT}/entity?name=shop.orders"
    assert "<h1>shop.orders" in landed.text
