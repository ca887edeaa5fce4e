"""What the catalogue learns of DAGs: runs to come, groups, names, and files that are broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import DAG

from platform_ops.auditor import Unarchived
from platform_ops.registry.dags.bag import DagResult, parse_folders
from platform_ops.registry.models.dags import Asset, Dag, Named

_FILES = {
    "books.py": '''
from datetime import UTC, datetime, timedelta
from airflow.sdk import (
    DAG, Asset, CronDataIntervalTimetable, Label, Param, TaskGroup, Variable, setup, task, teardown,
)
from airflow.providers.standard.operators.bash import BashOperator

def shout(context): ...

with DAG(
    "books",
    schedule=CronDataIntervalTimetable("0 6 * * 1-5", timezone="Europe/Paris"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    params={"shelf": Param("a", type="string", enum=["a", "b"])},
    dagrun_timeout=timedelta(hours=2),
    on_failure_callback=shout,
):
    with TaskGroup("outer") as outer:
        with TaskGroup("inner"):
            count = BashOperator(
                task_id="count",
                bash_command="{{ var.value.bucket }} {{ conn.library.host }} {{ params.shelf }}",
                outlets=[Asset("counted", uri="s3://shelf/counted")],
                retries=3, pool="scarce",
            )

    @task
    def tell(day):
        return Variable.get("reader")

    count >> Label("when counted") >> tell.expand(day=[1, 2])
''',
    "reports.py": '''
from airflow.sdk import DAG, Asset, Param, task

with DAG("reports", schedule=[Asset("counted", uri="s3://shelf/counted")]):
    @task(inlets=[Asset("counted", uri="s3://shelf/counted")])
    def report(): ...
    report()

by_hand = DAG("by_hand", params={"who": Param(type="string", description="To whom.")})
''',
    "torn.py": '''
from airflow.sdk import DAG

raise RuntimeError("the page is torn")
''',
}  # fmt: skip


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> DagResult:
    folder = tmp_path_factory.mktemp("dags")
    for name, text in _FILES.items():
        (folder / name).write_text(text)
    audit = f"{__name__}:told"
    return parse_folders({"dags": str(folder)}, "2026-11-20T00:00:00+00:00", audit=audit)


def told(dag: DAG) -> list[Unarchived]:
    """An auditor that minds tasks of the name ``tell``."""
    names = [name for name in dag.task_ids if name == "tell"]
    return [Unarchived(dag.dag_id, name, "x.Tell", "HTTP", "", "archive it") for name in names]


def dag(parsed: DagResult, name: str) -> Dag:
    return next(each for each in parsed.dags if each.dag_id == name)


def test_runs_are_counted_from_the_moment_in_the_timetables_zone(parsed: DagResult) -> None:
    books = dag(parsed, "books")
    assert books.next_runs == (
        "2026-11-20T06:00+01:00",
        "2026-11-23T06:00+01:00",
        "2026-11-24T06:00+01:00",
        "2026-11-25T06:00+01:00",
        "2026-11-26T06:00+01:00",
    )
    assert books.due_days[-3:] == ("2026-11-16", "2026-11-17", "2026-11-18")
    assert dag(parsed, "reports").next_runs == ()


def test_a_run_every_minute_is_counted_as_quickly(tmp_path: Path) -> None:
    (tmp_path / "often.py").write_text(
        "from datetime import UTC, datetime\nfrom airflow.sdk import DAG\n"
        "dag = DAG('often', schedule='* * * * *', start_date=datetime(2020, 1, 1, tzinfo=UTC))\n"
    )
    (often,) = parse_folders({"dags": str(tmp_path)}, "2026-11-20T00:00:00+00:00").dags
    assert often.next_runs[0] == "2026-11-20T00:00+00:00"
    assert often.due_days[-1] == "2026-11-19"
    assert len(often.due_days) == 30


def test_groups_labels_and_roles_are_kept(parsed: DagResult) -> None:
    books = dag(parsed, "books")
    assert [(each.group_id, each.group) for each in books.groups] == [
        ("outer", ""),
        ("outer.inner", "outer"),
    ]
    count, tell = books.tasks
    assert count.group == "outer.inner"
    assert count.edge_labels == (("tell", "when counted"),)
    assert (count.retries, count.pool, count.writes) == (3, "scarce", ("counted",))
    assert tell.mapped
    assert books.timeout_s == 7200
    assert [each.target for each in books.callbacks] == ["books.shout"]


def test_an_auditor_says_what_to_do_about_a_task(parsed: DagResult) -> None:
    tasks = {each.task_id: each.unarchived for each in dag(parsed, "books").tasks}
    assert tasks == {"outer.inner.count": "", "tell": "archive it"}


def test_parameters_carry_their_schema(parsed: DagResult) -> None:
    (shelf,) = dag(parsed, "books").params
    (who,) = dag(parsed, "by_hand").params
    assert (shelf.type, shelf.default, shelf.allowed) == ("string", '"a"', ('"a"', '"b"'))
    assert (who.default, who.required, who.description) == ("", True, "To whom.")


def test_assets_are_read_and_written(parsed: DagResult) -> None:
    counted = Asset("counted", "s3://shelf/counted")
    assert dag(parsed, "books").writes == (counted,)
    assert dag(parsed, "reports").reads == (counted,)


def test_names_are_found_in_arguments_templates_and_calls(parsed: DagResult) -> None:
    books = dag(parsed, "books")
    assert books.connections == (Named("library", "outer.inner.count", "a template"),)
    assert books.variables == (
        Named("bucket", "outer.inner.count", "a template"),
        Named("reader", "books.py", "Variable.get"),
    )


def test_a_broken_file_says_where_and_why(parsed: DagResult) -> None:
    (torn,) = parsed.broken
    assert (torn.file, torn.line, torn.error) == ("torn.py", 4, "RuntimeError: the page is torn")
    assert torn.trace.startswith('Traceback (most recent call last):\n  File "torn.py", line 4')
    assert [each.where for each in parsed.problems] == ["torn.py"]
