"""The mapping, the rules and the dashboard against the table of metrics that they are written from."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from platform_ops import monitoring
from platform_ops.cli import main
from platform_ops.metrics import METRICS
from platform_ops.settings import Settings

SITE = """
[docs]
base_url = "https://docs.example.com/stable"

[sources.shop]
owner = "sales"

[sources.shop.entities."odd \\"name\\""]
schedule = "0 6 * * 1-5"
grace_minutes = 90

[sources.shop.entities.any_time]
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "platform.toml"
    path.write_text(SITE)
    return path


def printed(*arguments: str) -> str:
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def expressions(document: Any) -> list[str]:
    """Every PromQL expression of a document."""
    if isinstance(document, dict):
        own = [document["expr"]] if "expr" in document else []
        return own + [each for value in document.values() for each in expressions(value)]
    if isinstance(document, list):
        return [each for value in document for each in expressions(value)]
    return []


def series(expression: str) -> set[str]:
    """Names of the platform's series in it, without the endings of a histogram."""
    named = re.findall(r"platform_ops_\w+", expression)
    return {name.removesuffix("_bucket") for name in named}


def test_every_metric_is_mapped_to_a_name_of_its_own() -> None:
    document = yaml.safe_load(printed("monitoring", "mapping", "--prefix", "af"))
    mapped = {each["match"]: each["name"] for each in document["mappings"]}
    assert mapped == {f"af.{metric.name}": metric.series for metric in METRICS}
    assert len(set(mapped.values())) == len(METRICS)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_follow_the_rules_of_prometheus(metric: Any) -> None:
    endings = {"counter": "_total", "timer": "_seconds", "gauge": ""}
    assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.series)
    assert metric.series.endswith(endings[metric.kind])


def test_rules_ask_for_series_that_exist(site: Path) -> None:
    document = yaml.safe_load(printed("--config", str(site), "monitoring", "rules"))
    asked = {name for each in expressions(document) for name in series(each)}
    assert asked <= {metric.series for metric in METRICS}
    recorded = {
        rule["record"]
        for group in document["groups"]
        for rule in group["rules"]
        if "record" in rule
    }
    used = {
        name for each in expressions(document) for name in re.findall(r"platform_ops:[\w:]+", each)
    }
    assert used <= recorded


def test_each_alert_leads_to_a_runbook_that_is_there(site: Path) -> None:
    document = yaml.safe_load(printed("--config", str(site), "monitoring", "rules"))
    urls = [
        rule["annotations"]["runbook_url"]
        for group in document["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert len(urls) == len(monitoring.ALERTS) + 1
    for url in urls:
        page = url.removeprefix("https://docs.example.com/stable/").removesuffix(".html")
        assert (Path("docs") / f"{page}.md").is_file()


def test_a_scheduled_entity_must_come_at_all(site: Path) -> None:
    document = yaml.safe_load(printed("--config", str(site), "monitoring", "rules"))
    (rule,) = document["groups"][-1]["rules"]
    assert rule["expr"] == (
        'absent(platform_ops_committed_at_seconds{source="shop",entity="odd__name_"})'
    )
    assert rule["for"] == "74h"  # from Friday to Monday, and the hour and a half of grace
    assert rule["labels"] == {
        "severity": "warning",
        "source": "shop",
        "entity": 'odd "name"',
        "owner": "sales",
    }


def test_a_site_without_schedules_or_address_has_rules_too() -> None:
    document = monitoring.rules(Settings())
    assert [group["name"] for group in document["groups"]] == [
        "platform_ops.recorded",
        "platform_ops.alerts",
    ]
    assert "runbook_url" not in json.dumps(document)


def test_the_dashboard_shows_every_metric_and_no_other() -> None:
    document = json.loads(printed("monitoring", "dashboard"))
    asked = {name for each in expressions(document) for name in series(each)}
    assert asked == {metric.series for metric in METRICS}


def test_panels_neither_overlap_nor_stand_out() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in monitoring.dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_a_document_is_written_to_a_file_where_one_is_named(tmp_path: Path) -> None:
    target = tmp_path / "dashboard.json"
    assert printed("monitoring", "dashboard", "-o", str(target)) == ""
    assert json.loads(target.read_text()) == monitoring.dashboard()
