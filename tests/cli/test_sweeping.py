from __future__ import annotations

import json

import pytest

from tests.archive.places import Disk, Place
from tests.archive.strays import FOLDER, Littered, littered
from tests.cli.conftest import Call


@pytest.fixture
def litter(place: Place) -> Littered:
    return littered(place)


def test_sweep_names_the_strays_and_removes_nothing(litter: Littered, cli: Call) -> None:
    before = litter.objects
    result = cli("archive", "sweep")
    shown = result.stdout.splitlines()
    root = litter.place.root
    assert result.exit_code == 0
    assert shown[0].startswith(f"payload    {root}/data/{FOLDER}/000003-0123456789ab/a  6 B  20")
    assert shown[4].startswith(f"temporary  {root}/.tmp/4711-0123456789abcdef  12 B  20")
    assert shown[5:7] == [root, "5 objects, 36 B; --delete removes them"]
    assert litter.objects == before


def test_sweep_delete_removes_them(litter: Littered, cli: Call) -> None:
    result = cli("archive", "sweep", "--delete")
    assert (result.exit_code, "removed 5 objects, 36 B" in result.stdout) == (0, True)
    assert litter.objects == litter.needed
    assert "nothing to sweep" in cli("archive", "sweep").stdout


def test_sweep_as_json_names_each_once(litter: Littered, cli: Call) -> None:
    result = cli("archive", "sweep", "--delete", "--json")
    told = json.loads(result.stdout)
    assert (told["deleted"], told["size_bytes"], told["left_alone"]) == (True, 36, [])
    assert sorted(each["key"] for each in told["strays"]) == litter.strays
    assert {each["removed"] for each in told["strays"]} == {True}
    assert (told["unlisted"] is None) is isinstance(litter.place, Disk)


def test_sweep_takes_an_entity_and_the_days_of_grace(litter: Littered, cli: Call) -> None:
    told = json.loads(cli("archive", "sweep", "weather.warnings", "--json").stdout)
    assert [each["key"] for each in told["strays"]] == [
        "data/v1/weather/warnings/dt=2024-03-05/at=000000Z/000001-0123456789ab/a"
    ]
    assert "nothing to sweep" in cli("archive", "sweep", "--grace", "31").stdout
    assert cli("archive", "sweep", "--grace", "0").exit_code == 2


def test_sweep_names_a_slot_that_it_leaves_alone(litter: Littered, cli: Call) -> None:
    litter.place.write(f"meta/{FOLDER}/000002.json", b"{")
    result = cli("archive", "sweep", "--delete")
    assert result.exit_code == 1
    url = f"{litter.place.root}/meta/{FOLDER}/000002.json"
    assert f"left alone {url}: not a manifest" in result.stdout
    assert "removed 3 objects, 24 B; 1 place left alone" in result.stdout
