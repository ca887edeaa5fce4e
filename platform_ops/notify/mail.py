"""A message as a mail: plain text, and the same in HTML for those who like it.

Source: https://www.rfc-editor.org/rfc/rfc5322, and RFC 3834 on mail that no person has written.
"""

from __future__ import annotations

from collections.abc import Iterable
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import Final

from platform_ops.notify.message import EMOJI, Message
from platform_ops.settings import Severity

__all__ = ["html", "plain", "render"]

_COLOURS: Final[dict[Severity, str]] = {
    "info": "#2e7d32",
    "warning": "#b26a00",
    "error": "#c62828",
    "critical": "#6a1b9a",
}
_DOMAIN: Final = "platform-ops.invalid"
"""For ids of messages: a domain that nobody can own (RFC 2606)."""


def render(message: Message, sender: str, to: Iterable[str]) -> EmailMessage:
    """The whole mail; all that is told of one incident makes one thread.

    :param sender: Its address.
    :param to: Addresses of those who get it.
    """
    # Mail ends its lines by CR and LF, and a title of several lines would forge a header.
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = f"[{message.kind}] {' '.join(message.title.split())}"
    mail["From"] = Address(addr_spec=sender)
    mail["To"] = [Address(addr_spec=each) for each in to]
    mail["Date"] = format_datetime(message.at_utc)
    mail["Message-ID"] = f"<{message.id}@{_DOMAIN}>"
    mail["References"] = f"<{message.thread}@{_DOMAIN}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Platform-Ops-Kind"] = message.kind
    if message.severity == "critical":
        mail["Importance"] = "high"
    mail.set_content(plain(message))
    mail.add_alternative(html(message), subtype="html")
    mail.set_boundary(f"=={message.id}==")  # the same bytes for the same message
    return mail


def plain(message: Message) -> str:
    """The text without any markup."""
    lines = [message.title, "", message.text, ""]
    width = max((len(each.label) for each in message.facts), default=0) + 2
    for fact in message.facts:
        first, *more = fact.text.splitlines() or [""]
        lines += [f"{f'{fact.label}:':<{width}}{first}", *(" " * width + each for each in more)]
    lines += ["", *(f"{each.label}: {each.url}" for each in message.links)]
    return "\n".join(lines).strip() + "\n"


def html(message: Message) -> str:
    """The text in HTML, with its styles in place: programs that show mail drop style sheets."""
    colour = _COLOURS[message.severity]
    rows = "".join(
        f'<tr><th style="text-align:left;vertical-align:top;padding:2px 16px 2px 0;color:#555;'
        f'font-weight:normal">{escape(each.label)}</th>'
        f'<td style="padding:2px 0;white-space:pre-wrap">{escape(each.text)}</td></tr>'
        for each in message.facts
    )
    links = " · ".join(
        f'<a href="{escape(each.url)}">{escape(each.label)}</a>' for each in message.links
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(message.title)}</title></head>"
        '<body style="font-family:sans-serif;font-size:15px;color:#222;background:#fff">'
        f'<div style="border-left:4px solid {colour};padding-left:14px">'
        f'<h1 style="font-size:18px;margin:0 0 8px">{EMOJI[message.kind]} {escape(message.title)}</h1>'
        f'<p style="margin:0 0 12px;white-space:pre-wrap">{escape(message.text)}</p>'
        f'<table style="border-collapse:collapse;font-size:14px">{rows}</table>'
        f'<p style="margin:12px 0 0">{links}</p>'
        "</div></body></html>\n"
    )
