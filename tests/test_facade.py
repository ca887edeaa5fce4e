"""The public facade: what it names, and what it costs to import."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import pytest

import platform_ops

PUBLIC = [
    "ArchiveConflict",
    "ArchiveCorrupt",
    "ArchiveError",
    "ArchivingDuckDbHook",
    "ArchivingFtpOperator",
    "ArchivingFtpSensor",
    "ArchivingHttpExportOperator",
    "ArchivingHttpHook",
    "ArchivingHttpOperator",
    "ArchivingHttpSensor",
    "ArchivingImapOperator",
    "ArchivingKafkaOperator",
    "ArchivingLocalFilesOperator",
    "ArchivingLocalFilesSensor",
    "ArchivingMySqlHook",
    "ArchivingObjectStoreOperator",
    "ArchivingObjectStoreSensor",
    "ArchivingOperator",
    "ArchivingPostgresHook",
    "ArchivingSftpOperator",
    "ArchivingSftpSensor",
    "ArchivingSqlOperator",
    "ArchivingSqlToSqlOperator",
    "ArchivingSqliteHook",
    "ConfigError",
    "Cursor",
    "Entity",
    "Export",
    "GraphQLCursor",
    "JsonLink",
    "Limits",
    "LinkHeader",
    "Manifest",
    "NotArchived",
    "Offset",
    "Origin",
    "PageNumber",
    "Part",
    "PlatformError",
    "Reference",
    "RunIdentity",
    "Since",
    "Slot",
    "SourceError",
    "archive",
    "archive_session",
    "asset",
    "partitions",
]


def test_the_facade_names_exactly_this() -> None:
    assert platform_ops.__all__ == PUBLIC
    assert dir(platform_ops) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_is_there_and_comes_from_its_home(name: str) -> None:
    found = getattr(platform_ops, name)
    assert getattr(found, "__name__", "").rpartition(".")[2] == name
    assert getattr(platform_ops, name) is found


def test_a_name_that_is_not_there_is_told() -> None:
    with pytest.raises(AttributeError, match="module 'platform_ops' has no attribute 'Stripe'"):
        _ = getattr(platform_ops, "Stripe")  # noqa: B009  # a checker sees it too


def loaded_by(statement: str) -> set[str]:
    """Top-level packages that a fresh Python holds after the statement."""
    script = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(ran.stdout.split())


HEAVY = {"airflow", "pydantic", "requests", "obstore", "pyarrow", "click", "rich", "pytest"}


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import platform_ops") & HEAVY == set()
    assert loaded_by("from platform_ops import Entity, SourceError") & HEAVY == set()


def test_an_analyst_opens_the_archive_without_airflow() -> None:
    loaded = loaded_by("from platform_ops import archive; archive.open")
    assert loaded & {"airflow", "requests", "obstore", "pyarrow"} == set()


FACADES = ["archive", "entity", "ingest", "redaction", "settings"]


@pytest.mark.parametrize("package", FACADES)
def test_a_facade_has_every_name_that_it_lists(package: str) -> None:
    facade = import_module(f"platform_ops.{package}")
    assert dir(facade) == sorted(facade.__all__)
    for name in facade.__all__:
        assert getattr(facade, name) is getattr(facade, name)


@pytest.mark.parametrize("package", FACADES)
def test_a_facade_has_no_name_that_is_a_submodule_too(package: str) -> None:
    """Whichever is loaded last would take the other's place."""
    facade = import_module(f"platform_ops.{package}")
    assert [name for name in facade.__all__ if find_spec(f"{facade.__name__}.{name}")] == []


def test_a_dag_file_loads_nothing_of_the_archive_and_no_model_of_the_settings() -> None:
    """Every task process parses its DAG file again, for all tasks but one in vain."""
    script = """
import json, sys
from airflow.sdk import DAG, task
before = set(sys.modules)
from platform_ops import ArchivingHttpOperator, ArchivingSftpOperator, ArchivingSqlOperator
from platform_ops import archive, archive_session, asset
with DAG("weather", schedule=None):
    ArchivingHttpOperator(task_id="forecast", entity="weather.forecast", endpoint="/forecast")
    ArchivingSqlOperator(task_id="stations", entity="weather.stations", conn_id="w", table="s")
    ArchivingSftpOperator(task_id="reports", entity="weather.reports", folder="/out")
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    loaded = set(json.loads(ran.stdout.splitlines()[-1]))
    ours = {name for name in loaded if name.startswith("platform_ops.archive.")}
    assert ours == {"platform_ops.archive.credentials", "platform_ops.archive.outcome"}
    assert "platform_ops.settings.model" not in loaded
    assert "platform_ops.entity.manifest" not in loaded
    sources = {name for name in loaded if name.startswith("platform_ops.sources.")}
    assert {name.rpartition(".")[2] for name in sources} - {"nothing"} == {
        *("files", "http", "limits", "sql", "web")
    }
    heavy = {"obstore", "pyarrow", "sqlite3", "requests", "backports.zstd", "asyncssh", "tarfile"}
    assert heavy & loaded == set()


def test_the_pytest_plugin_loads_airflow_only_where_a_test_asks_for_it() -> None:
    assert loaded_by("import platform_ops.testing") & {"airflow", "requests", "pydantic"} == set()
