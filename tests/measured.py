"""Captures of every kind, for ``test_metrics``: run as a process of its own, with Airflow's own options."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG
from airflow.sdk.configuration import conf
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils

from platform_ops import archive
from platform_ops.auditor import ArchiveAuditor
from platform_ops.entity import Entity, Origin, Part
from platform_ops.errors import SourceRejected
from platform_ops.ingest import ArchivingOperator, site_settings, slot_of
from platform_ops.maintenance import (
    ArchiveExpireOperator,
    ArchiveSweepOperator,
    ArchiveVerifyOperator,
)
from platform_ops.notify import WebhookNotifier
from platform_ops.sources.http import ArchivingHttpOperator
from platform_ops.sources.sql import ArchivingSqlOperator
from platform_ops.testing.runner import run_task
from tests.archive.places import Disk
from tests.archive.samples import aged, commit, slot
from tests.archive.samples import run as another_run
from tests.archive.strays import FOLDER, LONG_AGO, orphan
from tests.fakes.wire import Wire, reset, say, wire

REPLAY = {"platform_ops": {"replay": True}}


class Given(ArchivingOperator):
    """Archives what it is given."""

    bodies: tuple[bytes, ...] = ()
    rows: int | None = None
    rival = False

    def fetch(self, context: Any) -> Iterator[Part]:
        for number, body in enumerate(self.bodies):
            yield Part(f"{number}.bin", [body], Origin("test://given"), rows=self.rows)
        if self.rival:
            slot = slot_of(context, Entity.parse(self.entity))
            with archive.session(slot, another_run("rival"), settings=site_settings()) as session:
                session.write(Part("0.bin", [b"rival"], Origin("test://given")))


class Broken(ArchivingOperator):
    def fetch(self, context: Any) -> Iterator[Part]:  # noqa: ARG002  # the base class's signature
        raise SourceRejected("no")


def given(entity: str, *bodies: bytes, kind: Any = Given, **state: Any) -> Any:
    with DAG("measured"):
        operator = kind(task_id="capture", entity=entity, retries=2)
    for name, value in {"bodies": bodies, **state}.items():
        setattr(operator, name, value)
    return operator


def main() -> None:
    stats.initialize(
        factory=stats_utils.get_stats_factory(),
        export_legacy_names=conf.getboolean("metrics", "legacy_names_on"),
    )
    day = "2024-03-05"
    run_task(given("shop.orders", b"1234", b"56", rows=7), at=day)
    run_task(given("shop.orders"), at=day, try_number=2)
    run_task(given("shop.orders", b"1234", b"56", rows=7), at=day, run_id="again")
    run_task(given("shop.orders"), at=day, run_id="replay", conf=REPLAY)
    run_task(given("shop.nothing", b""), at=day)
    run_task(given("shop.contested", b"mine", rival=True), at=day)
    run_task(given("shop.broken", kind=Broken), at=day)
    run_task(given("shop.missed"), at=day, conf=REPLAY)
    audit()
    run_task(given("shop.odd name, of=all:|kinds", b"x"), at=day)
    with wire() as server, pytest.MonkeyPatch.context() as patch:
        server.connect(patch)
        server.on("/f", reset, say(b"sunny"))
        with DAG("measured"):
            fetch = ArchivingHttpOperator(
                task_id="http", entity="weather.forecast", endpoint="/f", http_conn_id="source"
            )
        run_task(fetch, at=day)
        told(server, day, patch)
        changed(day, patch)
        scheduled(patch)
        keep(day, patch)


def told(server: Wire, day: str, patch: pytest.MonkeyPatch) -> None:
    """A failure of which one webhook hears, and another does not."""
    server.connect(patch, "pager", conn_type="http", login=None)
    server.on("/", say())
    notifiers = [WebhookNotifier(connection=each, ended="failure") for each in ("pager", "nowhere")]
    with DAG("measured", default_args={"on_failure_callback": notifiers}):
        task = Broken(task_id="told", entity="shop.broken")
    run_task(task, at=day, callbacks=True)


def changed(day: str, patch: pytest.MonkeyPatch) -> None:
    """A table that is read again once it has another column."""
    place = Disk(Path(site_settings().archive.root.removeprefix("file://")))
    file = place.folder / "changed.sqlite"
    about = {"conn_type": "archiving_sqlite", "host": str(file)}
    patch.setenv("AIRFLOW_CONN_SHOP", json.dumps(about))
    with DAG("measured"):
        read = ArchivingSqlOperator(
            task_id="sql", entity="shop.changed", conn_id="shop", table="changed"
        )
    with closing(sqlite3.connect(file)) as shop:
        shop.execute("CREATE TABLE changed (a INTEGER)")
        run_task(read, at=day)
        shop.execute("ALTER TABLE changed ADD COLUMN b TEXT")
        run_task(read, at=day, run_id="again")


def scheduled(patch: pytest.MonkeyPatch) -> None:
    """An entity whose next slot is due at a time that the site names."""
    place = Disk(Path(site_settings().archive.root.removeprefix("file://")))
    config = place.folder / "scheduled.toml"
    config.write_text('[sources.shop.entities.hourly]\nschedule = "@hourly"\ngrace_minutes = 10\n')
    patch.setenv("PLATFORM_OPS_CONFIG", str(config))
    run_task(given("shop.hourly", b"x"), at=f"{datetime.now(UTC):%Y-%m-%dT%H:00Z}")
    run_task(given("shop.hourly", b"x"), at="2024-03-05T10:00Z")


def audit() -> None:
    """A stock operator that archives nothing."""
    with DAG("measured"):
        stock = HttpOperator(task_id="stock", http_conn_id="nobody", endpoint="/f", method="GET")
    for listener in cast("list[Any]", ArchiveAuditor.listeners):
        listener.on_task_instance_success(None, SimpleNamespace(task=stock))


def keep(day: str, patch: pytest.MonkeyPatch) -> None:
    """A fault, something to sweep, and payloads whose time is over."""
    place = Disk(Path(site_settings().archive.root.removeprefix("file://")))
    config = place.folder / "platform.toml"
    config.write_text(
        "[sources.weather.entities.forecast]\nretention_days = 30\n"
        '[sources.shop.entities.warned]\non_empty = "warn"\n'
    )
    patch.setenv("PLATFORM_OPS_CONFIG", str(config))
    run_task(given("shop.warned", b""), at=day)
    with aged(days=40):
        done = commit(site_settings(), at=slot(7))
    orphan(place, f"{FOLDER}/000009-0123456789ab/a", LONG_AGO)
    place.write(done.manifest.payloads[0].key, b"Sunny")
    work: list[tuple[Any, dict[str, Any]]] = [  # Any: of three classes, and their own arguments
        (ArchiveVerifyOperator, {}),
        (ArchiveSweepOperator, {}),
        (ArchiveSweepOperator, {"delete": True}),
        (ArchiveExpireOperator, {"delete": True, "pause_days": 0}),
    ]
    for operator, options in work:
        with DAG("measured"):
            task = operator(task_id="keep", prefix="v1/weather/forecast", **options)
        run_task(task, at=day)


if __name__ == "__main__":
    main()
