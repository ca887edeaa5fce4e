"""The pytest plugin, as somebody who writes a DAG meets it: in a fresh pytest, by its entry point."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

USERS_TESTS = """
from airflow.sdk import DAG, task
from platform_ops import ArchivingHttpOperator, archive

with DAG("weather") as dag:
    forecast = ArchivingHttpOperator(
        task_id="forecast", entity="weather.forecast", endpoint="/f", http_conn_id="api", retries=1,
    )

    @task
    def high(ref):
        with archive.open(ref) as body:
            return len(body.read())

    high(forecast.output)


def test_one_task(run_task, recorded_source):
    recorded_source.connect("api", password="secret", **{"X-Key": "k"})
    recorded_source.answer("/f", b"hot", "text/plain", headers={"ETag": '"1"'})
    ran = run_task(forecast, at="2024-03-05")
    assert ran.state == "success"
    assert archive.open(ran.xcom).read() == b"hot"
    (asked,) = recorded_source.requests
    assert asked.headers["authorization"].startswith("Basic ") and asked.headers["x-key"] == "k"


def test_a_whole_dag(run_dag, recorded_source):
    recorded_source.connect("api")
    recorded_source.answer("/f", b"cold", times=1)
    ran = run_dag(dag, at="2024-03-05")
    assert (ran.state, ran["high"].xcom) == ("success", 4)


def test_the_archive_is_empty_each_time(platform_archive, tmp_path):
    assert platform_archive.archive.root == f"file://{tmp_path}/archive"
    assert list(archive.find("weather.forecast")) == []


def test_answers_come_in_the_order_of_their_recording(run_task, recorded_source):
    recorded_source.connect("api")
    recorded_source.answer("/f", b"", status=503, times=2)
    recorded_source.answer("/f", b"at last")
    assert archive.open(run_task(forecast, at="2024-03-05").xcom).read() == b"at last"
    assert len(recorded_source.requests) == 3


def test_what_is_not_recorded_is_not_found(run_task, recorded_source):
    recorded_source.connect("api")
    ran = run_task(forecast, at="2024-03-05")
    assert ran.state == "failed" and "HTTP 404" in str(ran.error)


def test_that_fails(run_task):
    ran = run_task(forecast, at="2024-03-05")
    assert ran.state == "success"
"""


def test_a_users_tests_run_by_the_plugin_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_users=USERS_TESTS)
    ran = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:xdist")
    ran.assert_outcomes(passed=5, failed=1)
    text = ran.stdout.str()
    # Who reads the failed assertion sees at once why the task failed.
    assert "connection 'api' does not exist" in text
    assert "Task instance is in running state" not in text
    helped = pytester.runpytest_subprocess("--fixtures", "-v")
    for fixture in ("platform_archive", "recorded_source", "run_task", "run_dag"):
        assert f"{fixture} -- " in helped.stdout.str()
