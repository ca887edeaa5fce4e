"""``archive rehearse``: what a replay would read."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from platform_ops import archive
from platform_ops.archive.records.tombstones import Tombstone, tombstone_key
from platform_ops.archive.stores.store import put_once
from platform_ops.settings import Settings
from tests.archive.places import Disk
from tests.archive.samples import TUESDAY, commit, part, run, slot
from tests.cli.conftest import Call

SLOT = "v1/weather/forecast/dt=2024-03-05/at=000000Z"
DAYS = ("weather.forecast", "--since", "2024-03-05", "--until", "2024-03-08")


@pytest.fixture
def filled(disk: Disk, site: Callable[[], Settings], tmp_path: Path) -> Disk:
    """Two revisions on Tuesday, two mapped slots on Wednesday, and Thursday missing."""
    (tmp_path / "conf").mkdir()
    text = "[sources.weather.entities.forecast]\nschedule = '@daily'\n"
    (tmp_path / "conf" / "platform.toml").write_text(text, encoding="utf-8")
    commit(site(), part(b"sunny"))
    commit(site(), part(b"rainy"), by=run("manual-2"))
    for key in ("EWX", "OKX"):
        commit(site(), part(b"windy"), at=slot(1, map_key=key), by=run(key))
    return disk


def scenes(cli: Call, *options: str) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in cli("archive", "rehearse", *DAYS, "--json", *options).stdout.splitlines()
    ]


def test_each_slot_is_told_with_what_would_be_read(filled: Disk, cli: Call) -> None:
    found = scenes(cli)
    assert [(each["time_utc"][8:10], each["map_key"], each["revision"]) for each in found] == [
        ("05", None, 2), ("06", "EWX", 1), ("06", "OKX", 1), ("07", None, None),
    ]  # fmt: skip
    assert found[0]["manifest_url"] == f"{filled.root}/meta/{SLOT}/000002.json"
    assert [each["refusal"] for each in found] == [None, None, None, "nothing is archived"]


def test_a_refusal_shows_in_the_table_and_in_the_exit_code(filled: Disk, cli: Call) -> None:
    result = cli("archive", "rehearse", *DAYS)
    assert result.exit_code == 1
    assert "2024-03-07 00:00" in result.stdout
    assert "refused: nothing is archived" in result.stdout
    assert result.stdout.endswith("a replay would read 3 slots, and refuse 1\n")
    whole = cli("archive", "rehearse", "weather.forecast", "--on", "2024-03-05")
    assert (whole.exit_code, whole.stdout.splitlines()[-1]) == (0, "a replay would read 1 slot")


def test_a_pinned_revision_and_a_moment_are_heeded(filled: Disk, cli: Call) -> None:
    assert [each["revision"] for each in scenes(cli, "--revision", "1")] == [1, 1, 1, None]
    assert scenes(cli, "--revision", "2")[1]["refusal"] == "nothing is archived as revision 2"
    before = (TUESDAY - timedelta(days=1)).isoformat()
    refusals = {each["refusal"] for each in scenes(cli, "--as-of", before)}
    assert refusals == {f"nothing is archived as of {before}", "nothing is archived"}


def test_what_cannot_be_read_is_refused(
    filled: Disk, cli: Call, site: Callable[[], Settings]
) -> None:
    lost = next(key for key in filled.objects() if key.startswith(f"data/{SLOT}/000002-"))
    filled.remove(lost)
    assert scenes(cli)[0]["refusal"] == f"{filled.root}/{lost}: missing"
    first = archive.newest(slot(), revision=1, settings=site())
    digest = archive.refer(first, site()).manifest_sha256
    stone = Tombstone(slot(), 1, "erased", "on request", "keeper", TUESDAY, 5, digest)
    put_once(archive.root(site()), tombstone_key(f"meta/{SLOT}/000001.json"), stone.to_json())
    assert scenes(cli, "--revision", "1")[0]["refusal"] == "revision 1 expired or was erased"


def test_a_rehearsal_of_nothing_is_no_success(disk: Disk, cli: Call) -> None:
    result = cli("archive", "rehearse", "weather.snow")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, "a replay would read 0 slots")
