from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.archive.places import Disk, settings_of
from tests.archive.samples import aged, commit, part, run
from tests.archive.strays import FOLDER
from tests.cli.conftest import Call

TUESDAY = ("--time", "2024-03-05")


@pytest.fixture
def place(disk: Disk, tmp_path: Path) -> Disk:
    """Two revisions of Tuesday's forecast, forty days old, where thirty are agreed on."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "platform.toml").write_text(
        "[sources.weather.entities.forecast]\nretention_days = 30\n"
    )
    with aged(days=40):
        commit(settings_of(disk), part(b"sunny", "a"), part(b"mild", "b"))
        commit(settings_of(disk), part(b"rainy", "a"), part(b"mild", "b"), by=run("manual-2"))
    return disk


def bodies(place: Disk) -> list[bytes]:
    return [place.read(key) for key in place.objects() if key.startswith("data/")]


def test_expire_names_what_is_due_and_writes_nothing(place: Disk, cli: Call) -> None:
    before = place.objects()
    result = cli("archive", "expire")
    meta = f"{place.root}/meta/{FOLDER}"
    assert result.stdout.splitlines() == [
        f"bury       {meta}/000001.json  9 B  retention_days = 30",
        f"bury       {meta}/000002.json  9 B  retention_days = 30",
        place.root,
        "2 revisions to bury, 18 B; --delete does it",
    ]
    assert (result.exit_code, place.objects()) == (0, before)


def test_expire_buries_and_a_day_later_removes(place: Disk, cli: Call) -> None:
    assert "2 revisions buried, 18 B" in cli("archive", "expire", "--delete").stdout
    assert len(bodies(place)) == 3
    assert "nothing is due" in cli("archive", "expire", "--delete").stdout
    for key in place.objects():
        if key.startswith("tombstones/"):
            place.date(key, datetime.now(UTC) - timedelta(days=2))
    told = json.loads(cli("archive", "expire", "weather.forecast", "--delete", "--json").stdout)
    assert [(each["step"], each["done"]) for each in told["removals"]] == [("remove", True)] * 2
    assert bodies(place) == []
    assert cli("archive", "verify").exit_code == 0
    result = cli("archive", "cat", "weather.forecast", *TUESDAY)
    assert result.exit_code == 2
    assert "revision 2 was expired on " in result.stderr


def test_expire_names_a_slot_that_it_leaves_alone(place: Disk, cli: Call) -> None:
    place.write(f"meta/{FOLDER}/000001.json", b"{}")
    result = cli("archive", "expire", "--delete")
    assert (result.exit_code, "1 place left alone" in result.stdout) == (1, True)


def test_a_hold_is_placed_listed_honoured_and_released(place: Disk, cli: Call) -> None:
    asked = ("--reason", "lawsuit 7", "--by", "counsel")
    hold = cli("archive", "hold", "weather.forecast", *TUESDAY, *asked).stdout.strip()
    shown = cli("archive", "holds").stdout
    assert hold in shown
    assert "weather.forecast 2024-03-05T00:00:00Z" in shown
    held = cli("archive", "expire", "--delete").stdout
    assert f"000002.json  hold {hold}" in held
    assert "2 revisions held" in held

    refused = cli("archive", "erase", "weather.forecast", *TUESDAY, "--all", *asked, "--delete")
    assert (refused.exit_code, "release it first" in refused.stderr) == (2, True)
    cli("archive", "release", hold, "--reason", "settled", "--by", "counsel")
    assert cli("archive", "holds").stdout == "no hold is in force\n"
    (told,) = json.loads(cli("archive", "holds", "--all", "--json").stdout)
    assert (told["id"], told["released"]["reason"]) == (hold, "settled")
    assert "2 revisions buried" in cli("archive", "expire", "--delete").stdout


def test_release_of_what_is_no_hold_lists_the_right_ones(place: Disk, cli: Call) -> None:
    hold = cli("archive", "hold", "weather", "--reason", "audit").stdout.strip()
    result = cli("archive", "release", "nonsense", "--reason", "x")
    assert (result.exit_code, f"in force are: {hold}" in result.stderr) == (2, True)


def test_erase_takes_one_revision_by_its_url(place: Disk, cli: Call) -> None:
    url = f"{place.root}/meta/{FOLDER}/000002.json"
    asked = ("--reason", "request 4711", "--by", "privacy")
    dry = cli("archive", "erase", url, *asked).stdout
    assert "some of it stays: revision 1 names it as well" in dry
    assert bodies(place) == [b"sunny", b"mild", b"rainy"]
    result = cli("archive", "erase", url, *asked, "--delete")
    assert "1 revision buried, 9 B; 1 revision removed, 5 B" in result.stdout
    assert bodies(place) == [b"sunny", b"mild"]
    assert cli("archive", "verify").exit_code == 0


def test_erase_wants_a_revision_or_all_of_them(place: Disk, cli: Call) -> None:
    asked = ("archive", "erase", "weather.forecast", *TUESDAY, "--reason", "request 4711")
    assert "give --revision, or --all" in cli(*asked).stderr
    assert "give --revision, or --all" in cli(*asked, "--all", "--revision", "1").stderr
    told = json.loads(cli(*asked, "--all", "--delete", "--json").stdout)
    assert [each["revision"] for each in told["removals"]] == [1, 2, 1, 2]
    assert bodies(place) == []


def test_verify_takes_a_share(place: Disk, cli: Call) -> None:
    told = json.loads(cli("archive", "verify", "--sample", "50%", "--json").stdout)
    assert (told["share"], told["full"], told["manifests"]) == (0.5, False, 2)
    assert cli("archive", "verify", "--sample", "five").exit_code == 2
    assert cli("archive", "verify", "--sample", "5%", "--quick").exit_code == 2


def test_export_writes_a_bag(place: Disk, cli: Call, tmp_path: Path) -> None:
    result = cli("archive", "export", "bag", "weather.forecast", "--since", "2024-03-05")
    assert result.stdout == "bag: 2 revisions, 3 payloads, 14 B\n"
    assert (tmp_path / "bag" / "bagit.txt").read_text().startswith("BagIt-Version: 1.0\n")
    assert cli("archive", "export", "bag").exit_code == 2


def test_erase_takes_one_body_by_its_name(place: Disk, cli: Call) -> None:
    asked = ("archive", "erase", "weather.forecast", *TUESDAY, "--reason", "request 4711")
    dry = cli(*asked, "--payload", "b").stdout
    assert f"bury       {place.root}/meta/{FOLDER}/000001.json  b  4 B  request 4711" in dry
    assert "2 bodies to erase, 8 B; --delete does it" in dry
    result = cli(*asked, "--payload", "b", "--delete")
    assert "2 bodies erased, 8 B; 1 revision removed, 4 B" in result.stdout
    assert bodies(place) == [b"sunny", b"rainy"]
    assert cli("archive", "verify").exit_code == 0
    gone = cli("archive", "cat", "weather.forecast", *TUESDAY, "--payload", "b")
    assert (gone.exit_code, "this body was erased on " in gone.stderr) == (2, True)
    assert cli("archive", "cat", "weather.forecast", *TUESDAY, "--payload", "a").stdout == "rainy"


def test_erase_of_a_body_that_is_not_there_says_so(place: Disk, cli: Call) -> None:
    asked = ("archive", "erase", "weather.forecast", *TUESDAY, "--reason", "request 4711")
    result = cli(*asked, "--payload", "nobody", "--revision", "2")
    assert (result.exit_code, "no body 'nobody' in revision 2" in result.stderr) == (2, True)
