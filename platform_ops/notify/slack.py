"""A message as Slack shows it.

Source: https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from platform_ops.notify.message import EMOJI, Message
from platform_ops.settings import Severity

__all__ = ["render"]

_COLOURS: Final[dict[Severity, str]] = {
    "info": "#2e7d32",
    "warning": "#f9a825",
    "error": "#c62828",
    "critical": "#6a1b9a",
}
_TITLE: Final = 150  # Slack refuses a longer header, and a longer text or field below
_TEXT: Final = 2900
_FIELD: Final = 1900
_FIELDS: Final = 10


def render(message: Message, mentions: Iterable[str] = ()) -> dict[str, Any]:  # Any: JSON values
    """The body of ``chat.postMessage``, and of an incoming webhook, but for the channel.

    :param mentions: Whom to call: ``here``, ``channel``, ids of users and of user groups.
    """
    title = f"{EMOJI[message.kind]} {message.title}"
    calls = " ".join(map(_mention, mentions))
    blocks: list[dict[str, Any]] = [  # Any: JSON values
        {"type": "header", "text": {"type": "plain_text", "text": _cut(title, _TITLE)}},
        _section(f"{calls} {_escaped(message.text)}".strip()),
    ]
    if message.facts:
        fields = [f"*{_escaped(each.label)}*\n{_escaped(each.text)}" for each in message.facts]
        texts = [{"type": "mrkdwn", "text": _cut(each, _FIELD)} for each in fields]
        blocks.append({"type": "section", "fields": texts[:_FIELDS]})
    if message.links:
        links = " · ".join(f"<{_url(each.url)}|{_escaped(each.label)}>" for each in message.links)
        blocks.append(
            {"type": "context", "elements": [{"type": "mrkdwn", "text": _cut(links, _TEXT)}]}
        )
    return {
        "text": _cut(f"{title}: {message.text}", _TEXT),  # what a phone's notification shows
        "attachments": [{"color": _COLOURS[message.severity], "blocks": blocks}],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _section(text: str) -> dict[str, Any]:  # Any: JSON values
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, _TEXT)}}


def _mention(who: str) -> str:
    if who in ("here", "channel", "everyone"):
        return f"<!{who}>"
    return f"<!subteam^{who}>" if who.startswith("S") else f"<@{who}>"


def _escaped(text: str) -> str:
    """Text that Slack takes for nothing but text.

    Source: https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _url(url: str) -> str:
    return re.sub(r"[|<>\s]", lambda hit: f"%{ord(hit[0]):02X}", url).replace("&", "&amp;")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
