"""The archive watched: slots that are overdue, those that came at last, and odd amounts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from platform_ops import archive
from platform_ops.entity import Entity, Slot
from platform_ops.notify.watch import ArchiveWatchOperator
from platform_ops.settings import Settings
from platform_ops.testing.runner import TaskResult, run_task
from tests.archive.samples import commit, part
from tests.fakes.slack import Slack
from tests.notify.conftest import Agree
from tests.test_policies import delivered
from tests.test_policies import part as orders

SITE = """
[docs]
base_url = "https://docs.example.com/stable"
[notify.channels.bot]
kind = "slack"
connection = "slack_bot"
to = ["#data"]
[sources.weather]
owner = "weather-desk"
[sources.weather.entities.forecast]
schedule = "every 60 minutes"
grace_minutes = 0
"""
HOUR = timedelta(hours=1)


def looked(**arguments: Any) -> TaskResult:
    with DAG("watch"):
        task = ArchiveWatchOperator(task_id="watch", **arguments)
    result = run_task(task, at="2024-03-05")
    assert result.state == "success", result.error
    return result


def texts(slack: Slack) -> list[str]:
    return [message["text"] for _, message in slack.shown]


@pytest.fixture
def hours() -> list[datetime]:
    """The last three full hours, but for the one that is being lived in."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return [now - 3 * HOUR, now - 2 * HOUR, now - HOUR]


def filled(site: Settings, moments: list[datetime]) -> None:
    for each in moments:
        commit(site, part(b"sunny"), at=Slot(Entity("weather", "forecast"), each))


def test_a_slot_that_is_overdue_is_told_once_and_again_when_it_arrives(
    agree: Agree, slack: Slack, hours: list[datetime]
) -> None:
    site = agree(SITE.replace("every 60 minutes", "@hourly"))
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    filled(site, [*hours[:1], *hours[2:], now])
    for _ in range(2):
        looked()
    (told,) = texts(slack)
    assert told.startswith("⏰ weather.forecast is late: The slot of ")
    fields = [each["text"] for each in slack.shown[0][1]["attachments"][0]["blocks"][2]["fields"]]
    assert "*Owner*\nweather-desk" in fields
    assert "*Schedule*\n@hourly" in fields
    links = slack.shown[0][1]["attachments"][0]["blocks"][3]["elements"][0]["text"]
    assert "https://docs.example.com/stable/reference/entities/weather.forecast.html|Docs" in links
    assert "/platform-ops/archive/entity?name=weather.forecast|Archive" in links
    filled(site, hours[1:2])
    looked()
    assert texts(slack)[1].startswith("💚 weather.forecast has arrived: Nothing of it is overdue")
    looked()
    assert len(slack.shown) == 2


def test_what_nobody_heard_of_is_told_by_the_next_look(
    agree: Agree, slack: Slack, hours: list[datetime]
) -> None:
    site = agree(SITE.replace("every 60 minutes", "@hourly") + "[notify]\ntimeout_s = 0.5\n")
    filled(site, hours[:1])
    slack.channels = ()
    looked()
    slack.channels = ("#data",)
    looked()
    (told,) = texts(slack)
    assert told.startswith("⏰ weather.forecast: ")


@pytest.mark.parametrize(("policy", "kept"), [("warn", "taken in"), ("skip", "refused")])
def test_an_odd_amount_that_a_policy_lets_pass_is_told_once(
    policy: str, kept: str, agree: Agree, slack: Slack
) -> None:
    agree(f'{SITE}[sources.shop.entities.orders]\non_small = "{policy}"\nvolume_floor = 3\n')
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [f"{today - timedelta(days=back):%Y-%m-%d}" for back in range(8, -1, -1)]
    for day in days:
        rows = 3 if day == days[-1] else 1000
        delivered(orders(b"x" * rows, rows=rows), day=day)
    looked()
    looked()
    told = [each for each in texts(slack) if "shop.orders" in each]
    assert len(told) == 1
    assert told[0].startswith("📉 shop.orders is far smaller than usual: ")
    assert "3 rows; " in told[0]
    fields = json.dumps(slack.shown[-1][1]["attachments"][0]["blocks"], ensure_ascii=False)
    assert f"What became of it*\\n{kept}" in fields


def test_an_odd_amount_that_fails_its_task_is_told_by_the_task(agree: Agree, slack: Slack) -> None:
    from platform_ops.notify import callbacks
    from tests.test_policies import ENTITY, Delivers

    agree(f'{SITE}[sources.shop.entities.orders]\non_small = "fail"\nvolume_floor = 3\n')
    for day in range(1, 9):
        delivered(orders(b"x" * 1000, rows=1000), day=f"2024-03-0{day}")
    with DAG("policies", default_args=callbacks()):
        task = Delivers(task_id="take", entity=ENTITY, parts=lambda: iter([orders(b"x", rows=1)]))
    assert run_task(task, at="2024-03-09", callbacks=True).state == "failed"
    (told,) = texts(slack)
    assert told.startswith("📉 policies.take took in an odd amount: ")
    assert "1 rows; " in told


def test_what_was_told_stays_out_of_the_archive_s_own_trees(
    agree: Agree, slack: Slack, hours: list[datetime]
) -> None:
    site = agree(SITE.replace("every 60 minutes", "@hourly"))
    filled(site, hours[:1])
    looked()
    root = Path(site.archive.root.removeprefix("file://"))
    assert (root / "notices").is_dir()
    assert archive.shards(2, site) == ["v1/weather/forecast", "."]
    assert [each for each in archive.verify("", settings=site) if each.faults] == []
    assert list(archive.sweep("", settings=site)) == []
