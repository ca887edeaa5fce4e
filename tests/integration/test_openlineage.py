"""A real Airflow with OpenLineage's provider, sending to a sink over HTTP."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.demo.airflow import ROOT, Airflow, free_port
from tests.demo.processes import Nursery, poll
from tests.demo.source import Source
from tests.openlineage_schema import faults

JOBS = ("daily_weather.observations", "stock_operator.volatility")
"""Our operator, and Airflow's own over our connection type."""
RUNS = 3


class Sink(BaseHTTPRequestHandler):
    events: list[dict[str, Any]]

    def do_POST(self) -> None:  # the name that http.server calls
        self.events.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as in http.server
        """Say nothing."""


@pytest.fixture(scope="module")
def completed(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """The events of completed tasks, by job."""
    folder = tmp_path_factory.mktemp("openlineage")
    (folder / "dags").mkdir()
    for job in JOBS:
        name = f"{job.partition('.')[0]}.py"
        shutil.copy(ROOT / "docs" / "examples" / name, folder / "dags")
    heard: list[dict[str, Any]] = []
    handler = type("Handler", (Sink,), {"events": heard})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with ExitStack() as stack:
        serving = Thread(target=server.serve_forever)
        serving.start()
        stack.callback(serving.join)
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        source = stack.enter_context(Source.started())
        nursery = stack.enter_context(Nursery.opened(folder / "logs"))
        transport = {"type": "http", "url": f"http://127.0.0.1:{server.server_port}"}
        variables = {
            **source.environment(),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
            "AIRFLOW__OPENLINEAGE__NAMESPACE": "test",
        }
        airflow = Airflow(folder / "airflow", nursery, free_port(), variables)
        airflow.start()
        airflow.ready()

        def by_job() -> dict[str, list[dict[str, Any]]]:
            found: dict[str, list[dict[str, Any]]] = {}
            for event in heard:
                if event["eventType"] == "COMPLETE":
                    found.setdefault(event["job"]["name"], []).append(event)
            return found

        def all_there() -> bool:
            nursery.check()
            found = by_job()
            return all(len(found.get(job, ())) >= RUNS for job in JOBS)

        poll(all_there, "the events of both tasks", 240, interval_s=0.5)
        yield by_job()


def test_every_event_is_as_the_specification_says(
    completed: dict[str, list[dict[str, Any]]],
) -> None:
    held: set[str] = set()
    for found in completed.values():
        for event in found:
            assert faults(event, held) == []
    assert {"version", "storage", "symlinks", "outputStatistics"} <= held


def test_our_operator_tells_its_source_and_its_revision(
    completed: dict[str, list[dict[str, Any]]],
) -> None:
    events = completed["daily_weather.observations"]
    assert len(events) == RUNS
    for event in events:
        assert event["inputs"]
        (output,) = [each for each in event["outputs"] if "noaa.daily_weather" in each["name"]]
        assert output["facets"]["version"]["datasetVersion"].startswith("1:")
        assert output["outputFacets"]["outputStatistics"]["size"] > 0


def test_a_stock_operator_over_our_hook_tells_the_archived_files(
    completed: dict[str, list[dict[str, Any]]],
) -> None:
    events = completed["stock_operator.volatility"]
    outputs = [output["name"] for event in events for output in event["outputs"]]
    assert len([name for name in outputs if "/archive/data/v1/" in name]) == RUNS
