"""``platform-ops doctor`` on who is told, and on metrics: against real ends, to which nothing is sent."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.cli.test_doctor import _airflow_at_work, facts, findings, toml
from tests.cli.test_main import PROGRAM
from tests.fakes.slack import Slack
from tests.fakes.smtp import mail_server
from tests.fakes.wire import Wire

__all__ = ["_airflow_at_work", "toml"]

SITE = """
[notify.channels.oncall]
kind = "slack"
connection = "slack_hook"
[notify.channels.bot]
kind = "slack"
connection = "slack_bot"
to = ["#oncall"]
[notify.channels.pager]
kind = "webhook"
connection = "pager"
[teams.shop.channels.desk]
kind = "email"
to = ["desk@example.com"]
"""
Write = Callable[[str], None]


def people(found: dict[str, list[dict[str, object]]]) -> set[str]:
    return {rule for rule in found if rule.startswith("PD5")}


def test_channels_are_listed_and_held_against_their_connections_and_nothing_is_sent(
    cli: Call, toml: Write, server: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml(SITE)
    slack = Slack(server)
    slack.connect_bot(monkeypatch)
    slack.connect_webhook(monkeypatch)
    server.connect(monkeypatch, "pager", conn_type="http", password="s3cr3t-x")
    with mail_server() as mail:
        mail.connect(monkeypatch)
        results = [cli("doctor", "--json", *options) for options in ((), ("--reach",))]
        assert [people(findings(each)) for each in results] == [set(), set()]
        assert mail.raw == []
    result = results[-1]
    assert facts(result)["people", "notify.channels.oncall"] == ("slack", "")
    assert facts(result)["people", "teams.shop.channels.desk"] == ("email", "team shop")
    assert (slack.shown, server.requests) == ([], [])
    assert "s3cr3t-x" not in result.output


def test_a_host_that_takes_no_connection_is_told_only_where_it_was_asked_for(
    cli: Call, toml: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml('[notify.channels.pager]\nkind = "webhook"\nconnection = "pager"\n')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    secret = f"http://user:pw-x@127.0.0.1:{port}/t0ken-x"
    monkeypatch.setenv("AIRFLOW_CONN_PAGER", json.dumps({"conn_type": "http", "host": secret}))
    assert people(findings(cli("doctor", "--json"))) == set()
    result = cli("doctor", "--json", "--reach")
    (silent,) = findings(result)["PD503"]
    assert silent["message"] == f"127.0.0.1:{port}: Connection refused"
    assert silent["place"]["object"] == "notify.channels.pager"
    assert result.exit_code == 1
    assert "pw-x" not in result.output
    assert "t0ken-x" not in result.output


def test_a_proxy_is_what_must_be_reached_where_there_is_one(
    cli: Call, toml: Write, server: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml('[notify.channels.pager]\nkind = "webhook"\nconnection = "pager"\n')
    about = {"conn_type": "http", "host": "https://hooks.example.invalid"}
    monkeypatch.setenv("AIRFLOW_CONN_PAGER", json.dumps(about))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", server.url)
    assert people(findings(cli("doctor", "--json", "--reach"))) == set()
    server.close()
    (silent,) = findings(cli("doctor", "--json", "--reach"))["PD503"]
    assert str(silent["message"]).startswith("the proxy 127.0.0.1:")


WRONG = {
    "type": ("slack", {"conn_type": "http", "password": "x"}, "Slack needs 'slack'"),
    "bot": ("slack", {"conn_type": "slack", "password": "x"}, "name Slack channels in `to`"),
    "token": ("slack", {"conn_type": "slackwebhook"}, "has no password"),
    "sender": ("email", {"conn_type": "smtp", "host": "mail"}, "names no sender"),
    "server": ("email", {"conn_type": "smtp", "login": "a@b.example"}, "has no host"),
    "address": ("webhook", {"conn_type": "http"}, "has no address"),
    "port": (
        "webhook",
        {"conn_type": "http", "host": "https://a:b"},
        "no address that can be read",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_connection_that_leads_nowhere_is_an_error(
    case: str, cli: Call, toml: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, about, said = WRONG[case]
    to = 'to = ["a@b.example"]' if kind == "email" else ""
    toml(f'[notify.channels.it]\nkind = "{kind}"\nconnection = "it"\n{to}\n')
    monkeypatch.setenv("AIRFLOW_CONN_IT", json.dumps(about))
    result = cli("doctor", "--json")
    (wrong,) = findings(result)["PD502"]
    assert said in wrong["message"]
    assert result.exit_code == 1


def test_a_connection_that_only_tasks_may_see_is_a_warning(cli: Call, toml: Write) -> None:
    toml(SITE)
    result = cli("doctor", "--json")
    unseen = [each["place"]["object"] for each in findings(result)["PD501"]]
    assert unseen == [
        "notify.channels.bot",
        "notify.channels.oncall",
        "notify.channels.pager",
        "teams.shop.channels.desk",
    ]
    assert result.exit_code == 0


def test_failures_that_no_channel_is_for_are_told_of(cli: Call, toml: Write) -> None:
    toml(f"{SITE}\n[notify.routes]\ninfo = []\ncritical = []\n")
    (silent,) = findings(cli("doctor", "--json"))["PD504"]
    assert silent["message"] == "no channel for critical of what belongs to no team"
    toml("[notify]\nattach = true\n")
    (silent,) = findings(cli("doctor", "--json"))["PD504"]
    assert silent["message"] == "no channel for error and critical of what belongs to no team"


OTEL = "[metrics]\notel_on = True\n"
TIMEOUT, DELTA = "OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
METRICS: dict[str, tuple[str, dict[str, str], set[str]]] = {
    "plain statsd": ("[metrics]\nstatsd_on = True\n", {}, {"PD406"}),
    "tags": ("[metrics]\nstatsd_on = True\nstatsd_datadog_enabled = True\n", {}, set()),
    "OpenTelemetry": (OTEL, {}, {"PD407", "PD408"}),
    "as it should be": (OTEL, {TIMEOUT: "1", DELTA: "DELTA"}, set()),
}


@pytest.mark.parametrize("case", METRICS)
def test_metrics_that_lose_their_meaning_or_hold_tasks_are_told_of(
    case: str, tmp_path: Path
) -> None:
    written, more, expected = METRICS[case]
    (tmp_path / "home" / "airflow.cfg").write_text(written, encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")} | more
    # A process of its own: Airflow reads airflow.cfg once.
    ran = subprocess.run(
        [PROGRAM, "doctor", "--json"], capture_output=True, text=True, check=False, env=environment
    )
    found = {each["rule"] for each in json.loads(ran.stdout)["findings"]}
    assert {rule for rule in found if rule in ("PD405", "PD406", "PD407", "PD408")} == expected
