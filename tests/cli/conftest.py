"""The command line as a person calls it, on an archive that the environment names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from platform_ops import settings
from platform_ops.cli import main
from platform_ops.settings import Settings
from tests.archive.places import Disk, Place, place_of

Call = Callable[..., Result]


@pytest.fixture(autouse=True)
def _nobodys_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this checkout: another folder, and an Airflow home of its own."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("AIRFLOW_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    found = Disk(tmp_path / "archive")
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", found.root)
    return found


@pytest.fixture(params=["disk", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    found = place_of(request, tmp_path / "archive")
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", found.root)
    return found


@pytest.fixture
def site() -> Callable[[], Settings]:
    """The settings that the command line will find."""
    return lambda: settings.load().settings


@pytest.fixture
def cli() -> Call:
    """Call ``platform-ops`` in this process; an error that it did not expect is raised here."""

    def call(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(main, arguments, env=environment, catch_exceptions=False)

    return call
