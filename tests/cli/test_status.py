from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from platform_ops.settings import Settings
from tests.archive.places import Disk
from tests.archive.samples import commit, part, run, slot
from tests.cli.conftest import Call

TOML = """
[sources.weather.entities.forecast]
schedule = "@daily"
[sources.weather.entities.gale]
schedule = "@daily"
"""
RANGE = ("--since", "2024-03-05", "--until", "2024-03-08")


@pytest.fixture
def filled(disk: Disk, site: Callable[[], Settings], tmp_path: Path) -> Disk:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "platform.toml").write_text(TOML, encoding="utf-8")
    commit(site(), part(b"sunny"))
    commit(site(), part(b""), at=slot(1), by=run("scheduled-2"))
    return disk


def test_status_names_what_is_not_right(filled: Disk, cli: Call) -> None:
    result = cli("archive", "status", "weather.forecast", *RANGE)
    shown = [line.rstrip() for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [line.split()[0] for line in shown[4:7]] == ["late", "empty", "missing"]
    assert shown[6].split() == ["missing", "2024-03-07", "00:00", "2024-03-08", "00:00"]
    assert shown[8].split() == ["ENTITY", "LATE", "EMPTY", "MISSING", "SCHEDULE"]
    assert shown[9].split() == ["weather.forecast", "1", "1", "1", "@daily"]
    assert shown[-2] == "2024-03-05 00:00Z to 2024-03-08 00:00Z; schedule @daily"
    assert shown[-1] == "1 slot missing"


def test_nothing_missing_exits_with_0(filled: Disk, cli: Call) -> None:
    result = cli("archive", "status", "weather.forecast", "--on", "2024-03-05", "--all")
    assert result.exit_code == 0
    assert result.stdout.endswith("nothing is missing\n")


def test_without_an_entity_each_one_is_told(filled: Disk, cli: Call) -> None:
    result = cli("archive", "status", *RANGE, "--json")
    forecast, gale = map(json.loads, result.stdout.splitlines())
    assert result.exit_code == 1
    assert (forecast["entity"], forecast["schedule"], forecast["inferred"]) == (
        "weather.forecast", "@daily", False,
    )  # fmt: skip
    assert forecast["counts"]["missing"] == 1
    assert [each["state"] for each in forecast["slots"]] == ["late", "empty", "missing"]
    assert (gale["counts"]["missing"], gale["complete"]) == (3, False)


def test_an_entity_without_a_schedule_says_so(
    disk: Disk, cli: Call, site: Callable[[], Settings]
) -> None:
    commit(site())
    result = cli("archive", "status", "weather.forecast", "--on", "2024-03-05")
    assert result.exit_code == 0
    assert "no schedule is set, and none can be inferred: nothing can be missing" in result.stdout


def test_status_of_an_empty_archive_says_so(disk: Disk, cli: Call) -> None:
    result = cli("archive", "status")
    assert result.exit_code == 0
    assert result.stdout.endswith("nothing is archived here, and nothing is expected\n")
