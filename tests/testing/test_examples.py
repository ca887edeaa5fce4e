"""Examples as their documentation shows them: what tasks said and returned, or why they failed."""

from __future__ import annotations

import logging
import textwrap
from pathlib import Path

import pytest

from platform_ops.testing.examples import ExampleFailed, run

# Of Airflow's examples, which bring a listener that prints a page for each task.
pytestmark = pytest.mark.usefixtures("_quiet_airflow")

_DAG = """
import logging
from datetime import datetime, timedelta
from airflow.sdk import DAG, task
from platform_ops import archive, archive_session

log = logging.getLogger("library")
seen = []

with DAG("lending", start_date=datetime(2015, 12, 1)) as dag:
    @task
    def titles() -> list[str]:
        log.info("two books")
        logging.getLogger("airflow.models").info("machinery")
        return ["Emma", "Ulysses"]

    @task(retries=1, retry_delay=timedelta(hours=1))
    def lend(title: str) -> dict[str, str]:
        seen.append(title)
        if seen.count(title) == 1:
            raise OSError(f"{title} is out")
        return {"title": title}

    lend.expand(title=titles())
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "lending.py"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def test_the_output_tells_states_logs_retries_and_results(tmp_path: Path) -> None:
    assert run(written(tmp_path, _DAG)).splitlines() == [
        "lending, 2015-12-01",
        "",
        "titles: success",
        "  two books",
        "  returned [",
        '    "Emma",',
        '    "Ulysses"',
        "  ]",
        "",
        "lend [0]: up_for_retry",
        "  OSError: Emma is out",
        "",
        "lend [0]: success",
        "  returned {",
        '    "title": "Emma"',
        "  }",
        "",
        "lend [1]: up_for_retry",
        "  OSError: Ulysses is out",
        "",
        "lend [1]: success",
        "  returned {",
        '    "title": "Ulysses"',
        "  }",
    ]


def test_an_example_that_fails_says_how_far_it_came(tmp_path: Path) -> None:
    level = logging.getLogger().level
    with pytest.raises(ExampleFailed, match=r"lend \[0\]: failed\n  OSError: Emma is out"):
        run(written(tmp_path, _DAG.replace("retries=1", "retries=0")))
    assert logging.getLogger().level == level


def test_a_file_without_a_dag_is_no_example(tmp_path: Path) -> None:
    with pytest.raises(ExampleFailed, match="holds no DAG under a name of its own"):
        run(written(tmp_path, "answer = 42\n"))
