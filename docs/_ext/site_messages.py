"""Messages to people, shown as they look: by the renderers that make them, for Slack, mail and webhooks."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any, ClassVar, Final, get_args

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from platform_ops.notify import mail, slack, web
from platform_ops.notify.samples import sample
from platform_ops.settings import KINDS, Kind, Settings

_SITE: Final = Settings.model_validate({"docs": {"base_url": "https://docs.example.com/stable"}})


class MessagePreviews(SphinxDirective):
    """Every kind of message, in Slack and as a mail."""

    def run(self) -> list[nodes.Node]:
        return [self._section(kind) for kind in get_args(Kind)]

    def _section(self, kind: Kind) -> nodes.section:
        message = sample(kind, _SITE)
        mentions = ["here"] if message.severity == "critical" else []
        severity, meaning = KINDS[kind]
        said = f"{meaning} Its severity is {severity}."
        section = nodes.section(
            "",
            nodes.title("", kind),
            nodes.paragraph("", said),
            nodes.raw("", _in_slack(slack.render(message, mentions)), format="html"),
            nodes.raw("", _as_mail(message.title, mail.html(message)), format="html"),
        )
        section["names"] = [nodes.fully_normalize_name(kind)]
        self.state.document.note_implicit_target(section, section)
        return section


class MessageJson(SphinxDirective):
    """What a webhook gets, or the schema of it."""

    has_content = False
    option_spec: ClassVar[dict[str, Any]] = {"schema": directives.flag}

    def run(self) -> list[nodes.Node]:
        shown = web.SCHEMA if "schema" in self.options else web.as_dict(sample("failure", _SITE))
        text = json.dumps(shown, indent=1, ensure_ascii=False)
        block = nodes.literal_block(text, text, language="json")
        self.set_source_info(block)
        return [block]


def _in_slack(body: dict[str, Any]) -> str:  # Any: JSON values
    (part,) = body["attachments"]
    inside = "".join(_block(each) for each in part["blocks"])
    return (
        '<div class="slack-message"><p class="slack-sender"><strong>platform_ops</strong> '
        "<span>APP</span></p>"
        f'<div class="slack-card" style="border-color:{part["color"]}">{inside}</div></div>'
    )


def _block(block: dict[str, Any]) -> str:  # Any: JSON values
    if block["type"] == "header":
        return f'<p class="slack-header">{escape(block["text"]["text"])}</p>'
    if block["type"] == "context":
        return f'<p class="slack-context">{_marked(block["elements"][0]["text"])}</p>'
    if "fields" in block:
        fields = "".join(f"<div>{_marked(each['text'])}</div>" for each in block["fields"])
        return f'<div class="slack-fields">{fields}</div>'
    return f"<p>{_marked(block['text']['text'])}</p>"


def _marked(text: str) -> str:
    """Slack's own marks, as HTML; its text is escaped already."""
    text = re.sub(r"<!(\w+)>", r'<span class="slack-mention">@\1</span>', text)
    text = re.sub(r"<(https?://[^|>]+)\|([^>]+)>", _link, text)
    text = re.sub(r"^\*([^*\n]+)\*$", r"<strong>\1</strong>", text, flags=re.MULTILINE)
    return text.replace("\n", "<br>")


def _link(found: re.Match[str]) -> str:
    """To nowhere: what a sample links to does not exist."""
    return f'<span class="slack-link" title="{found[1]}">{found[2]}</span>'


def _as_mail(title: str, html: str) -> str:
    shown = re.sub(r'<a href="[^"]*">([^<]*)</a>', r"<u>\1</u>", html)
    return (
        f'<iframe class="mail-message" sandbox="" loading="lazy" title="Mail: {escape(title)}" '
        f'srcdoc="{escape(shown)}"></iframe>'
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives."""
    app.add_directive("message-previews", MessagePreviews)
    app.add_directive("message-json", MessageJson)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
