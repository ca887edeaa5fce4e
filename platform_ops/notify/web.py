"""A message as JSON, for whatever takes it by POST: its schema, and its signature."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any, Final

from platform_ops.notify.message import Message
from platform_ops.settings import KINDS, SEVERITIES

__all__ = ["SCHEMA", "SIGNATURE", "VERSION", "as_dict", "render", "signature"]

VERSION: Final = 1
SIGNATURE: Final = "X-Platform-Ops-Signature"
"""The header that proves who has sent a message."""


def render(message: Message) -> bytes:
    """The bytes that are posted, and signed."""
    return json.dumps(as_dict(message), ensure_ascii=False, separators=(",", ":")).encode()


def as_dict(message: Message) -> dict[str, Any]:  # Any: JSON values
    """The message as the schema wants it."""
    about = message.subject
    return {
        "version": VERSION,
        "id": message.id,
        "thread": message.thread,
        "kind": message.kind,
        "severity": message.severity,
        "title": message.title,
        "text": message.text,
        "at_utc": message.at_utc.isoformat(),
        "since_utc": _time(message.since_utc),
        "count": message.count,
        "subject": {
            "dag_id": about.dag_id,
            "task_id": about.task_id,
            "run_id": about.run_id,
            "try_number": about.try_number,
            "map_indexes": list(about.map_indexes),
            "entity": about.entity,
            "slot_time_utc": _time(about.slot_time_utc),
            "team": about.team,
            "owner": about.owner,
        },
        "facts": [{"label": each.label, "text": each.text} for each in message.facts],
        "links": [{"label": each.label, "url": each.url} for each in message.links],
    }


def signature(body: bytes, secret: str, at_s: int) -> str:
    """The signature's header: the time, and an HMAC-SHA256 over time and body, so that none is replayed.

    :param at_s: When it is sent, in seconds since 1970.
    """
    signed = hmac.new(secret.encode(), b"%d." % at_s + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={signed}"


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _or_null(kind: str, **more: Any) -> dict[str, Any]:  # Any: JSON Schema
    return {"type": [kind, "null"], **more}


def _object(properties: dict[str, Any]) -> dict[str, Any]:  # Any: JSON Schema
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_TEXT: Final = {"type": "string"}
SCHEMA: Final[dict[str, Any]] = {  # Any: JSON Schema
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A message of platform_ops",
    **_object(
        {
            "version": {"const": VERSION, "description": "Of this schema."},
            "id": {**_TEXT, "description": "The same for each attempt to deliver it."},
            "thread": {
                **_TEXT,
                "description": "The same for all that is told of one incident, to its recovery.",
            },
            "kind": {"enum": list(KINDS), "description": "What happened."},
            "severity": {"enum": list(SEVERITIES), "description": "How bad that is."},
            "title": {**_TEXT, "description": "In half a line."},
            "text": {**_TEXT, "description": "In a sentence or two."},
            "at_utc": {**_TEXT, "format": "date-time", "description": "When it was noticed."},
            "since_utc": _or_null("string", format="date-time", description="Since when it is so."),
            "count": {
                "type": "integer",
                "minimum": 0,
                "description": "How often it happened since then.",
            },
            "subject": {
                **_object(
                    {
                        "dag_id": _or_null("string", description="Airflow's DAG."),
                        "task_id": _or_null("string", description="Its task."),
                        "run_id": _or_null("string", description="Its run."),
                        "try_number": _or_null("integer", description="Which try of the task."),
                        "map_indexes": {
                            "type": "array",
                            "items": {"type": "integer"},
                            "description": "Instances of a mapped task that fail at the moment.",
                        },
                        "entity": _or_null("string", description="As source.name."),
                        "slot_time_utc": _or_null(
                            "string", format="date-time", description="Of the entity's slot."
                        ),
                        "team": _or_null("string", description="Who answers for it."),
                        "owner": _or_null("string", description="As the DAG or entity names it."),
                    }
                ),
                "description": "What it is about.",
            },
            "facts": {
                "type": "array",
                "items": _object({"label": _TEXT, "text": _TEXT}),
                "description": "What, where, since when, how often; for people.",
            },
            "links": {
                "type": "array",
                "items": _object({"label": _TEXT, "url": {**_TEXT, "format": "uri"}}),
                "description": "To the log, the documentation and the archive.",
            },
        }
    ),
}
"""What is posted, as JSON Schema."""
