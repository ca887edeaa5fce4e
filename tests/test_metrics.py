"""Every metric of the table, as it reaches the backend."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
from airflow.sdk.observability import stats

import platform_ops
from platform_ops import metrics
from platform_ops.entity import Entity
from platform_ops.metrics import METRICS
from tests.fakes.statsd import Emitted, listener

PACKAGE = Path(platform_ops.__file__).parent
ORDERS = Entity("shop", "orders")


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> list[Emitted]:
    """What ``tests/measured.py`` sent over UDP, by Airflow's options alone."""
    root = tmp_path_factory.mktemp("measured")
    with listener() as end:
        options = {
            "STATSD_ON": "True",
            "STATSD_HOST": "127.0.0.1",
            "STATSD_PORT": str(end.port),
            "STATSD_INFLUXDB_ENABLED": "True",
        }
        environment = {
            **os.environ,
            **{f"AIRFLOW__METRICS__{name}": value for name, value in options.items()},
            "PLATFORM_OPS__ARCHIVE__ROOT": f"file://{root}",
            "PYTHONPATH": str(PACKAGE.parent),
        }
        ran = subprocess.run(
            [sys.executable, "-m", "tests.measured"],
            check=False,
            env=environment,
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        return end.ours()


def values(emitted: list[Emitted], metric: metrics.Metric, entity: str) -> list[float]:
    return [
        each.value for each in emitted if (each.name, each.tags["entity"]) == (metric.name, entity)
    ]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_each_metric_arrives_with_its_kind_and_tags(
    emitted: list[Emitted], metric: metrics.Metric
) -> None:
    found = [each for each in emitted if each.name == metric.name]
    assert found
    assert {each.kind for each in found} == {
        {"counter": "c", "gauge": "g", "timer": "ms"}[metric.kind]
    }
    assert {tuple(each.tags) for each in found} == {metric.tags}


def test_nothing_arrives_that_the_table_lacks(emitted: list[Emitted]) -> None:
    assert {each.name for each in emitted} == {metric.name for metric in METRICS}


def test_counters_count_what_was_committed(emitted: list[Emitted]) -> None:
    # Created, adopted by its retry, and unchanged in another run.
    assert values(emitted, metrics.ENTITIES, "orders") == [1, 1, 1]
    assert values(emitted, metrics.PARTS, "orders") == [2, 2, 2]
    assert values(emitted, metrics.BYTES, "orders") == [6, 6, 6]
    assert values(emitted, metrics.ROWS, "orders") == [14, 14, 14]
    assert values(emitted, metrics.ADOPTED, "orders") == [1]
    assert values(emitted, metrics.UNCHANGED, "orders") == [1]
    assert values(emitted, metrics.REPLAYS, "orders") == [1]
    assert values(emitted, metrics.EMPTY, "nothing") == [1]
    assert values(emitted, metrics.CONFLICTS, "contested") == [1]
    assert values(emitted, metrics.RETRIES, "forecast") == [1]
    assert values(emitted, metrics.SCHEMA_DRIFT, "changed") == [1]
    assert values(emitted, metrics.MESSAGES, "webhook-pager") == [1]


def test_keeping_counts_what_was_found_and_done(emitted: list[Emitted]) -> None:
    faults = [each.tags for each in emitted if each.name == metrics.VERIFY_FAULTS.name]
    assert faults == [{"source": "weather", "entity": "forecast", "kind": "digest"}]
    assert values(emitted, metrics.VERIFIED_BYTES, "forecast") == [10]
    assert values(emitted, metrics.SWEPT, "forecast") == [0, 1]
    assert values(emitted, metrics.SWEEP_BACKLOG, "forecast") == [1, 0]
    assert values(emitted, metrics.EXPIRED, "forecast") == [1]
    assert values(emitted, metrics.REMOVED_BYTES, "forecast") == [5]


def test_an_adoption_took_no_time_at_the_source(emitted: list[Emitted]) -> None:
    assert len(values(emitted, metrics.DURATION, "orders")) == 2


def test_failures_are_told_by_class(emitted: list[Emitted]) -> None:
    found = {
        each.tags["entity"]: each.tags["error"]
        for each in emitted
        if each.name == metrics.FAILURES.name
    }
    assert found == {"broken": "SourceRejected", "missed": "NotArchived"}


def test_an_odd_name_costs_no_tag_and_tears_no_line(emitted: list[Emitted]) -> None:
    assert values(emitted, metrics.BYTES, "odd_name__of_all__kinds") == [1]


def test_the_table_is_whole_and_unambiguous() -> None:
    constants = {value for value in vars(metrics).values() if isinstance(value, metrics.Metric)}
    assert constants == set(METRICS)
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.name.startswith("platform_ops.")
        assert metric.help.endswith(".")
        assert metric.tags[:2] == ("source", "entity")


def uses() -> Iterator[tuple[str, ast.Call]]:
    """Every call of ``metrics.emit`` in the package, and where."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "metrics.emit":
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def test_the_package_emits_only_what_the_table_names_and_all_of_it() -> None:
    names = {name for name, value in vars(metrics).items() if isinstance(value, metrics.Metric)}
    found = {}
    for where, call in uses():
        metric = ast.unparse(call.args[0]).removeprefix("metrics.")
        assert metric in names, f"{where}: {metric} is not in METRICS"
        tags = {keyword.arg for keyword in call.keywords}
        assert tags == set(getattr(metrics, metric).tags) - {"source", "entity"}, where
        found[metric] = where
    assert set(found) == names


def test_only_one_file_touches_airflows_stats() -> None:
    touching = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "observability" in path.read_text()
    ]
    assert touching == ["metrics.py"]


class Refusing:
    """A backend as OpenTelemetry's client is one: it raises where it does not like a name."""

    def __getattr__(self, name: str) -> Any:
        raise ValueError("this backend is broken")


@pytest.mark.parametrize("factory", [Refusing, lambda: 1 / 0], ids=["backend", "factory"])
def test_a_broken_backend_costs_a_line_in_the_log_and_no_data(
    factory: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stats.initialize(factory=factory, export_legacy_names=False)
    try:
        for metric in METRICS:
            metrics.emit(metric, 1, ORDERS)
    finally:
        stats.initialize(factory=NoStatsLogger, export_legacy_names=False)
    told = [record.getMessage() for record in caplog.records if record.name == metrics.__name__]
    assert told == [f"metric {metric.name} was not emitted" for metric in METRICS]


def test_a_backend_that_is_gone_is_not_missed(statsd: Any) -> None:
    statsd.socket.close()
    metrics.emit(metrics.BYTES, 1, ORDERS)
