"""``archive history`` and ``archive diff``."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from platform_ops import archive
from platform_ops.archive.records.tombstones import Tombstone, tombstone_key
from platform_ops.archive.stores.store import put_once
from platform_ops.archive.upkeep.holding import place
from platform_ops.entity import Origin, Part
from platform_ops.settings import Settings
from tests.archive.places import Disk
from tests.archive.samples import FORECAST, TUESDAY, commit, part, run, slot
from tests.cli.conftest import Call

SLOT = "v1/weather/forecast/dt=2024-03-05/at=000000Z"
TUESDAYS = ("weather.forecast", "--time", "2024-03-05")


def csv(text: str, etag: str) -> Part:
    return part_with("stations.csv", text, "text/csv; charset=utf-8", {"etag": etag})


def part_with(name: str, text: str, media_type: str, headers: dict[str, str] | None = None) -> Part:
    return Part(name, [text.encode()], Origin("https://a", headers=headers or {}), media_type)


@pytest.fixture
def filled(disk: Disk, site: Callable[[], Settings]) -> Disk:
    kept = part(b"x" * 2048, "kept.bin")
    gone = part(b"old", "gone.bin")
    commit(site(), csv("id,name\n1,EWX\n2,OKX\n", "one"), kept, gone)
    new = part(b"new", "new.bin")
    commit(site(), csv("id,name\n2,OKX\n3,LOT\n4,SEW\n", "two"), kept, new, by=run("manual-2"))
    return disk


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_history_tells_who_wrote_what_and_when(filled: Disk, cli: Call) -> None:
    shown = lines(cli("archive", "history", *TUESDAYS).stdout)
    assert shown[0] == f"{filled.root}/data/{SLOT}"
    assert shown[2].split()[0] == "2"
    assert "weather.forecast manual-2" in shown[2]
    assert shown[2].endswith("1 changed, 1 added, 1 removed")
    assert shown[3].endswith("first")


def test_history_as_json(filled: Disk, cli: Call) -> None:
    result = cli("archive", "history", f"{filled.root}/data/{SLOT}", "--json")
    newer, older = map(json.loads, result.stdout.splitlines())
    assert (newer["revision"], newer["run_id"], newer["bodies"]) == (2, "manual-2", 3)
    assert newer["changes"] == {"changed": 1, "same": 1, "removed": 1, "added": 1}
    assert (older["manifest_url"], older["fault"]) == (
        f"{filled.root}/meta/{SLOT}/000001.json",
        None,
    )


def test_history_shows_a_tombstone_and_a_hold(
    filled: Disk, cli: Call, site: Callable[[], Settings]
) -> None:
    first = archive.newest(slot(), revision=1, settings=site())
    digest = archive.refer(first, site()).manifest_sha256
    stone = Tombstone(slot(), 1, "expired", "after 30 days", "keeper", TUESDAY, 2070, digest)
    store = archive.root(site())
    put_once(store, tombstone_key(f"meta/{SLOT}/000001.json"), stone.to_json())
    place(store, FORECAST, reason="case 7", by="legal")
    shown = lines(cli("archive", "history", *TUESDAYS).stdout)
    assert shown[3].endswith("expired 2024-03-05 by keeper")
    assert shown[4].endswith("on weather.forecast: case 7")
    (row, *_) = cli("archive", "history", *TUESDAYS, "--json").stdout.splitlines()[1:]
    assert json.loads(row)["removed"] == {
        "cause": "expired",
        "by": "keeper",
        "reason": "after 30 days",
    }


def test_history_names_a_damaged_manifest_and_tells_the_rest(filled: Disk, cli: Call) -> None:
    filled.write(f"meta/{SLOT}/000001.json", b"{}")
    result = cli("archive", "history", *TUESDAYS)
    assert result.exit_code == 1
    assert "000001.json" in result.stdout
    assert f"{filled.root}/meta/{SLOT}/000001.json: not a manifest" in result.stdout
    assert "manual-2" in result.stdout


def test_history_of_nothing_says_so(filled: Disk, cli: Call) -> None:
    result = cli("archive", "history", "weather.forecast", "--time", "2024-04-01")
    assert result.exit_code == 2
    assert "weather.forecast 2024-04-01T00:00:00Z: nothing is archived in" in result.stderr


def test_diff_tells_payloads_headers_rows_and_lines(filled: Disk, cli: Call) -> None:
    result = cli("archive", "diff", *TUESDAYS)
    shown = lines(result.stdout)
    assert result.exit_code == 1
    assert [line.split()[:2] for line in shown[3:7]] == [
        ["changed", "stations.csv"], ["same", "kept.bin"], ["added", "new.bin"], ["removed", "gone.bin"],
    ]  # fmt: skip
    assert shown[3].split()[2:] == ["20", "B", "26", "B", "2", "1"]
    assert shown[7:] == [
        "stations.csv: etag: one → two",
        "--- before/stations.csv",
        "+++ after/stations.csv",
        "@@ -1,3 +1,4 @@",
        " id,name",
        "-1,EWX",
        " 2,OKX",
        "+3,LOT",
        "+4,SEW",
    ]


def test_diff_shows_as_many_lines_as_it_is_told(filled: Disk, cli: Call) -> None:
    shown = lines(cli("archive", "diff", *TUESDAYS, "--lines", "3").stdout)
    assert shown[-2:] == ["@@ -1,3 +1,4 @@", "… the first 3 lines; --lines shows more"]
    assert "EWX" not in cli("archive", "diff", *TUESDAYS, "--lines", "0").stdout


def test_diff_gives_each_value_of_json_a_line(
    disk: Disk, cli: Call, site: Callable[[], Settings]
) -> None:
    commit(site(), part_with("a.json", '{"a": 1, "b": [1, 2]}', "application/json"))
    commit(site(), part_with("a.json", '{"a": 1,"b":[1,3]}', "application/json"), by=run("again"))
    (row,) = cli("archive", "diff", *TUESDAYS, "--json").stdout.splitlines()
    found = json.loads(row)
    assert [line for line in found["text"][2:] if line[0] in "+-"] == ["-    2", "+    3"]
    assert (found["kind"], found["rows_added"]) == ("changed", None)


def test_diff_of_equal_revisions_exits_with_0(
    disk: Disk, cli: Call, site: Callable[[], Settings]
) -> None:
    commit(site(), part(b"same"))
    commit(site(), part(b"same"), by=run("again"))
    assert cli("archive", "diff", *TUESDAYS).exit_code == 0


def test_diff_takes_any_two_by_their_urls(
    filled: Disk, cli: Call, site: Callable[[], Settings]
) -> None:
    commit(site(), csv("id,name\n1,EWX\n2,OKX\n", "one"), at=slot(1), by=run("next"))
    other = f"{filled.root}/data/{SLOT.replace('-05', '-06')}"
    first = f"{filled.root}/meta/{SLOT}/000001.json"
    shown = lines(cli("archive", "diff", first, other).stdout)
    assert [line.split()[0] for line in shown[3:]] == ["same", "removed", "removed"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*TUESDAYS, "--to", "3"], "no revision 3; it has: 1, 2"),
        (["a.b"], "a.b: give --time, the time of its slot"),
        (["file:///a", "file:///b", "--time", "2024-03-05"], "give no options with them"),
        (["a.b", "a.c", "a.d"], "or the URLs of two revisions"),
    ],
)
def test_a_wrong_diff_is_told(filled: Disk, cli: Call, arguments: list[str], message: str) -> None:
    result = cli("archive", "diff", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
