"""What OpenLineage and Airflow's own collector of lineage are told of a capture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from airflow.sdk import DAG
from airflow.sdk.lineage import HookLineageCollector
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.serde import Serde

from platform_ops import archive
from platform_ops.entity import Origin, Part
from platform_ops.ingest import ArchivingOperator
from platform_ops.ingest.lineage import facets_of
from platform_ops.settings import Settings
from platform_ops.tabular import parquet_part
from platform_ops.testing.runner import run_task
from tests.openlineage_schema import faults

DAY = "2024-03-05"
SITE = """
[sources.shop]
owner = "sales"
[sources.shop.entities.orders]
description = "Orders of one day."
"""
TABLE = pa.table({"id": pa.array([1, 2], pa.int64()), "price": pa.array(["1", "2"])})


class Pages(ArchivingOperator):
    """Two pages of one thing, and a third of another."""

    def fetch(self, context: Any) -> Iterator[Part]:  # noqa: ARG002  # the base class's signature
        for number in (1, 2):
            origin = Origin(f"https://shop.example:8443/v1/orders?page={number}")
            yield Part(f"{number}.json", [b"{}"], origin, media_type="application/json", rows=3)
        yield Part("rates.json", [b"[]"], Origin("https://rates.example/today"), rows=0)


class Rows(ArchivingOperator):
    def fetch(self, context: Any) -> Iterator[Part]:  # noqa: ARG002  # the base class's signature
        origin = Origin("postgres://db.example:5432/shop.public.orders")
        yield parquet_part(TABLE.to_batches(), "orders.parquet", origin)


@pytest.fixture(autouse=True)
def _site(platform_archive: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "platform.toml"
    path.write_text(SITE)
    monkeypatch.setenv("PLATFORM_OPS_CONFIG", str(path))


def ran(kind: type[ArchivingOperator], **arguments: Any) -> dict[str, Any]:
    with DAG("lineage"):
        operator = kind(task_id="capture", entity="shop.orders")
    done = run_task(operator, at=DAY, **arguments)
    assert done.state == "success", done.error
    reference: dict[str, Any] = done.xcom
    return reference


def told(reference: dict[str, Any]) -> dict[str, Any]:
    """The event's datasets as JSON, without the addresses of schemas."""
    plain: dict[str, Any] = Serde.to_dict(facets_of(archive.manifest(reference)))
    return plain


def facets(dataset: dict[str, Any]) -> dict[str, Any]:
    """Facets without what every facet has."""
    return {
        name: {key: value for key, value in facet.items() if not key.startswith("_")}
        for name, facet in {**dataset["facets"], **dataset["outputFacets"]}.items()
    }


def event_of(reference: dict[str, Any]) -> dict[str, Any]:
    """The event of a task that archived this, as it goes over the wire."""
    lineage = facets_of(archive.manifest(reference))
    event = RunEvent(
        eventType=RunState.COMPLETE,
        eventTime=datetime.now(UTC).isoformat(),
        run=Run(runId=str(uuid4())),
        job=Job(namespace="test", name="lineage.capture"),
        inputs=lineage.inputs,
        outputs=lineage.outputs,
    )
    sent: dict[str, Any] = json.loads(Serde.to_json(event))
    return sent


@pytest.mark.parametrize("kind", [Pages, Rows])
def test_every_facet_is_as_its_schema_says(kind: type[ArchivingOperator]) -> None:
    held: set[str] = set()
    assert faults(event_of(ran(kind)), held) == []
    always = {
        "version", "storage", "symlinks", "documentation", "ownership", "outputStatistics",
    }  # fmt: skip
    assert held == always | ({"schema"} if kind is Rows else set())


def test_an_event_that_is_wrong_is_seen_to_be() -> None:
    event = event_of(ran(Rows))
    (output,) = event["outputs"]
    del output["facets"]["storage"]["storageLayer"]
    output["facets"]["version"]["datasetVersion"] = 1
    output["facets"]["schema"]["fields"][0]["nullable"] = True
    output["facets"]["ownership"]["_producer"] = "us"
    output["outputFacets"]["storage"] = output["facets"]["storage"]
    event["run"]["runId"] = "1"
    event["eventTime"] = "2024-03-05T00:00:00"
    found = {each.partition(":")[0] for each in faults(event)}
    assert found == {
        "event.eventTime",
        "event.outputs[0].facets.ownership._producer",
        "event.outputs[0].facets.schema.fields[0].nullable",
        "event.outputs[0].facets.storage.storageLayer",
        "event.outputs[0].facets.version.datasetVersion",
        "event.outputs[0].outputFacets.storage",
        "event.run.runId",
    }


def test_pages_of_one_thing_are_one_input_without_parameters() -> None:
    inputs = [(each["namespace"], each["name"]) for each in told(ran(Pages))["inputs"]]
    assert inputs == [
        ("https://shop.example:8443", "v1/orders"),
        ("https://rates.example", "today"),
    ]


def test_the_output_is_the_entity_and_its_version_the_revision() -> None:
    reference = ran(Pages)
    (output,) = told(reference)["outputs"]
    root = archive.root().url.removeprefix("file:///")
    assert (output["namespace"], output["name"]) == ("file", f"{root}/shop.orders")
    assert facets(output) == {
        "version": {"datasetVersion": f"1:{reference['sha256']}"},
        "storage": {"storageLayer": "file"},
        "symlinks": {
            "identifiers": [{"namespace": "platform-ops://shop", "name": "orders", "type": "TABLE"}]
        },
        "documentation": {"description": "Orders of one day."},
        "ownership": {"owners": [{"name": "team:sales", "type": "OWNER"}]},
        "outputStatistics": {"rowCount": 6, "size": 6, "fileCount": 3},
    }


def test_a_table_tells_its_columns_and_its_format() -> None:
    (output,) = told(ran(Rows))["outputs"]
    found = facets(output)
    columns = [(each["name"], each["type"]) for each in found["schema"]["fields"]]
    assert columns == [("id", "int64"), ("price", "string")]
    assert found["storage"]["fileFormat"] == "parquet"
    assert found["outputStatistics"]["rowCount"] == 2


def test_airflows_own_collector_hears_of_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = HookLineageCollector()  # type: ignore[no-untyped-call]  # Airflow's own
    monkeypatch.setattr("airflow.sdk.lineage.get_hook_lineage_collector", lambda: collector)
    reference = ran(Pages)
    heard = collector.collected_assets
    assert {each.asset.uri for each in heard.outputs} == set(reference["payload_urls"])
    assert {each.asset.uri for each in heard.inputs} == {
        "https://shop.example:8443/v1/orders",
        "https://rates.example/today",
    }


def test_a_task_that_committed_nothing_tells_nothing() -> None:
    with DAG("lineage"):
        operator = Pages(task_id="capture", entity="shop.orders")
    assert operator.get_openlineage_facets_on_complete(None) is None  # type: ignore[arg-type]  # unused
