"""A pytest plugin: run a DAG's tasks against a temporary archive and a recorded source.

Installed with ``platform-ops[testing]``, its fixtures are there in every test. Tasks run in Airflow's
own task runner, with no database, in milliseconds::

    def test_forecast(run_task, recorded_source, platform_archive):
        recorded_source.connect("weather_api")
        recorded_source.answer("/forecast", b'{"high": 31}', "application/json")
        ran = run_task(dag.get_task("forecast"), at="2015-12-01")
        assert ran.state == "success"
        assert archive.open(ran.xcom).read() == b'{"high": 31}'
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from platform_ops.settings import Settings
    from platform_ops.testing.runner import DagResult, TaskResult
    from platform_ops.testing.source import RecordedSource

__all__ = ["platform_archive", "recorded_source", "run_dag", "run_task"]


@pytest.fixture
def platform_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An empty archive below ``tmp_path``, in force for this test; returns the settings."""
    from platform_ops import settings

    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", f"file://{tmp_path / 'archive'}")
    return settings.load().settings


@pytest.fixture
def recorded_source(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedSource]:
    """A real HTTP server on loopback that gives recorded answers and counts what it was asked."""
    from platform_ops.testing.source import RecordedSource

    with RecordedSource.started(monkeypatch) as source:
        yield source


@pytest.fixture
def _quiet_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    # Airflow's examples bring a listener that prints a page for each task.
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")


@pytest.fixture
def run_task(
    platform_archive: Settings,  # noqa: ARG001  # in force
    _quiet_airflow: None,
) -> Callable[..., TaskResult]:
    """Run one task in Airflow's task runner; see :func:`platform_ops.testing.runner.run_task`."""
    from platform_ops.testing import runner

    return runner.run_task


@pytest.fixture
def run_dag(
    platform_archive: Settings,  # noqa: ARG001  # in force
    _quiet_airflow: None,
) -> Callable[..., DagResult]:
    """Run a DAG, task by task; see :func:`platform_ops.testing.runner.run_dag`."""
    from platform_ops.testing import runner

    return runner.run_dag
