"""``platform-ops notify``: previews that are the bytes themselves, and one real message."""

from __future__ import annotations

import json
from email import message_from_string
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
from click.testing import CliRunner, Result

from platform_ops.cli import main
from platform_ops.notify.web import SCHEMA
from platform_ops.settings import KINDS
from tests.fakes.slack import Slack, _fault
from tests.fakes.wire import Wire

SITE = """
[notify.channels.oncall]
kind = "slack"
connection = "slack_hook"
[notify.routes]
info = []
[teams.shop.channels.desk]
kind = "email"
to = ["desk@example.com"]
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "platform.toml"
    path.write_text(SITE)
    monkeypatch.setenv("PLATFORM_OPS_CONFIG", str(path))


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["notify", *arguments])


@pytest.mark.parametrize("kind", KINDS)
def test_a_preview_is_what_a_channel_gets(kind: str, site: None) -> None:
    slack = json.loads(ran("preview", kind, "--as", "slack").stdout)
    assert _fault(slack) == ""
    told = json.loads(ran("preview", kind, "--as", "webhook").stdout)
    jsonschema.validate(told, SCHEMA)
    assert told["kind"] == kind
    mail = ran("preview", kind, "--as", "mail").stdout
    assert message_from_string(mail)["Subject"] == f"[{kind}] {told['title']}"
    assert ran("preview", kind, "--as", "mail").stdout == mail
    text = ran("preview", kind).stdout
    assert text.startswith(told["title"])
    assert all(f"{each['label']}:" in text for each in told["facts"])


def test_the_schema_is_printed(site: None) -> None:
    assert json.loads(ran("schema").stdout) == SCHEMA


def test_a_test_sends_one_message(
    site: None, server: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    slack = Slack(server)
    slack.connect_webhook(monkeypatch)
    done = ran("test", "oncall", "critical")
    assert done.output == "channel oncall took it: shop.orders failed 5 times in a row\n"
    assert len(slack.shown) == 1


def test_a_test_says_what_is_wrong(site: None, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = ran("test", "nobody")
    assert (wrong.exit_code, "right are: oncall" in wrong.output) == (2, True)
    assert "connection 'slack_hook' does not exist" in ran("test", "oncall").output


def test_routes_are_told_team_by_team(site: None) -> None:
    assert ran("routes").stdout.splitlines() == [
        "no team:",
        "  info     nobody",
        "  warning  oncall (slack)",
        "  error    oncall (slack)",
        "  critical oncall (slack)",
        "shop:",
        "  info     desk (email)",
        "  warning  desk (email)",
        "  error    desk (email)",
        "  critical desk (email)",
    ]


def test_a_team_that_nobody_set_up_is_told_as_such(site: None) -> None:
    told = ran("routes", "--team", "shopp").stdout.splitlines()
    assert told[0] == "shopp (no settings of its own):"
    assert told[3] == "  error    oncall (slack)"
    wrong = ran("test", "oncall", "--team", "shopp")
    assert (wrong.exit_code, "right are: shop" in wrong.output) == (2, True)
