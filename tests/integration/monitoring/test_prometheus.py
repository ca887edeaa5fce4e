"""What Prometheus itself makes of the mapping and the rules: its checker, its simulator, a real scrape."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from platform_ops import monitoring
from platform_ops.metrics import METRICS
from platform_ops.settings import load
from tests.demo.airflow import ROOT, free_port
from tests.demo.processes import Nursery, poll
from tests.fakes.statsd_exporter import Exporter, exporter

SITE = '[sources.shop.entities.orders]\nschedule = "@hourly"\ngrace_minutes = 10\n'
ORDERS = 'source="shop",entity="orders"'

CASES: dict[str, tuple[dict[str, str], dict[str, str], str, str]] = {
    # Series in trouble, series that are well, and when Prometheus is asked of each.
    "PlatformOpsLate": (
        {f"platform_ops_due_at_seconds{{{ORDERS}}}": "600x60"},
        {f"platform_ops_due_at_seconds{{{ORDERS}}}": "7200x60"},
        "30m",
        "30m",
    ),
    "PlatformOpsFailing": (
        {f'platform_ops_failures_total{{{ORDERS},error="SourceRejected"}}': "_x5 1x60"},
        {
            f'platform_ops_failures_total{{{ORDERS},error="SourceRejected"}}': "_x5 1x60",
            f"platform_ops_entities_total{{{ORDERS}}}": "3x6 4x60",
        },
        "20m",
        "20m",
    ),
    "PlatformOpsEmpty": (
        {f"platform_ops_empty_total{{{ORDERS}}}": "_x5 1x60"},
        {f"platform_ops_empty_total{{{ORDERS}}}": "1x180"},
        "30m",
        "2h",
    ),
    "PlatformOpsSmall": (
        {
            f"platform_ops_bytes_total{{{ORDERS}}}": "0+1000x2880 2880000+10x1500",
            f"platform_ops_entities_total{{{ORDERS}}}": "0+1x4400",
        },
        {
            f"platform_ops_bytes_total{{{ORDERS}}}": "0+1000x4400",
            f"platform_ops_entities_total{{{ORDERS}}}": "0+1x4400",
        },
        "72h",
        "72h",
    ),
    "PlatformOpsNotDeclared": (
        {f"platform_ops_undeclared_total{{{ORDERS}}}": "1x5 2x60"},
        {f"platform_ops_undeclared_total{{{ORDERS}}}": "2x180"},
        "30m",
        "2h",
    ),
    "PlatformOpsNotArchived": (
        {f'platform_ops_unarchived_total{{{ORDERS},operator="HttpOperator"}}': "_x5 1x60"},
        {f'platform_ops_unarchived_total{{{ORDERS},operator="HttpOperator"}}': "2x180"},
        "30m",
        "2h",
    ),
    "PlatformOpsVerifyFailed": (
        {f'platform_ops_verify_faults_total{{{ORDERS},kind="altered"}}': "_x5 1x60"},
        {f'platform_ops_verify_faults_total{{{ORDERS},kind="altered"}}': "1x3000"},
        "30m",
        "30h",
    ),
    "PlatformOpsSweepBacklog": (
        {f"platform_ops_sweep_backlog{{{ORDERS}}}": "1001x3000"},
        {f"platform_ops_sweep_backlog{{{ORDERS}}}": "1000x3000"},
        "25h",
        "25h",
    ),
    "PlatformOpsNotTold": (
        {f'platform_ops_messages_total{{{ORDERS},outcome="failed"}}': "_x5 1x60"},
        {
            f'platform_ops_messages_total{{{ORDERS},outcome="failed"}}': "1x180",
            f'platform_ops_messages_total{{{ORDERS},outcome="sent"}}': "1x90 2x90",
            f'platform_ops_messages_total{{{ORDERS},outcome="left_out"}}': "1x90 2x90",
        },
        "30m",
        "2h",
    ),
    "PlatformOpsNeverCame": (
        {"up": "1x300"},
        {f"platform_ops_committed_at_seconds{{{ORDERS}}}": "600x300"},
        "3h",
        "3h",
    ),
}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The rules of a site with one scheduled entity, as a file."""
    (tmp_path / "platform.toml").write_text(SITE)
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump(monitoring.rules(load(tmp_path / "platform.toml").settings)))
    return path


def promtool(*arguments: str, cwd: Path) -> str:
    ran = subprocess.run(
        ["promtool", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_checker_finds_no_fault(rules: Path) -> None:
    count = sum(len(group["rules"]) for group in yaml.safe_load(rules.read_text())["groups"])
    assert f"SUCCESS: {count} rules found" in promtool(
        "check", "rules", rules.name, cwd=rules.parent
    )


def test_every_alert_has_a_case() -> None:
    assert set(CASES) == {*(alert.name for alert in monitoring.ALERTS), "PlatformOpsNeverCame"}


@pytest.mark.parametrize("name", CASES)
def test_an_alert_fires_in_trouble_and_is_silent_else(rules: Path, name: str) -> None:
    trouble, well, *when = CASES[name]
    (rule,) = [
        rule
        for group in yaml.safe_load(rules.read_text())["groups"]
        for rule in group["rules"]
        if rule.get("alert") == name
    ]
    labels = {**rule["labels"], "source": "shop", "entity": "orders"}
    if name == "PlatformOpsVerifyFailed":
        labels["kind"] = "altered"
    summary = rule["annotations"]["summary"]
    for label, value in labels.items():
        summary = summary.replace(f"{{{{ $labels.{label} }}}}", value)
    fires = {"exp_labels": labels, "exp_annotations": {"summary": summary}}
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": s, "values": v} for s, v in given.items()],
            "alert_rule_test": [{"alertname": name, "eval_time": at, "exp_alerts": expected}],
        }
        for given, expected, at in ((trouble, [fires], when[0]), (well, [], when[1]))
    ]
    (rules.parent / "tests.yml").write_text(
        yaml.safe_dump({"rule_files": [rules.name], "tests": tests})
    )
    promtool("test", "rules", "tests.yml", cwd=rules.parent)


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Exporter, str]]:
    """A real Prometheus that has scraped what ``tests/measured.py`` sent; its address."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "rules.yml").write_text(yaml.safe_dump(monitoring.rules(load().settings)))
    with ExitStack() as stack:
        end = stack.enter_context(exporter(monitoring.statsd_mapping()))
        environment = {
            **os.environ,
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(end.udp_port),
            "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
            "PLATFORM_OPS__ARCHIVE__ROOT": f"file://{folder / 'archive'}",
        }
        subprocess.run(
            [sys.executable, "-m", "tests.measured"], check=True, env=environment, cwd=ROOT
        )
        (folder / "prometheus.yml").write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "rule_files": ["rules.yml"],
                    "scrape_configs": [
                        {
                            "job_name": "statsd",
                            "static_configs": [{"targets": [f"127.0.0.1:{end.http_port}"]}],
                        }
                    ],
                }
            )
        )
        port = free_port()
        nursery = stack.enter_context(Nursery.opened(folder / "logs"))
        nursery.start(
            "prometheus",
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            os.environ,
            folder,
        )
        url = f"http://127.0.0.1:{port}"

        def has_scraped() -> bool:
            nursery.check()
            try:
                return bool(asked(url, "platform_ops_entities_total"))
            except requests.ConnectionError:
                return False

        poll(has_scraped, "Prometheus to scrape", 60, interval_s=0.2)
        yield end, url


def answered(url: str, promql: str) -> bool:
    return bool(asked(url, promql))


def asked(url: str, promql: str) -> list[Any]:
    reply = requests.get(f"{url}/api/v1/query", params={"query": promql}, timeout=10)
    found: list[Any] = reply.json()["data"]["result"]
    return found


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_scraped_under_its_name_with_its_labels(
    scraped: tuple[Exporter, str], metric: Any
) -> None:
    end, url = scraped
    name = f"{metric.series}_count" if metric.kind == "timer" else metric.series
    found = asked(url, name)
    assert found
    assert {"job", "instance", "__name__", *metric.tags} == {*found[0]["metric"]}
    assert not {each for each in end.unmapped if ".platform_ops." in each}


def test_every_panel_of_the_dashboard_has_an_answer(scraped: tuple[Exporter, str]) -> None:
    for panel in monitoring.dashboard()["panels"]:
        for target in panel.get("targets", ()):
            promql = target["expr"].replace("$__rate_interval", "1m")
            promql = promql.replace("$source", ".*").replace("$entity", ".*")
            what = f"an answer for {panel['title']}: {promql}"
            poll(partial(answered, scraped[1], promql), what, 30, interval_s=0.2)


def test_alerts_fire_by_what_was_really_sent(scraped: tuple[Exporter, str]) -> None:
    def firing() -> set[tuple[str, str]]:
        found = asked(scraped[1], 'ALERTS{alertstate="firing"}')
        return {(each["metric"]["alertname"], each["metric"]["entity"]) for each in found}

    expected = {
        ("PlatformOpsEmpty", "nothing"),
        ("PlatformOpsVerifyFailed", "forecast"),
        ("PlatformOpsNotTold", "webhook-nowhere"),
    }
    poll(lambda: expected <= firing(), "the alerts to fire", 60, interval_s=0.2)
