"""Tasks that fail and succeed by the real runner, and what arrives over the wire by that."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import ssl
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
from airflow.sdk import DAG, BaseOperator

from platform_ops.notify import (
    EmailNotifier,
    SiteNotifier,
    SlackNotifier,
    WebhookNotifier,
    callbacks,
)
from platform_ops.notify.web import SCHEMA, SIGNATURE
from platform_ops.settings import Settings
from platform_ops.testing.runner import TaskResult, run_task
from tests.fakes.slack import Slack
from tests.fakes.smtp import MailServer, mail_server
from tests.fakes.statsd import Listener
from tests.fakes.wire import Wire, reset, say, silent, wire
from tests.notify.conftest import Agree
from tests.servers.certificate import self_signed

DAY = "2024-03-05"
CHANNELS = """
[notify.channels.bot]
kind = "slack"
connection = "slack_bot"
to = ["#oncall"]
mentions = ["here", "S42", "U7"]
"""


class Load(BaseOperator):
    """Ends as it is told.

    :param fault: What it raises.
    """

    def __init__(self, *, fault: Exception | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fault = fault

    def execute(self, context: Any) -> None:  # noqa: ARG002  # the base class's signature
        if self.fault is not None:
            raise self.fault


def ran(fault: str | Exception | None, notifier: Any = None, **more: Any) -> TaskResult:
    """Run ``shop.load`` to its end, with its callbacks."""
    error = RuntimeError(fault) if isinstance(fault, str) else fault
    told = callbacks() if notifier is None else notifier
    dag = {name: more.pop(name) for name in ("tags",) if name in more}
    with DAG("shop", **dag, default_args={"owner": "shop-desk", **told}):
        task = Load(task_id="load", fault=error)
    return run_task(task, at=DAY, callbacks=True, **more)


def only(notifier: SiteNotifier) -> dict[str, Any]:
    return {"on_failure_callback": [notifier]}


def blocks(message: dict[str, Any]) -> str:
    """All texts of a message in Slack."""
    (part,) = message["attachments"]
    found = []
    for block in part["blocks"]:
        texts = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
        found += [each["text"] for each in texts if each]
    return "\n".join(found)


def test_a_failure_reaches_slack_by_a_bot_with_all_that_there_is_to_say(
    agree: Agree, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
    agree(f'docs.base_url = "https://docs.example.com/stable"\n{CHANNELS}')
    assert ran("no rows in <orders> & co").state == "failed"
    ((channel, message),) = slack.shown
    assert channel == "#oncall"
    assert message["attachments"][0]["color"] == "#c62828"
    assert message["text"] == "❌ shop.load failed: RuntimeError: no rows in <orders> & co"
    text = blocks(message)
    assert text.startswith(
        "❌ shop.load failed\nRuntimeError: no rows in &lt;orders&gt; &amp; co\n*What*\ntask load (Load)\n"
        "*Where*\nDAG shop, run scheduled__2024-03-05T00:00:00+00:00, try 1\n*Since*\n"
    )
    assert "\n*How often*\nonce\n*Owner*\nshop-desk\n" in text
    log = (
        "https://airflow.example.com/dags/shop/runs/scheduled__2024-03-05T00%3A00%3A00%2B00%3A00/"
        "tasks/load?try_number=1"
    )
    assert text.endswith(
        f"<{log}|Log> · <https://docs.example.com/stable/reference/dags/shop.html|Docs>"
    )


def test_a_slack_channel_that_is_gone_keeps_no_message_from_the_others(
    agree: Agree, slack: Slack, caplog: pytest.LogCaptureFixture
) -> None:
    ran("boom", only(SlackNotifier(connection="slack_bot", to=["#gone", "#data", "#oncall"])))
    assert [channel for channel, _ in slack.shown] == ["#data", "#oncall"]
    assert "NotDelivered: Slack refused the message: channel_not_found" in caplog.text


def test_a_failure_reaches_slack_by_a_webhook(agree: Agree, slack: Slack) -> None:
    ran("boom", only(SlackNotifier(connection="slack_hook")))
    ((channel, message),) = slack.shown
    assert (channel, message["text"]) == ("#webhook", "❌ shop.load failed: RuntimeError: boom")


def test_a_failure_reaches_people_by_mail(agree: Agree, mail: MailServer) -> None:
    ran("größer als 3 & <b>", only(EmailNotifier(to="desk@example.com")))
    ((raw, addressees),) = mail.raw
    assert addressees == ("desk@example.com",)
    assert all(len(line) <= 998 and not line.endswith(b"\r") for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    (letter,) = mail.letters()
    assert letter["Subject"] == "[failure] shop.load failed"
    assert letter["From"] == "airflow@example.com"
    assert letter["To"] == "desk@example.com"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Message-ID"] != letter["References"]
    assert abs(letter["Date"].datetime.timestamp() - time.time()) < 120
    assert letter.get_content_type() == "multipart/alternative"
    plain, html = letter.iter_parts()
    assert "RuntimeError: größer als 3 & <b>" in plain.get_content()
    assert "Owner:" in plain.get_content()
    assert "größer als 3 &amp; &lt;b&gt;" in html.get_content()
    assert html.get_content_type() == "text/html"


def test_a_failure_reaches_a_webhook_signed_and_by_its_schema(
    agree: Agree, server: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.connect(
        monkeypatch, "pager", conn_type="http", password="hunter2", login=None,
        path="/in?x=1", headers={"X-Team": "shop"},
    )  # fmt: skip
    server.on("*", say(b"", 204))
    ran("boom", only(WebhookNotifier(connection="pager")))
    (asked,) = server.requests
    assert (asked.method, asked.path, asked.headers["x-team"]) == ("POST", "/in?x=1", "shop")
    told = json.loads(asked.body)
    jsonschema.validate(told, SCHEMA)
    assert (told["kind"], told["severity"], told["count"]) == ("failure", "error", 1)
    assert told["subject"]["dag_id"] == "shop"
    assert datetime.fromisoformat(told["at_utc"]) == datetime.fromisoformat(told["since_utc"])
    at, _, signed = asked.headers[SIGNATURE.lower()].partition(",v1=")
    ours = hmac.new(b"hunter2", at.removeprefix("t=").encode() + b"." + asked.body, hashlib.sha256)
    assert signed == ours.hexdigest()


def test_what_goes_on_failing_is_told_once_in_a_window_then_with_its_count_then_as_recovered(
    agree: Agree, slack: Slack
) -> None:
    agree(f"notify.critical_after = 4\n{CHANNELS}")
    for number in range(3):
        ran("boom", run_id=f"run-{number}")
    assert len(slack.shown) == 1
    ran("boom", run_id="run-3")  # the fourth is worse than what was told, and cannot wait
    assert len(slack.shown) == 2
    critical = slack.shown[1][1]
    assert critical["text"].startswith("🚨 shop.load failed 4 times in a row")
    assert "<!here> <!subteam^S42> <@U7> RuntimeError: boom" in blocks(critical)
    assert "*How often*\n4 times, 3 since the last message" in blocks(critical)
    ran(None, run_id="run-4")
    assert slack.shown[2][1]["text"].startswith("💚 shop.load works again: It had failed 4 times")
    ran(None, run_id="run-5")
    assert len(slack.shown) == 3
    ran("boom", run_id="run-6")
    assert slack.shown[3][1]["text"] == "❌ shop.load failed: RuntimeError: boom"


def test_two_notifiers_of_one_task_both_tell(agree: Agree, slack: Slack, mail: MailServer) -> None:
    agree(CHANNELS)
    told = [SlackNotifier(connection="slack_hook"), EmailNotifier(to="desk@example.com")]
    given = {"on_failure_callback": told, "on_success_callback": told}
    ran("boom", given)
    ran("boom", given, run_id="again")
    ran(None, given, run_id="well")
    assert [message["text"][:2] for _, message in slack.shown] == ["❌ ", "💚 "]
    subjects = [letter["Subject"] for letter in mail.letters()]
    assert subjects == ["[failure] shop.load failed", "[recovered] shop.load works again"]


def test_what_the_site_marks_is_critical_at_once(agree: Agree, slack: Slack) -> None:
    agree(CHANNELS)
    ran("boom", tags=["critical"])
    assert slack.shown[0][1]["text"] == "🚨 shop.load failed: RuntimeError: boom"


def test_one_instance_that_works_is_no_recovery_while_another_fails(
    agree: Agree, slack: Slack
) -> None:
    agree(CHANNELS)
    for index in (3, 5):
        ran("boom", map_index=index)
    ran(None, map_index=3, run_id="second")
    assert len(slack.shown) == 1
    ran(None, map_index=5, run_id="second")
    assert slack.shown[1][1]["text"].startswith("💚")


def test_a_success_is_told_where_somebody_wants_it(agree: Agree, slack: Slack) -> None:
    agree(CHANNELS)
    ran(None, callbacks(tell=["success"]))
    assert slack.shown[0][1]["text"] == "✅ shop.load succeeded: All went well."


def test_a_team_has_channels_of_its_own_by_severity(
    agree: Agree, slack: Slack, tmp_path: Path
) -> None:
    (tmp_path / "teams").mkdir()
    (tmp_path / "teams" / "shop-desk.toml").write_text(
        '[channels.desk]\nkind = "slack"\nconnection = "slack_bot"\nto = ["#data"]\n'
        '[routes]\nerror = ["desk"]\ncritical = ["desk", "bot"]\n'
    )
    agree(CHANNELS)
    ran("boom")
    assert [channel for channel, _ in slack.shown] == ["#data"]
    ran("boom", run_id="2")
    ran("boom", run_id="3")
    assert sorted(channel for channel, _ in slack.shown[1:]) == ["#data", "#oncall"]


def test_a_channel_that_has_had_enough_is_told_how_much_was_left_out(
    agree: Agree, slack: Slack, statsd: Listener
) -> None:
    site = agree(f"notify.limit = 2\n{CHANNELS}")
    with DAG("shop", default_args=callbacks()):
        tasks = [Load(task_id=f"load_{each}", fault=OSError("gone")) for each in "abcd"]
    for task in tasks:
        assert run_task(task, at=DAY, callbacks=True).state == "failed"
    assert len(slack.shown) == 2
    assert "*Limit*\n2 messages in 60 minutes: more are suppressed until" in blocks(
        slack.shown[1][1]
    )
    sent = [each.tags["outcome"] for each in statsd.ours() if each.name.endswith("messages")]
    assert sorted(sent) == ["left_out", "left_out", "sent", "sent"]
    folder = Path(site.archive.root.removeprefix("file://")) / "notices/v1/channels/bot/others"
    newest = max(folder.iterdir())
    state = json.loads(newest.read_text())
    newest.write_text(json.dumps({**state, "began": "2024-01-01T00:00:00+00:00"}))
    with DAG("other", default_args=callbacks()):
        later = Load(task_id="load", fault=OSError("gone"))
    run_task(later, at=DAY, callbacks=True)
    assert "*Left out before*\n2 more messages were suppressed" in blocks(slack.shown[2][1])


FAULTS: dict[str, Callable[[Wire], None]] = {
    "500": lambda server: server.on("*", say(b"hunter4", 500)),
    "404": lambda server: server.on("*", say(b"no_team", 404)),
    "429 for an hour": lambda server: server.on("*", say(b"", 429, {"Retry-After": "3600"})),
    "no answer": lambda server: server.on("*", silent),
    "hangs up": lambda server: server.on("*", reset),
    "refused": lambda server: server.close(),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", ["slack_bot", "slack_hook", "webhook"])
def test_a_far_end_that_fails_is_logged_and_the_task_ends_as_it_did(
    kind: str, fault: str, agree: Agree, server: Wire, slack: Slack,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    agree("notify.timeout_s = 0.6")
    server._replies.clear()
    FAULTS[fault](server)
    server.connect(monkeypatch, "pager", conn_type="http", password="hunter2", login=None)
    notifiers: dict[str, SiteNotifier] = {
        "slack_bot": SlackNotifier(connection="slack_bot", to="#oncall"),
        "slack_hook": SlackNotifier(connection="slack_hook"),
        "webhook": WebhookNotifier(connection="pager"),
    }
    began = time.monotonic()
    with caplog.at_level(logging.DEBUG, "platform_ops"):
        result = ran("boom", only(notifiers[kind]))
    assert (result.state, str(result.error)) == ("failed", "boom")
    assert time.monotonic() - began < 5
    assert "did not reach channel" in caplog.text
    assert "hunter" not in "".join(
        each.getMessage() for each in caplog.records if each.name.startswith("platform_ops")
    )


def test_an_end_that_asks_to_wait_a_moment_gets_the_message_then(
    agree: Agree, server: Wire, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.connect(monkeypatch, "pager", conn_type="http", login=None)
    server.on("/", say(b"", 429, {"Retry-After": "0"}), say(b"", 503), say())
    ran("boom", only(WebhookNotifier(connection="pager")))
    bodies = [each.body for each in server.requests]
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert len({each.headers["idempotency-key"] for each in server.requests}) == 1
    server.on("/api/chat.postMessage", say(b"", 429, {"Retry-After": "0"}), slack._post)
    ran("boom", only(SlackNotifier(connection="slack_bot", to="#data")), run_id="2")
    assert [channel for channel, _ in slack.shown] == ["#data"]


@pytest.mark.parametrize("kind", ["slack", "mail", "webhook"])
def test_a_certificate_that_nobody_vouches_for_is_refused(
    kind: str, agree: Agree, slack: Slack, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(tmp_path))
    notifiers: dict[str, SiteNotifier] = {
        "slack": SlackNotifier(connection="slack_hook"),
        "mail": EmailNotifier(to="desk@example.com"),
        "webhook": WebhookNotifier(connection="pager"),
    }
    agree("notify.timeout_s = 1")
    with wire(tls=context) as secure, mail_server(tls=context) as post:
        secure.on("*", say())
        slack.connect_webhook(monkeypatch, url=secure.url)
        secure.connect(monkeypatch, "pager", conn_type="http", login=None)
        post.connect(monkeypatch, tls=True)
        assert ran("boom", only(notifiers[kind])).state == "failed"
        assert "could not be reached" in caplog.text
        assert (secure.requests, post.raw) == ([], [])


def test_mail_signs_in_over_tls_as_the_connection_says(
    agree: Agree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    public, secret = self_signed(tmp_path)
    context.load_cert_chain(public, secret)
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    agree("notify.timeout_s = 1")
    with mail_server(tls=context, password="hunter2") as post:
        post.connect(monkeypatch, tls=True, password="hunter2")
        ran("boom", only(EmailNotifier(to="desk@example.com")))
        assert len(post.raw) == 1
        post.connect(monkeypatch, tls=True, password="wrong")
        with DAG("other", default_args=only(EmailNotifier(to="desk@example.com"))):
            task = Load(task_id="load", fault=OSError("gone"))
        run_task(task, at=DAY, callbacks=True)
        assert len(post.raw) == 1


def test_what_reached_nobody_is_told_with_the_next_failure(
    agree: Agree, server: Wire, slack: Slack, mail: MailServer
) -> None:
    notifier = EmailNotifier(to="desk@example.com")
    mail.refuse = "554 no spam"
    ran("boom", only(notifier))
    mail.refuse = ""
    ran("boom", only(notifier), run_id="2")
    (letter,) = mail.letters()
    assert letter["Subject"] == "[failure] shop.load failed 2 times in a row"


def test_an_archive_out_of_reach_costs_the_memory_and_not_the_message(
    agree: Agree, slack: Slack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", "file:///proc/nowhere")
    agree(CHANNELS)
    ran("boom")
    ran("boom", run_id="2")
    assert [message["text"][:19] for _, message in slack.shown] == ["❌ shop.load failed:"] * 2
    assert "earlier messages are out of reach" in caplog.text


def test_a_damaged_memory_costs_one_message_more_and_is_mended_by_it(
    agree: Agree, slack: Slack, platform_archive: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    agree(CHANNELS)
    ran("boom")
    kept = [
        path
        for path in Path(platform_archive.archive.root.removeprefix("file://")).rglob("*.json")
        if "notices" in path.parts
    ]
    assert kept
    for each in kept:
        each.write_bytes(b"{")
    ran("boom", run_id="2")
    ran("boom", run_id="3")
    assert len(slack.shown) == 2
    assert "is damaged; what it remembered is lost" in caplog.text


def test_secrets_do_not_travel(agree: Agree, slack: Slack) -> None:
    from airflow.sdk.log import mask_secret

    agree(CHANNELS)
    mask_secret("hunter9")
    ran("cannot reach postgres://joe:hunter8@db/shop?token=hunter7 with hunter9")
    text = json.dumps(slack.shown)
    assert "postgres://db/shop?token=REDACTED with ***" in text
    assert "hunter" not in text


def test_a_run_is_told_by_its_dag(agree: Agree, slack: Slack) -> None:
    agree(CHANNELS)
    with DAG("shop", tags=["team:none"]) as dag:
        pass
    told = SiteNotifier()
    told({"dag": dag, "run_id": "manual__1", "reason": "timed_out"})
    told({"dag": dag, "run_id": "manual__2", "reason": "success"})
    first, second = (message for _, message in slack.shown)
    assert first["text"] == "❌ shop failed: It ran for longer than its dagrun_timeout."
    assert "http://localhost:8080/dags/shop/runs/manual__1|Run>" in blocks(first)
    assert second["text"].startswith("💚 shop works again")


def test_settings_that_cannot_be_read_cost_the_message_alone(
    agree: Agree, slack: Slack, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "platform.toml").write_text("[notify]\nlimit = 0\n")
    assert ran("boom").state == "failed"
    assert "no message could be made: ConfigError" in caplog.text


def test_a_kind_that_there_is_not_is_told_when_the_dag_is_parsed() -> None:
    with pytest.raises(ValueError, match="right are: success, failure, critical"):
        SiteNotifier(tell=["failed"])  # type: ignore[list-item]
