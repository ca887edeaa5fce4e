"""The dashboard against the classes that Grafana generates from its own schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from platform_ops import monitoring


def lost(told: Any, read: Any, where: str = "dashboard") -> Iterator[str]:  # Any: JSON values
    """What did not survive; fields that Grafana adds are its own."""
    if isinstance(told, dict) and isinstance(read, dict):
        for name, value in told.items():
            yield from lost(value, read.get(name), f"{where}.{name}")
    elif isinstance(told, list) and isinstance(read, list) and len(told) == len(read):
        for number, (one, other) in enumerate(zip(told, read, strict=True)):
            yield from lost(one, other, f"{where}[{number}]")
    elif told != read:
        yield f"{where}: {told!r} became {read!r}"


def through_grafana(document: Any) -> Any:  # Any: JSON values
    return json.loads(JSONEncoder().encode(Dashboard.from_json(document)))


def test_grafana_knows_every_field_of_the_dashboard() -> None:
    register_default_plugins()
    document = monitoring.dashboard()
    assert list(lost(document, through_grafana(document))) == []


def test_a_field_that_grafana_does_not_know_is_seen() -> None:
    register_default_plugins()
    document = monitoring.dashboard()
    document["panels"][1]["targets"][0]["promql"] = "up"
    (found,) = lost(document, through_grafana(document))
    assert found.startswith("dashboard.panels[1].targets[0].promql: 'up' became None")
