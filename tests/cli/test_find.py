from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click
import pytest

from platform_ops.cli.arguments import parse_time
from platform_ops.settings import Settings
from tests.archive.places import Disk, Place
from tests.archive.samples import commit, part, run, slot
from tests.cli.conftest import Call

NOW = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)
SLOT = "v1/weather/forecast/dt=2024-03-05/at=000000Z"


@pytest.fixture
def filled(place: Place, site: Callable[[], Settings]) -> Place:
    commit(site(), part(b"sunny", rows=1))
    commit(site(), part(b"rainy", rows=1), by=run("manual-2"))
    commit(site(), part(b"windy"), at=slot(1, map_key="EWX"), by=run("scheduled-3"))
    return place


def found(cli: Call, *arguments: str) -> list[dict[str, Any]]:
    result = cli("archive", "find", "--json", *arguments)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == (0 if rows else 1)
    return rows


def test_find_as_json_gives_a_line_for_each_revision(filled: Place, cli: Call) -> None:
    (row,) = found(cli, "--run", "manual-2")
    assert (row["entity"], row["time_utc"]) == ("weather.forecast", "2024-03-05T00:00:00+00:00")
    assert row["manifest_url"] == f"{filled.root}/meta/{SLOT}/000002.json"
    assert (row["dag_id"], row["task_id"], row["run_id"]) == ("weather", "forecast", "manual-2")
    assert (row["revision"], row["size_bytes"], row["rows"]) == (2, 5, 1)
    assert datetime.fromisoformat(row["as_of_utc"]).tzinfo is not None


@pytest.mark.parametrize(
    ("arguments", "revisions"),
    [
        (["weather.forecast"], 3),
        (["--dag", "weather", "--on", "2024-03-05"], 2),
        (["--since", "2024-03-06"], 1),
        (["--task", "forecast", "--until", "2024-03-06"], 2),
        (["--url", "https://weather.example/*"], 3),
        (["weather.snow"], 0),
        (["--source", "weather"], 3),
        (["--source", "shop"], 0),
        (["--run", "manual-9"], 0),
    ],
)
def test_all_that_is_given_must_hold(
    filled: Place, cli: Call, arguments: list[str], revisions: int
) -> None:
    assert len(found(cli, *arguments)) == revisions


def test_an_answer_is_as_of_the_last_listing_and_fresh_lists(
    filled: Place, cli: Call, site: Callable[[], Settings]
) -> None:
    assert len(found(cli, "weather.forecast")) == 3
    commit(site(), part(b"calm"), at=slot(2), by=run("scheduled-4"))
    assert len(found(cli, "weather.forecast")) == 3
    assert len(found(cli, "weather.forecast", "--fresh")) == 4


def test_find_shows_a_table_for_each_entity(filled: Place, cli: Call) -> None:
    shown = [
        line.rstrip() for line in cli("archive", "find", "weather.forecast").stdout.splitlines()
    ]
    assert shown[0] == filled.root
    assert shown[2] == "weather.forecast  3 revisions by weather.forecast"
    headings = "TIME(UTC)KEYSREVRUNSIZECOMMITTED(UTC)"
    assert shown[3].replace(" ", "") == headings
    assert shown[5].split()[:5] == ["2024-03-05", "00:00", "2", "manual-2", "5"]
    assert "map=EWX" in shown[6]
    assert shown[8].startswith("3 revisions, as of now, ")


def test_a_damaged_manifest_is_named_and_the_exit_code_says_so(filled: Place, cli: Call) -> None:
    filled.write(f"meta/{SLOT}/000002.json", b"{}")
    result = cli("archive", "find", "--run", "scheduled-3")
    assert result.exit_code == 1
    assert (
        f"damaged, and not searched: {filled.root}/meta/{SLOT}/000002.json: not a manifest"
        in result.stdout
    )
    assert "1 revision, as of now" in result.stdout


def test_a_manifest_that_is_gone_is_named(filled: Place, cli: Call) -> None:
    """The newest of its slot: the chain shows no gap."""
    cli("archive", "find", "weather.forecast")
    filled.remove(f"meta/{SLOT}/000002.json")
    result = cli("archive", "find", "weather.forecast", "--fresh")
    gone = f"gone since an earlier listing: {filled.root}/meta/{SLOT}/000002.json (run manual-2)"
    assert (result.exit_code, gone in result.stdout.splitlines()) == (1, True)
    asked = cli("archive", "status", "weather.forecast", "--since", "2024-03-05")
    assert (asked.exit_code, gone in asked.stdout.splitlines()) == (1, True)
    assert asked.stdout.endswith("1 manifest gone\n")


def test_nothing_found_says_so(filled: Place, cli: Call) -> None:
    result = cli("archive", "find", "--run", "manual-9")
    assert (result.exit_code, result.stderr) == (1, "")
    assert "nothing is found, as of now" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to find: an ENTITY, --run, --sha256, --name, --url, --since"),
        (["--sha256", "xyz"], "sha256='xyz' is no digest; give 6 to 64 hex digits of its start"),
        (["--on", "today", "--since", "7d"], "--on says it all"),
    ],
)
def test_wrong_usage_says_what_is_right(
    disk: Disk, cli: Call, arguments: list[str], message: str
) -> None:
    result = cli("archive", "find", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_an_index_that_cannot_be_written_is_told(disk: Disk, cli: Call) -> None:
    result = cli("archive", "find", "weather.forecast", PLATFORM_OPS__ARCHIVE__INDEX="/dev/null/x")
    assert result.exit_code == 2
    assert "the index cannot be written" in result.stderr
    assert "PLATFORM_OPS__ARCHIVE__INDEX" in result.stderr


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("today", "2026-11-21T00:00"),
        ("yesterday", "2026-11-20T00:00"),
        ("7d", "2026-11-14T00:00"),
        ("12h", "2026-11-20T16:30"),
        ("2026-11-01", "2026-11-01T00:00"),
        ("2026-11-01T06:00+02:00", "2026-11-01T04:00"),
    ],
)
def test_times_may_be_given_in_words(text: str, time: str) -> None:
    assert parse_time(text, NOW) == datetime.fromisoformat(time).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["tuesday", "7", "d", "99999999d", "-1d"])
def test_what_is_no_time_is_told(text: str) -> None:
    with pytest.raises(click.BadParameter, match="today, yesterday, 7d"):
        parse_time(text, NOW)
