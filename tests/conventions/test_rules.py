"""Each rule: its bad example breaks it and no other, its good one breaks none, and Airflow takes it."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from platform_ops.conventions import CONVENTIONS, META, Convention
from platform_ops.settings import ConventionSettings
from tests.conventions.found import HEAD, agreed, found, ids, in_dag

SITE = agreed(["weather.forecast"], pools={"warehouse": "warehouse"})
HTTP = "from airflow.providers.http.operators.http import HttpOperator\n"
SQL = "from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator\n"
SFTP = "from airflow.providers.sftp.operators.sftp import SFTPOperator\n"
SHOWN = [each for each in CONVENTIONS if each.bad]
PYTHON = [each for each in SHOWN if each.on_template is None]


def test_ids_are_in_order_and_each_is_used_once() -> None:
    known = [each.id for each in (*CONVENTIONS, *META)]
    assert len(set(known)) == len(known) >= 24
    assert [each.id for each in CONVENTIONS] == sorted(each.id for each in CONVENTIONS)


def test_each_shows_its_options_as_a_file_has_them_and_none_is_left_out() -> None:
    shown: set[str] = set()
    for rule in CONVENTIONS:
        written = tomllib.loads(rule.options)["conventions"]
        taken = ConventionSettings.model_validate(written)
        assert taken.rules[rule.id].severity == rule.severity
        assert taken.model_copy(update={"rules": {}}) == ConventionSettings()
        assert ("policy" in written["rules"][rule.id]) == rule.in_policy
        shown |= set(written)
    assert shown == set(ConventionSettings.model_fields)


@pytest.mark.parametrize("rule", CONVENTIONS, ids=lambda each: each.id)
def test_each_says_why_and_what_to_do(rule: Convention) -> None:
    assert rule.why.endswith(".")
    assert rule.fix
    assert not rule.fix.endswith(".")
    assert rule.bad or rule.id == "PO305"  # which is about seconds, not about text


@pytest.mark.parametrize("rule", PYTHON, ids=lambda each: each.id)
def test_the_bad_example_breaks_this_rule_and_no_other(rule: Convention) -> None:
    assert {name for name, _ in found(rule.bad, SITE)} == {rule.id}


@pytest.mark.parametrize("rule", PYTHON, ids=lambda each: each.id)
def test_the_good_example_breaks_none(rule: Convention) -> None:
    assert found(rule.good, SITE) == []


def test_pod_templates_that_kubernetes_would_refuse() -> None:
    (rule,) = (each for each in CONVENTIONS if each.on_template)
    assert rule.on_template is not None

    def told(text: str) -> list[str]:
        assert rule.on_template is not None
        return [each.message for each in rule.on_template("pod.yaml", text)]

    assert told(rule.good) == []
    assert told(rule.bad)[0].startswith("does not parse")
    assert told(rule.good.replace("kind: Pod", "kind: Job")) == ["is a Job, and not a Pod"]
    assert told(rule.good.replace("name: base", "name: main"))[0].startswith("its first container")
    assert told("") == ["holds 0 documents that should be one Pod"]


def test_airflow_takes_every_example_whose_packages_are_here(tmp_path: Path) -> None:
    """The good ones load; the bad ones are bad for what the rule says, and not for a slip."""
    for rule in PYTHON:
        if rule.id not in ("PO301", "PO302", "PO303"):  # which ask the network, or import a lot
            (tmp_path / f"{rule.id}_bad.py").write_text(rule.bad)
            (tmp_path / f"{rule.id}_good.py").write_text(rule.good)
    script = (
        "import json, sys\n"
        "from airflow.dag_processing.dagbag import DagBag\n"
        "bags = [DagBag(each) for each in sys.argv[1:]]\n"
        "print(json.dumps({k: v for bag in bags for k, v in bag.import_errors.items()}))"
    )
    files = map(str, sorted(tmp_path.glob("*.py")))  # one bag each, since ids are shared
    ran = subprocess.run(
        [sys.executable, "-c", script, *files], capture_output=True, text=True, check=True
    )
    faults = json.loads(ran.stdout.splitlines()[-1])
    assert {Path(file).name: trace.splitlines()[-1] for file, trace in faults.items()} == {}


# What the examples do not show

NOT_FIRED = {
    "a logical date that a task asks for before it uses it": in_dag(
        '@task\ndef load(ds=None):\n    """Load."""\n    print(ds if ds else "none")\nload()',
        schedule="None",
    ),
    "a logical date that is given": in_dag(
        '@task\ndef load(ds=None):\n    """Load."""\n    print(ds)\nload(ds="2024-01-01")',
        schedule="None",
    ),
    "a logical date that may be missing from the context": in_dag(
        '@task\ndef load(**context):\n    """Load."""\n    print(context.get("ds"))\nload()',
        schedule="None",
    ),
    "a logical date where every run has one": in_dag(
        '@task\ndef load(ds=None):\n    """Load."""\n    print(ds)\nload()'
    ),
    "a setting of the environment that is no secret": in_dag(
        'BashOperator(task_id="x", bash_command=f"load {os.environ[\'STAGE\']}")'
    ).replace("from airflow.sdk", "import os\nfrom airflow.sdk"),
    "an id that is computed": in_dag("pass", dag_id='f"{datetime.now().year}_tides"'),
    "defaults that are computed": in_dag(
        '@task\ndef load():\n    """Load."""\nload()', default_args="make_defaults()"
    ),
    "defaults in a dict() call": in_dag(
        '@task\ndef load():\n    """Load."""\nload()', default_args='dict(owner="a", retries=1)'
    ),
    "a look-up in a task": in_dag(
        '@task\ndef load():\n    """Load."""\n    return Variable.get("city")\nload()'
    ),
    "a look-up in a function that a task calls": HEAD
    + 'def city():\n    return Variable.get("city")\n\n@task\ndef load():\n    return city()\n',
    "a request under __main__": HEAD
    + 'import requests\nif __name__ == "__main__":\n    requests.get("https://example.com")\n',
    "an import for types alone": HEAD
    + "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas\n",
    "ds of a scheduled run": in_dag('BashOperator(task_id="load", bash_command="load {{ ds }}")'),
    "the filter ds": in_dag(
        'BashOperator(task_id="load", bash_command="{{ dag_run.run_after | ds }}")', schedule="None"
    ),
    "ds with something in its stead": in_dag(
        'BashOperator(task_id="load", bash_command="{{ ds if ds is defined else 1 }}")',
        schedule="None",
    ),
    "a sensor that waits a minute": in_dag('FileSensor(task_id="file", filepath="x", timeout=60)'),
    "a sensor that defers": in_dag('FileSensor(task_id="file", filepath="x", deferrable=True)'),
    "a statement that returns nothing": SQL
    + in_dag('SQLExecuteQueryOperator(task_id="x", sql="CALL refresh()")'),
    "an upload": SFTP + in_dag('SFTPOperator(task_id="up", operation="put")'),
    "a password from elsewhere": HEAD + 'PASSWORD = os.environ["PASSWORD"]\n',
    "the name of a secret": HEAD + 'SECRET_KEY = "airflow/connections/weather"\n',
    "a placeholder": HEAD + 'PASSWORD = "<your password>"\nTOKEN = "changeme"\n',
    "catch-up of a DAG that runs once": in_dag(
        '@task\ndef load():\n    """Load."""\nload()', schedule='"@once"', catchup=None
    ),
    "catch-up of a DAG that runs all the time": in_dag(
        '@task\ndef load():\n    """Load."""\nload()',
        schedule="ContinuousTimetable()",
        catchup=None,
    ),
    "the clock in a DAG that runs once, and has no interval to go by": in_dag(
        '@task\ndef load():\n    """Load."""\n    return datetime.now()\nload()',
        schedule='"@once"',
    ),
    "a file on a worker's disk that is only removed elsewhere": in_dag(
        'BashOperator(task_id="a", bash_command="rm -rf /tmp/x && echo done")\n'
        'BashOperator(task_id="b", bash_command="touch /tmp/x; cat /tmp/x")'
    ),
    "an asset that something outside updates": in_dag(
        "pass", schedule='[Asset("lake", watchers=[watch])]', start_date=None, catchup=None
    ),
    "an asset that a computed outlet may be": in_dag(
        '@task(outlets=[OUT])\ndef load():\n    """Load."""\nload()', schedule='[Asset("lake")]'
    ),
}


@pytest.mark.parametrize("text", NOT_FIRED.values(), ids=NOT_FIRED.keys())
def test_no_false_alarm(text: str) -> None:
    quiet = ("PO104", "PO105", "PO401", "PO304")
    assert [each for each in ids(text) if each not in quiet] == []


FIRED = {
    "a look-up in a function that the file calls": (
        HEAD + 'def city():\n    return Variable.get("city")\n\nCITY = city()\n',
        "PO302",
    ),
    "a look-up in a DAG function": (
        HEAD + 'from airflow.sdk import dag\n@dag\ndef tides():\n    Variable.get("x")\n',
        "PO302",
    ),
    "a hook that is asked": (
        HEAD + "from airflow.providers.http.hooks.http import HttpHook\nHttpHook().run()\n",
        "PO301",
    ),
    "retries beyond what is agreed": (
        in_dag('BashOperator(task_id="load", retries=50, bash_command="x")'),
        "PO401",
    ),
    "a mapped sensor": (
        in_dag('FileSensor.partial(task_id="file").expand(filepath=["a", "b"])'),
        "PO403",
    ),
    "a decorated sensor": (
        in_dag('@task.sensor\ndef ready():\n    """Wait."""\nready()'),
        "PO403",
    ),
    "a template in an argument of a task": (
        in_dag('@task\ndef load(day):\n    """Load."""\nload("{{ ds }}")', schedule="None"),
        "PO205",
    ),
    "a run that an asset starts": (
        in_dag(
            'BashOperator(task_id="x", outlets=[Asset("a")], bash_command="{{ data_interval_start }}")',
            schedule='[Asset("a")]',
        ),
        "PO205",
    ),
    "a start date in the defaults that moves": (
        in_dag(
            "pass",
            start_date=None,
            default_args='{"owner": "a", "retries": 1, "start_date": datetime.now(UTC)}',
        ),
        "PO201",
    ),
    "a download": (SFTP + in_dag('SFTPOperator(task_id="x", operation="get")'), "PO502"),
    "a query whose rows are taken": (
        SQL + in_dag('SQLExecuteQueryOperator(task_id="x", sql="SELECT * FROM orders")'),
        "PO502",
    ),
    "a key by its shape": (HEAD + 'text = "AKIA' + "ABCDEFGHIJKLMNOP" + '"\n', "PO601"),
    "a URL with a password": (HEAD + 'URL = "postgresql://me:hunter2x@db/x"\n', "PO601"),
    "a secret in the environment of a task": (
        in_dag('BashOperator(task_id="x", bash_command="x", env={"API_TOKEN": "k3y-93bd-77a1"})'),
        "PO601",
    ),
    "a logical date that a task takes as a parameter": (
        in_dag(
            '@task\ndef load(ds=None):\n    """Load."""\n    print(ds)\nload()', schedule="None"
        ),
        "PO205",
    ),
    "a logical date that a task takes by keyword alone": (
        in_dag(
            '@task\ndef load(*, logical_date=None):\n    """Load."""\n    print(logical_date)\nload()',
            schedule='[Asset("a")]',
        ),
        "PO205",
    ),
    "a logical date that a task looks up": (
        in_dag(
            '@task\ndef load(**context):\n    """Load."""\n    print(context["ts"])\nload()',
            schedule="None",
        ),
        "PO205",
    ),
    "a logical date of the current context": (
        in_dag(
            '@task\ndef load():\n    """Load."""\n    now = get_current_context()\n    '
            'print(now["ds"])\nload()',
            schedule="None",
        ),
        "PO205",
    ),
    "a secret of the environment in the defaults": (
        in_dag(
            "pass",
            default_args='{"owner": "a", "retries": 1, "password": os.environ["DB_PASSWORD"]}',
        ).replace("from airflow.sdk", "import os\nfrom airflow.sdk"),
        "PO604",
    ),
    "a secret of the environment by another name": (
        in_dag('BashOperator(task_id="x", bash_command=f"load {KEY}")').replace(
            "\nwith DAG", 'import os\nKEY = os.getenv("API_TOKEN", "")\nwith DAG'
        ),
        "PO604",
    ),
    "a secret in a template": (
        in_dag('BashOperator(task_id="x", bash_command="{{ var.value.api_token }}")'),
        "PO602",
    ),
}


@pytest.mark.parametrize(("text", "rule"), FIRED.values(), ids=FIRED.keys())
def test_fires(text: str, rule: str) -> None:
    assert rule in ids(text)


def test_no_message_holds_a_secret() -> None:
    text = HEAD + 'PASSWORD = "k3y-93bd-77a1"\nURL = "postgresql://me:hunter2x@db/x"\n'
    told = str([hit for _, hit in found(text)])
    assert "k3y-93bd" not in told
    assert "hunter2x" not in told


def test_patterns_and_bounds_are_the_sites() -> None:
    text = in_dag('@task(retries=20)\ndef Load():\n    """Load."""\nLoad()', dag_id='"Tides"')
    assert ids(text) == ["PO101", "PO102", "PO401"]
    site = agreed(dag_id="[A-Z].*", task_id="[A-Z].*", max_retries=20)
    assert ids(text, site) == []


def test_entities_are_checked_where_the_site_declares_any() -> None:
    text = in_dag('ArchivingHttpOperator(task_id="x", entity="weather.tides", endpoint="/")')
    assert ids(text) == []
    assert ids(text, agreed(["weather.forecast"])) == ["PO503"]


def test_a_connection_that_archives_may_be_used_by_a_stock_operator() -> None:
    text = HTTP + in_dag(
        'HttpOperator(task_id="x", http_conn_id="weather_api", endpoint="/", method="GET")'
    )
    assert ids(text) == ["PO502"]
    assert ids(text, agreed(archiving_connections=["weather_.*"])) == []
