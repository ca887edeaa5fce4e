"""Fixtures for every test: a clean environment, and servers of object stores where asked for."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from platform_ops.archive.stores import store
from tests.fakes.gcs import GcsServer
from tests.fakes.gcs import gcs_server as serve_gcs
from tests.fakes.s3 import S3Server
from tests.fakes.s3 import s3_server as serve_s3
from tests.fakes.statsd import Listener, listener
from tests.fakes.wire import Wire, wire

# How long an example takes depends on who else uses the machine.
hypothesis_settings.register_profile("tests", deadline=None)
hypothesis_settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    """Give Airflow a home of its own before anything imports it, and compile all once."""
    home = tempfile.mkdtemp(prefix="airflow-home-")
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    os.environ |= {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    # Some shells and images forbid bytecode, and uv installs none: each of the many processes that
    # tests start would compile Airflow or Sphinx anew, which takes longer than what it then does.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(sys.prefix, "bytecode")))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test sees the settings or credentials of the machine that it runs on."""
    for name in os.environ:
        if name.startswith(("PLATFORM_OPS", "AWS_", "AZURE_", "GOOGLE_")):
            monkeypatch.delenv(name)
    store.opened.cache_clear()
    yield
    store.opened.cache_clear()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One S3 server for all tests of a worker."""
    with serve_s3() as server:
        yield server


@pytest.fixture
def s3_bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a new bucket, with the credentials for it in the environment."""
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    return s3_server.new_bucket()


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[GcsServer]:
    """One server of Cloud Storage for all tests of a worker."""
    with serve_gcs() as server:
        yield server


@pytest.fixture
def gcs_bucket(gcs_server: GcsServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a new bucket, with a token for it in the environment."""
    for name, value in gcs_server.environment().items():
        monkeypatch.setenv(name, value)
    return gcs_server.new_bucket()


@pytest.fixture
def server() -> Iterator[Wire]:
    """An HTTP server that does what the test's script says."""
    with wire() as running:
        yield running


@pytest.fixture
def statsd() -> Iterator[Listener]:
    """The far end of Airflow's own metrics, sent by its real client, with tags."""
    from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
    from airflow.sdk._shared.observability.metrics.statsd_logger import SafeStatsdLogger
    from airflow.sdk.observability import stats
    from statsd import StatsClient  # type: ignore[import-untyped]  # it has none

    with listener() as end:
        client = StatsClient("127.0.0.1", end.port, prefix="airflow")
        backend = SafeStatsdLogger(client, influxdb_tags_enabled=True, statsd_influxdb_enabled=True)
        stats.initialize(  # Airflow's own classes do not fit its own protocol
            factory=lambda: backend,  # type: ignore[arg-type,return-value]  # see above
            export_legacy_names=False,
        )
        yield end
        stats.initialize(factory=NoStatsLogger, export_legacy_names=False)
        client.close()
