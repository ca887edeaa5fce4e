from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from platform_ops import archive
from platform_ops.entity import Entity, Slot
from platform_ops.settings import Settings
from platform_ops.url_scheme import DEFAULT_TEMPLATE
from tests.archive.places import Disk, Place, settings_of
from tests.archive.samples import TUESDAY, commit, part, run, slot
from tests.cli.conftest import Call

SLOT = "v1/weather/forecast/dt=2024-03-05/at=000000Z"


@pytest.fixture
def filled(place: Place, site: Callable[[], Settings]) -> Place:
    """Tuesday with two revisions, the second sharing a payload; Wednesday's mapped slot with one."""
    first = [part(b"sunny", "a.json", rows=1), part(b"x" * 2048, "b.json", rows=2)]
    second = [part(b"rainy", "a.json", rows=1), part(b"x" * 2048, "b.json", rows=2)]
    commit(site(), *first)
    commit(site(), *second, by=run("manual-2"))
    commit(site(), part(b"windy"), at=slot(1, map_key="EWX/156"), by=run("scheduled-3"))
    return place


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_ls_as_json_gives_the_newest_revision_of_each_slot(filled: Place, cli: Call) -> None:
    result = cli("archive", "ls", "--json")
    tuesday, wednesday = map(json.loads, result.stdout.splitlines())
    assert result.exit_code == 0
    assert tuesday["entity"] == "weather.forecast"
    assert tuesday["time_utc"] == "2024-03-05T00:00:00+00:00"
    assert (tuesday["revision"], tuesday["revisions"], tuesday["payloads"]) == (2, 2, 2)
    assert (tuesday["size_bytes"], tuesday["rows"]) == (2053, 3)
    assert tuesday["url"] == f"{filled.root}/data/{SLOT}"
    assert tuesday["manifest_url"] == f"{filled.root}/meta/{SLOT}/000002.json"
    assert (wednesday["map_key"], wednesday["size_bytes"]) == ("EWX/156", 5)


def test_ls_shows_a_table(filled: Place, cli: Call) -> None:
    shown = lines(cli("archive", "ls", "weather.forecast").stdout)
    assert shown[0] == filled.root
    assert shown[2] == "weather.forecast  2 slots"
    assert shown[3].split()[:2] == ["TIME", "(UTC)"]
    assert shown[4].split()[:7] == ["2024-03-05", "00:00", "2", "2", "2.0", "KiB", "3"]
    assert "map=EWX/156" in shown[5]


@pytest.mark.parametrize(
    ("options", "days"),
    [
        (["--since", "2024-03-06"], [6]),
        (["--until", "2024-03-06"], [5]),
        (["--since", "2024-03-05T01:00+02:00", "--until", "2024-03-05T02:00:01+02:00"], [5]),
        (["--since", "2024-03-05", "--until", "2024-03-07"], [5, 6]),
        (["--since", "2030-01-01"], []),
    ],
)
def test_ls_takes_times_in_utc_or_in_the_zone_that_they_name(
    filled: Place, cli: Call, options: list[str], days: list[int]
) -> None:
    rows = [json.loads(row) for row in cli("archive", "ls", "--json", *options).stdout.splitlines()]
    assert [row["time_utc"] for row in rows] == [f"2024-03-0{day}T00:00:00+00:00" for day in days]


def test_ls_lists_slots_of_an_older_template(filled: Place, cli: Call) -> None:
    template = "v2/{entity}/{source}/dt={date}/at={time}/part={partition_key}/map={map_key}"
    result = cli("archive", "ls", "--json", PLATFORM_OPS__ARCHIVE__TEMPLATE=template)
    assert len(result.stdout.splitlines()) == 2
    shown = cli(
        "archive", "show", "weather.forecast", "--time", "2024-03-05",
        PLATFORM_OPS__ARCHIVE__TEMPLATE=template,
    )  # fmt: skip
    assert shown.stdout_bytes == filled.read(f"meta/{SLOT}/000002.json")


def test_ls_names_a_damaged_manifest_and_lists_the_rest(filled: Place, cli: Call) -> None:
    key = f"meta/{SLOT}/000002.json"
    filled.write(key, filled.read(key).replace(b'"rows": 1', b'"rows": 7'))
    result = cli("archive", "ls", "--json")
    tuesday, wednesday = map(json.loads, result.stdout.splitlines())
    assert result.exit_code == 1
    assert tuesday["fault"] == (
        f"{filled.root}/{key}: damaged manifest: its seal does not match its text; restore it from a copy"
    )
    assert wednesday["fault"] is None
    assert f"{filled.root}/{key}: damaged" in cli("archive", "ls").stdout


def test_ls_of_an_empty_archive_says_so(place: Place, cli: Call) -> None:
    result = cli("archive", "ls")
    assert (result.exit_code, lines(result.stdout)) == (0, [place.root, "nothing is archived here"])


def test_tree_draws_the_url_scheme_down_to_the_payloads(filled: Place, cli: Call) -> None:
    drawn = lines(cli("archive", "tree", "weather.forecast").stdout)
    without_times = [re.sub(r"  [0-9-]{10} [0-9:]{5}Z", "", line) for line in drawn]
    assert without_times == [
        filled.root,
        "└── v1/weather/forecast",
        "    ├── dt=2024-03-05/at=000000Z",
        "    │   ├── 000002  2.0 KiB, 3 rows",
        "    │   │   ├── a.json  5 B",
        "    │   │   └── b.json  2.0 KiB  same bytes as in 000001",
        "    │   └── 000001  2.0 KiB, 3 rows  superseded",
        "    │       ├── a.json  5 B",
        "    │       └── b.json  2.0 KiB",
        "    └── dt=2024-03-06/at=000000Z/map=%45%57%58%2F156",
        "        └── 000001  5 B",
        "            └── page-0001.json  5 B",
    ]


@pytest.mark.parametrize(
    ("arguments", "revision"),
    [
        (["weather.forecast", "--time", "2024-03-05"], 2),
        (["weather.forecast", "--time", "2024-03-05T02:00+02:00", "--revision", "1"], 1),
        ([f"{{root}}/data/{SLOT}"], 2),
        ([f"{{root}}/data/{SLOT}/"], 2),
        ([f"{{root}}/meta/{SLOT}/000001.json"], 1),
    ],
)
def test_show_in_a_pipe_is_the_stored_manifest_to_the_byte(
    filled: Place, cli: Call, arguments: list[str], revision: int
) -> None:
    result = cli("archive", "show", *(each.format(root=filled.root) for each in arguments))
    assert result.stdout_bytes == filled.read(f"meta/{SLOT}/{revision:06d}.json")


def test_show_finds_the_manifest_of_a_payload(filled: Place, cli: Call) -> None:
    manifest = json.loads(filled.read(f"meta/{SLOT}/000002.json"))
    for payload in manifest["payloads"]:
        writer = 2 if payload["name"] == "a.json" else 1
        result = cli("archive", "show", f"{filled.root}/{payload['key']}")
        assert result.stdout_bytes == filled.read(f"meta/{SLOT}/{writer:06d}.json")


def test_cat_gives_the_bytes(filled: Place, cli: Call) -> None:
    tuesday = ["weather.forecast", "--time", "2024-03-05"]
    key = next(key for key in filled.objects() if key.startswith(f"data/{SLOT}/000001-"))
    assert cli("archive", "cat", *tuesday).stdout_bytes == b"rainy" + b"x" * 2048
    assert cli("archive", "cat", *tuesday, "--revision", "1").stdout_bytes == b"sunny" + b"x" * 2048
    assert cli("archive", "cat", *tuesday, "--payload", "a.json").stdout_bytes == b"rainy"
    assert cli("archive", "cat", f"{filled.root}/{key}").stdout_bytes == b"sunny"
    mapped = ["weather.forecast", "--time", "2024-03-06", "--map", "EWX/156"]
    assert cli("archive", "cat", *mapped).stdout_bytes == b"windy"


def test_cat_gives_one_body_of_a_pack_or_all(place: Place, cli: Call) -> None:
    site = settings_of(place)
    with archive.session(slot(), run(), codec="gzip", pack=True, settings=site) as session:
        for name in ("a.json", "b.json"):
            session.write(part(name.encode(), name))
    tuesday = ["weather.forecast", "--time", "2024-03-05"]
    assert cli("archive", "cat", *tuesday, "--payload", "b.json").stdout_bytes == b"b.json"
    assert cli("archive", "cat", *tuesday).stdout_bytes == b"a.jsonb.json"
    (url,) = session.commit.reference.payload_urls if session.commit else ()
    assert cli("archive", "cat", url).stdout_bytes == b"a.jsonb.json"
    assert cli("archive", "verify").exit_code == 0
    assert "pack-0001.zip" in cli("archive", "tree").stdout


def test_cat_of_altered_bytes_fails(filled: Place, cli: Call) -> None:
    key = next(key for key in filled.objects() if key.startswith(f"data/{SLOT}/000002-"))
    filled.write(key, b"RAINY")
    result = cli("archive", "cat", "weather.forecast", "--time", "2024-03-05")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {filled.root}/{key}: 5 bytes with SHA-256 ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["weather.forecast", "--time", "2024-04-01", "--map", "x"],
            (
                "error: weather.forecast 2024-04-01T00:00:00Z map=x: nothing is archived; it would be "
                "below {root}/data/v1/weather/forecast/dt=2024-04-01/at=000000Z/map=x\n"
            ),
        ),
        (
            ["weather.forecast", "--time", "2024-03-05", "--revision", "3"],
            (
                "error: weather.forecast 2024-03-05T00:00:00Z: nothing is archived as revision 3; it "
                f"would be below {{root}}/data/{SLOT}\n"
            ),
        ),
        (
            ["weather.forecast", "--time", "2024-03-05", "--payload", "c.json"],
            "error: weather.forecast 2024-03-05T00:00:00Z: no body 'c.json'; it has: a.json, b.json\n",
        ),
        (
            [f"{{root}}/data/{SLOT}/000001-000000000000/a.json"],
            (
                f"error: {{root}}/data/{SLOT}/000001-000000000000/a.json: an orphan: "
                f"{{root}}/meta/{SLOT}/000001.json does not commit it\n"
            ),
        ),
        (
            ["{root}/data/v1/weather/snow"],
            "error: {root}/data/v1/weather/snow: nothing is committed there\n",
        ),
        (
            ["s3://elsewhere/data/v1/a"],
            (
                "error: s3://elsewhere/data/v1/a: give the URL of a manifest, a payload or a slot's "
                "folder below {root}; for another archive set PLATFORM_OPS__ARCHIVE__ROOT\n"
            ),
        ),
    ],
)
def test_cat_of_what_is_not_there_says_what_and_where(
    filled: Place, cli: Call, arguments: list[str], message: str
) -> None:
    result = cli("archive", "cat", *(each.format(root=filled.root) for each in arguments))
    assert (result.exit_code, result.stdout_bytes) == (2, b"")
    assert result.stderr == message.format(root=filled.root)


def test_verify_of_a_whole_archive_finds_no_fault(filled: Place, cli: Call) -> None:
    result = cli("archive", "verify")
    root, summary = lines(result.stdout)
    assert (result.exit_code, root) == (0, filled.root)
    assert summary.startswith("3 manifests, 2.0 KiB of payloads hashed in ")
    assert summary.endswith("MiB/s): no fault")


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("bytes_left", [b"RAINY", b"rain", None])
def test_verify_names_exactly_what_is_wrong(
    filled: Place, cli: Call, quick: bool, bytes_left: bytes | None
) -> None:
    key = next(key for key in filled.objects() if key.startswith(f"data/{SLOT}/000002-"))
    filled.remove(key)
    if bytes_left is not None:
        filled.write(key, bytes_left)
    result = cli("archive", "verify", *(["--quick"] if quick else []))
    faults = lines(result.stdout)[:-2]
    expected = {
        b"RAINY": [] if quick else [f"digest     {filled.root}/{key}: SHA-256 "],
        b"rain": [f"size       {filled.root}/{key}: 4 bytes, where 5 were committed"],
        None: [f"missing    {filled.root}/{key}: missing"],
    }[bytes_left]
    assert len(faults) == len(expected)
    assert all(fault.startswith(start) for fault, start in zip(faults, expected, strict=True))
    assert result.exit_code == (1 if expected else 0)


def test_verify_as_json_counts_and_lists_faults(filled: Place, cli: Call) -> None:
    key = f"meta/{SLOT}/000001.json"
    filled.write(key, b"{}")
    result = cli("archive", "verify", "--json")
    outcome = json.loads(result.stdout)
    assert (result.exit_code, outcome["manifests"], outcome["full"]) == (1, 3, True)
    assert [(each["kind"], each["url"]) for each in outcome["faults"]] == [
        ("manifest", f"{filled.root}/{key}"),
    ]


@pytest.mark.parametrize(
    ("what", "manifests"),
    [
        ("weather.forecast", 3),
        ("v1/weather", 3),
        ("v1", 3),
        ("{root}", 3),
        (f"{SLOT}", 2),
        ("{root}/data/v1/weather/forecast/dt=2024-03-06", 1),
        ("{root}/meta/v1/weather/forecast/dt=2024-03-06/", 1),
    ],
)
def test_verify_takes_an_entity_a_url_or_a_prefix(
    filled: Place, cli: Call, what: str, manifests: int
) -> None:
    result = cli("archive", "verify", "--json", what.format(root=filled.root))
    assert json.loads(result.stdout)["manifests"] == manifests


def test_verify_names_a_newest_manifest_that_was_deleted(filled: Place, cli: Call) -> None:
    """Its chain ends before it without a gap: that an index has seen it is the only trace."""
    key = f"meta/{SLOT}/000002.json"
    cli("archive", "find", "weather.forecast")
    filled.remove(key)
    result = cli("archive", "verify", "--json", "weather.forecast")
    (fault,) = json.loads(result.stdout)["faults"]
    assert (result.exit_code, fault["kind"], fault["url"]) == (1, "gone", f"{filled.root}/{key}")
    assert f"gone       {filled.root}/{key}" in cli("archive", "verify", "--quick").stdout


def test_verify_against_a_witness_names_a_slot_that_was_deleted(
    filled: Place, cli: Call, tmp_path: Path
) -> None:
    kept = tmp_path / "heads.jsonl"
    kept.write_text(cli("archive", "witness").stdout)
    against = ("archive", "verify", "--quick", "--against", str(kept))
    assert cli(*against).exit_code == 0
    keys = [key for key in filled.objects() if key.startswith(f"meta/{SLOT}/")]
    for key in keys:
        filled.remove(key)
    result = cli(*against, "--json")
    (fault,) = json.loads(result.stdout)["faults"]
    assert (result.exit_code, fault["kind"]) == (1, "gone")
    assert fault["url"] == f"{filled.root}/{keys[-1]}"
    assert f"gone       {filled.root}/{keys[-1]}" in cli(*against).stdout


def test_verify_makes_no_index(
    filled: Place, cli: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__INDEX", str(tmp_path / "index"))
    assert cli("archive", "verify").exit_code == 0
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize("what", ["weather.forecasts", "v1/snow"])
def test_verify_of_nothing_is_no_success(filled: Place, cli: Call, what: str) -> None:
    result = cli("archive", "verify", what)
    assert result.exit_code == 2
    assert result.stderr == f"error: {what}: nothing is archived there, in {filled.root}\n"


def test_url_needs_neither_network_nor_storage(cli: Call) -> None:
    result = cli(
        "archive", "url", "weather.forecast", "--time", "2024-03-05T06:30+02:00",
        "--part", "a b", "--map", "EWX", "--team", "blue",
        PLATFORM_OPS__ARCHIVE__ROOT="s3://no-such-bucket/x", AWS_ENDPOINT_URL="http://127.0.0.1:1",
    )  # fmt: skip
    assert result.stdout == (
        "s3://no-such-bucket/x/data/v1/weather/forecast/dt=2024-03-05/at=043000Z/"
        "team=blue/part=a%20b/map=%45%57%58\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ls", "weather"], "write it as source.name, for instance 'weather.forecast'"),
        (["ls", "--since", "2024-02-30"], "'2024-02-30' is no ISO 8601 date or time"),
        (["ls", "--until", "0001-01-01T00:00+14:00"], "is no ISO 8601 date or time"),
        (["url", "weather.forecast"], "weather.forecast: give --time, the time of its slot"),
        (["show", "file:///x", "--time", "2024-03-05"], "give no options with it"),
        (["verify", "snow"], "write it as source.name"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_right(
    disk: Disk, cli: Call, arguments: list[str], message: str
) -> None:
    result = cli("archive", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    "template",
    [DEFAULT_TEMPLATE, "v2/{entity}/{source}/p={partition_key}/m={map_key}/{date}/{time}"],
)
def test_an_entity_alone_means_what_came_last(
    template: str, disk: Disk, cli: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__TEMPLATE", template)
    site = settings_of(disk, template=template)
    for day, key in ((0, "z"), (2, "a"), (1, "q")):
        commit(site, part(f"{day}{key}".encode()), at=slot(day, map_key=key))
    commit(site, part(b"of another"), at=Slot(Entity("weather", "forecasts"), TUESDAY))
    assert cli("archive", "cat", "weather.forecast").stdout == "2a"
    assert '"map_key": "a"' in cli("archive", "show", "weather.forecast").stdout


def test_an_entity_that_has_nothing_is_told(disk: Disk, cli: Call) -> None:
    result = cli("archive", "show", "weather.forecast")
    assert (result.exit_code, result.stderr) == (
        2,
        "error: weather.forecast: nothing is archived\n",
    )


def test_ls_reads_only_the_manifests_of_the_range(
    disk: Disk, site: Callable[[], Settings], cli: Call
) -> None:
    for day in range(5):
        commit(site(), at=slot(day), by=run(f"scheduled-{day}"))
    disk.write("meta/v1/weather/forecast/dt=2024-03-05/at=000000Z/000001.json", b"damaged")
    since = (TUESDAY + timedelta(days=1)).date().isoformat()
    result = cli("archive", "ls", "--json", "--since", since)
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 4)


def test_a_slot_whose_key_had_to_be_hashed_is_listed(
    place: Place, site: Callable[[], Settings], cli: Call
) -> None:
    key = "long " * 100
    commit(site(), at=slot(partition_key=key))
    assert json.loads(cli("archive", "ls", "--json").stdout)["partition_key"] == key
