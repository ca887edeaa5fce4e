"""Tables of the pages on URLs and metrics, computed by the code that they describe."""

from __future__ import annotations

from datetime import UTC, datetime

from platform_ops.entity import Entity, Slot
from platform_ops.monitoring import ALERTS
from platform_ops.url_scheme import DEFAULT_TEMPLATE, FIELDS, Template

Rows = tuple[tuple[str, ...], list[tuple[str, ...]]]

_DAY = datetime(2015, 12, 1, tzinfo=UTC)
_SLOTS = (
    ("A day of an entity", Slot(Entity("noaa", "daily_weather"), _DAY)),
    ("One capture of a mapped task", Slot(Entity("faa", "airports"), _DAY, map_key="WA")),
    (
        "A partition that is no date",
        Slot(Entity("crm", "invoices"), _DAY, partition_key="emea/north"),
    ),
    ("A fraction of a second", Slot(Entity("bus", "events"), _DAY.replace(microsecond=250_000))),
    ("A name that would leave the root", Slot(Entity("crm", ".."), _DAY)),
)


def url_fields() -> Rows:
    """What a template may name."""
    rows = [(f"``{{{name}}}``", meaning) for name, meaning in FIELDS.items()]
    return ("Field", "Becomes"), rows


def url_examples() -> Rows:
    """Slots and their folders under the default template."""
    template = Template.compile(DEFAULT_TEMPLATE)
    return ("Slot", "Folder"), [(title, f"``{template.render(slot)}``") for title, slot in _SLOTS]


def alerts() -> Rows:
    """What wakes somebody up, and where they look first."""
    rows = [
        (
            f"``{alert.name}``\n\n{alert.severity}",
            f"{_sentence(alert.summary)}\n\n``{alert.when}``\n\nSee :doc:`/runbooks/{alert.runbook}`.",
        )
        for alert in ALERTS
    ]
    return ("Alert", "What it says, when, and what to do"), rows


def _sentence(summary: str) -> str:
    text = summary.replace("{{ $labels.source }}.{{ $labels.entity }}", "an entity")
    return f"{text[0].upper()}{text[1:].rstrip('.')}."
