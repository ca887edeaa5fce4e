"""What a run's conf may ask for, and how a wrong one is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from platform_ops.entity import Entity, Slot
from platform_ops.errors import ConfigError
from platform_ops.runconf import Wish
from platform_ops.settings import Mode, Settings

FORECAST = Entity("weather", "forecast")


def wish(conf: Any, mode: Mode | None = None, entitys: str | None = None) -> Wish:
    entities = {"forecast": {"mode": entitys}} if entitys else {}
    site = Settings.model_validate({"sources": {"weather": {"entities": entities}}})
    return Wish.of(conf, mode, site, FORECAST)


def asked(platform_ops: object) -> dict[str, Any]:
    return {"platform_ops": platform_ops}


@pytest.mark.parametrize(
    "conf",
    [
        None,
        {},
        {"other": 1},
        asked(None),
        asked({}),
        asked({"replay": False}),
        asked({"replay": None}),
    ],
)
def test_who_asks_for_nothing_gets_auto(conf: Any) -> None:
    assert wish(conf) == Wish("auto")


def test_the_conf_comes_before_the_operator_and_that_before_the_entity() -> None:
    assert wish(None, None, "replay").mode == "replay"
    assert wish(None, "refetch", "replay").mode == "refetch"
    assert wish(asked({"mode": "auto"}), "refetch", "replay").mode == "auto"
    assert wish(asked({"replay": True, "mode": "auto"}), "refetch").mode == "replay"


def test_a_replay_may_name_revision_moment_time_and_event() -> None:
    options = {
        "revision": 3,
        "as_of": "2024-03-05T01:00+01:00",
        "time": "2024-01-01T00:00Z",
        "emit": True,
    }
    found = wish(asked({"replay": options}))
    assert found == Wish(
        "replay", 3, datetime(2024, 3, 5, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC), emit=True
    )
    own = Slot(FORECAST, datetime(2030, 1, 1, tzinfo=UTC), "EU", "a", "team")
    assert found.slot(own) == Slot(FORECAST, datetime(2024, 1, 1, tzinfo=UTC), "EU", "a", "team")


def test_an_empty_table_asks_for_a_replay_too() -> None:
    assert wish(asked({"replay": {}})) == Wish("replay")


RIGHT_MOMENT = "'as_of' and 'time' are ISO 8601 with a zone, as 2015-12-01T00:00Z"


@pytest.mark.parametrize(
    ("platform_ops", "right"),
    [
        ("replay", "holds 'replay' or 'mode'"),
        (["replay"], "holds 'replay' or 'mode'"),
        ({"reply": True}, "holds 'replay' or 'mode'"),
        ({"mode": "again"}, "'mode' is 'auto', 'refetch', 'replay'"),
        ({"replay": "yes"}, "'replay' is true, or holds as_of, emit, revision, time"),
        ({"replay": 1}, "'replay' is true, or holds as_of, emit, revision, time"),
        ({"replay": 0}, "'replay' is true, or holds as_of, emit, revision, time"),
        ({"replay": {"rev": 1}}, "'replay' is true, or holds as_of, emit, revision, time"),
        ({"replay": {"revision": 0}}, "'revision' is a number from 1"),
        ({"replay": {"revision": "1"}}, "'revision' is a number from 1"),
        ({"replay": {"revision": True}}, "'revision' is a number from 1"),
        ({"replay": {"emit": "true"}}, "'emit' is true or false"),
        ({"replay": {"as_of": "yesterday"}}, RIGHT_MOMENT),
        ({"replay": {"as_of": "2024-03-05"}}, RIGHT_MOMENT),
        ({"replay": {"time": 20240305}}, RIGHT_MOMENT),
    ],
)
def test_a_wrong_conf_is_told_with_what_is_right(platform_ops: object, right: str) -> None:
    with pytest.raises(ConfigError) as caught:
        wish(asked(platform_ops))
    message = str(caught.value)
    assert message.startswith(f"the run's conf: 'platform_ops' {right}; it is ")
