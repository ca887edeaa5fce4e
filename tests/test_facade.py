"""The public facade: what it names, and what it costs to import."""

from __future__ import annotations

import subprocess
import sys

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
        _ = platform_ops.Stripe


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


def test_the_pytest_plugin_loads_airflow_only_where_a_test_asks_for_it() -> None:
    assert loaded_by("import platform_ops.testing") & {"airflow", "requests", "pydantic"} == set()
