"""Cluster policies: what Airflow itself does with a DAG, by what platform.toml says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conventions.found import in_dag

LOAD = '@task\ndef load():\n    """Load."""\nload()'
SCRIPT = """
import json, logging, sys
from airflow.dag_processing.dagbag import DagBag
out = {}
for path in sys.argv[1:]:
    bag = DagBag(path)
    tasks = [t for d in bag.dags.values() for t in d.tasks]
    out[path] = {
        "dags": sorted(bag.dags), "errors": list(bag.import_errors.values()),
        "tasks": {t.task_id: {n: str(getattr(t, n, None)) for n in
                  ("pool", "retries", "execution_timeout", "mode")} for t in tasks},
    }
print("\\n" + json.dumps(out))
"""


def parsed(tmp_path: Path, toml: str, *texts: str) -> tuple[list[dict[str, Any]], str]:
    """What Airflow made of each text, in one process, and everything that it said."""  # Any: JSON
    config = tmp_path / "platform.toml"
    config.write_text(toml)
    files = []
    for number, text in enumerate(texts):
        files.append(tmp_path / f"d{number}.py")
        files[-1].write_text(text)
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, files)],
        env={**os.environ, "PLATFORM_OPS_CONFIG": str(config), "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    out = json.loads(ran.stdout.splitlines()[-1])
    return [out[str(each)] for each in files], ran.stdout + ran.stderr


def policy(**actions: str) -> str:
    return "".join(
        f"[conventions.rules.{name}]\npolicy = '{each}'\n" for name, each in actions.items()
    )


def test_error_warn_and_mutate_each_by_rule(tmp_path: Path) -> None:
    toml = (
        '[docs]\nbase_url = "https://docs.example.com/stable"\n'
        '[conventions.pools]\nwarehouse = "small"\n'
        + policy(PO101="error", PO103="warn", PO401="mutate", PO402="mutate", PO403="mutate")
        + policy(PO404="mutate", PO502="error")
    )
    imports = (
        "from airflow.providers.http.operators.http import HttpOperator\n"
        "from airflow.providers.standard.sensors.filesystem import FileSensor\n"
    )
    body = (
        'FileSensor(task_id="file", filepath="x", fs_conn_id="warehouse")\n'
        'FileSensor.partial(task_id="many", fs_conn_id="warehouse").expand(filepath=["a", "b"])'
    )
    bad, stock, warned = (
        in_dag(LOAD, dag_id='"Bad-Name"'),
        imports
        + in_dag('HttpOperator(task_id="get", endpoint="/x", method="GET")', dag_id='"stock"'),
        imports + in_dag(body, dag_id='"fine"', tags=None, default_args='{"owner": "a"}'),
    )
    (first, second, third), said = parsed(tmp_path, toml, bad, stock, warned)

    assert first["dags"] == []
    (error,) = first["errors"]
    assert "PO101 DAG's id breaks the site's pattern: Bad-Name" in error
    assert "https://docs.example.com/stable/reference/rules/PO101.html" in error
    assert "PO502" in second["errors"][0]

    assert (third["dags"], third["errors"]) == (["fine"], [])
    assert "PO103 DAG without tags, or with odd ones: fine: has no tags" in said
    assert third["tasks"]["file"] == {
        "pool": "small",
        "retries": "1",
        "execution_timeout": "1 day, 0:00:00",
        "mode": "reschedule",
    }
    many = third["tasks"]["many"]
    assert (many["pool"], many["retries"], many["execution_timeout"]) == (
        "small",
        "1",
        "1 day, 0:00:00",
    )


def test_nothing_is_done_unless_a_rule_is_asked_to(tmp_path: Path) -> None:
    (found,), said = parsed(tmp_path, "", in_dag(LOAD, dag_id='"Odd"', tags=None))
    assert found["dags"] == ["Odd"]
    assert "PO1" not in said


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[conventions.rules.PO999]\npolicy = 'error'\n", "there is no such rule"),
        ("[conventions\n", "not valid TOML"),
    ],
    ids=["unknown rule", "no TOML"],
)
def test_wrong_settings_take_no_dag_away_and_are_told(
    tmp_path: Path, toml: str, message: str
) -> None:
    found, said = parsed(tmp_path, toml, in_dag(LOAD), in_dag(LOAD, dag_id='"more"'))
    assert [each["dags"] for each in found] == [["tides"], ["more"]]
    assert said.count("the conventions of platform_ops are not kept on this site") == 1
    assert message in said
