"""What the reference says of ``--json`` is what the commands print."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from platform_ops.settings import Settings
from tests.archive.places import Disk
from tests.archive.samples import commit, part, run
from tests.cli.conftest import Call

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"
SLOT = ("weather.forecast", "--time", "2024-03-05")
SINCE = ("weather.forecast", "--since", "2024-03-05")
NESTED = {"cause", "by", "reason", "state", "due_utc", "manifest_urls"}
"""Fields of an object within the line."""


def documented(command: str) -> set[str]:
    (row,) = [
        line
        for line in REFERENCE.read_text("utf-8").splitlines()
        if line.startswith(f"| `archive {command}` |")
    ]
    return set(re.findall(r"`(\w+)`", row.rsplit("|", 2)[1])) - NESTED


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("ls", SINCE),
        ("find", SINCE),
        ("status", SINCE),
        ("history", SLOT),
        ("diff", SLOT),
        ("rehearse", SINCE),
    ],
)
def test_every_field_is_documented_and_nothing_else(
    disk: Disk, site: Callable[[], Settings], cli: Call, command: str, arguments: tuple[str, ...]
) -> None:
    commit(site(), part(b"sunny"))
    commit(site(), part(b"rainy"), by=run("manual-2"))
    line = cli("archive", command, *arguments, "--json").stdout.splitlines()[0]
    nested = {"time_utc"} if command == "status" else set()
    assert set(json.loads(line)) == documented(command) - nested
