"""Slack as far as messages go: an incoming webhook, and ``chat.postMessage`` for a bot.

It refuses what Slack refuses: a wrong token or channel, and blocks that are longer than it takes.

Source: https://docs.slack.dev/reference/methods/chat.postMessage
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from tests.fakes.wire import Exchange, Wire, say

__all__ = ["HOOK", "TOKEN", "Slack"]

TOKEN: Final = "xoxb-1111-hunter2"
HOOK: Final = "T0/B0/hunter3"


@dataclass
class Slack:
    """What it has shown so far.

    :param shown: Messages, each with the Slack channel; of a webhook with its own.
    """

    wire: Wire
    channels: tuple[str, ...] = ("#oncall", "#data")
    shown: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wire.on("/api/chat.postMessage", self._post)
        self.wire.on(f"/services/{HOOK}", self._hook)

    def connect_bot(self, monkeypatch: pytest.MonkeyPatch, conn_id: str = "slack_bot") -> None:
        """Make it known as a connection of a bot."""
        plain = {
            "conn_type": "slack",
            "password": TOKEN,
            "extra": {"base_url": f"{self.wire.url}/api/"},
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(plain))

    def connect_webhook(
        self, monkeypatch: pytest.MonkeyPatch, conn_id: str = "slack_hook", url: str | None = None
    ) -> None:
        """Make it known as a connection of an incoming webhook."""
        scheme, _, host = (url or self.wire.url).partition("://")
        plain = {
            "conn_type": "slackwebhook",
            "schema": scheme,
            "host": f"{host}/services",
            "password": HOOK,
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(plain))

    def _post(self, exchange: Exchange) -> None:
        asked = exchange.request_
        body = json.loads(asked.body)
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            answer: dict[str, Any] = {"ok": False, "error": "invalid_auth"}
        elif body["channel"] not in self.channels:
            answer = {"ok": False, "error": "channel_not_found"}
        elif fault := _fault(body):
            answer = {"ok": False, "error": fault}
        else:
            self.shown.append((body["channel"], body))
            answer = {"ok": True, "channel": "C0", "ts": "1700000000.000100"}
        say(json.dumps(answer).encode(), headers={"Content-Type": "application/json"})(exchange)

    def _hook(self, exchange: Exchange) -> None:
        body = json.loads(exchange.request_.body)
        if fault := _fault(body):
            say(fault.encode(), 400)(exchange)
            return
        self.shown.append(("#webhook", body))
        say(b"ok")(exchange)


def _fault(body: dict[str, Any]) -> str:
    if not body.get("text"):
        return "no_text"
    for block in [each for part in body["attachments"] for each in part["blocks"]]:
        texts = [block.get("text", {}), *block.get("fields", ()), *block.get("elements", ())]
        limit = {"header": 150, "section": 3000, "context": 3000}[block["type"]]
        if any(len(each.get("text", "")) > limit for each in texts):
            return "invalid_blocks"
        if len(block.get("fields", ())) > 10:
            return "invalid_blocks"
    return ""
