"""The DAGs of docs/examples against the demo's source: their bytes, rows and references."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from statistics import fmean

import pytest
from airflow.sdk import DAG

from platform_ops import archive
from platform_ops.registry.examples import recorded
from platform_ops.registry.examples_worker import normalised
from platform_ops.settings import Settings, load
from platform_ops.testing import examples
from platform_ops.testing.runner import DagResult, TaskResult
from platform_ops.testing.supervisor import Supervisor
from tests.demo.folders import partners
from tests.demo.source import Source, records

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted(file.stem for file in (ROOT / "docs" / "examples").glob("*.py"))
DAY = "2015-12-01"
SUMMER_DAY = "2010-07-01"
FIRST_OF_DECEMBER = (
    b"date,precipitation,temp_max,temp_min,wind,weather\n2015/12/01,12.2,10.0,3.9,3.5,fog\n"
)
REPLAY = {"platform_ops": {"replay": True}}

# Of Airflow's own HttpOperator, which imports a name by its former place.
pytestmark = pytest.mark.filterwarnings("ignore:The `airflow.utils.operator_helpers:FutureWarning")

RunDag = Callable[..., DagResult]
RunTask = Callable[..., TaskResult]


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    with Source.started() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture(autouse=True)
def site(platform_archive: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The site's own settings, in force for a temporary archive; undeclared entities fail."""
    monkeypatch.setenv("PLATFORM_OPS_CONFIG", str(ROOT / "conf" / "platform.toml"))
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__UNDECLARED", "fail")
    return load().settings


def dag_of(name: str) -> DAG:
    spec = spec_from_file_location(name, ROOT / "docs" / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    dag: DAG = module.dag
    return dag


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_file_holds_one_documented_dag_of_its_name(name: str) -> None:
    dag = dag_of(name)
    assert dag.dag_id == name
    assert dag.description
    assert dag.doc_md
    assert dag.tags
    assert {task.owner for task in dag.tasks} != {"airflow"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_site_shows_what_each_example_really_does(
    name: str, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ROOT / "docs" / "examples" / f"{name}.py"
    kept = recorded(path)
    assert kept is not None, "run: platform-ops docs examples"
    with partners() as handed_over:
        for variable, value in handed_over.items():
            monkeypatch.setenv(variable, value)
        output = normalised(examples.run(path), datetime.now(UTC)).rstrip().splitlines()
    assert "\n".join(output) == "\n".join(kept.output), "run: platform-ops docs examples"


def test_daily_weather_archives_the_file_and_sums_it_up(source: Source, run_dag: RunDag) -> None:
    ran = run_dag(dag_of("daily_weather"), at=DAY)

    assert ran.state == "success"
    assert archive.open(ran["observations"].xcom).read() == FIRST_OF_DECEMBER
    assert ran["summarise"].xcom == {"date": "2015/12/01", "weather": "fog", "highest_c": "10.0"}
    assert ran["observations"].asset_names == ("noaa.daily_weather",)
    assert source.asked == ["/stations/seattle/daily/2015-12-01.csv"]


def test_daily_weather_lies_at_the_url_that_is_known_in_advance(
    source: Source, run_dag: RunDag, site: Settings
) -> None:
    ran = run_dag(dag_of("daily_weather"), at=DAY)

    (url,) = archive.files("noaa.daily_weather")
    (found,) = archive.find("noaa.daily_weather")
    assert url.startswith(
        f"{site.archive.root}/data/v1/noaa/daily_weather/dt=2015-12-01/at=000000Z/"
    )
    assert archive.url("noaa.daily_weather", found.slot) == url.rsplit("/", 2)[0]
    assert ran["observations"].xcom["payload_urls"] == [url]


def test_hourly_temperatures_make_one_revision_of_all_pages(
    source: Source, run_dag: RunDag
) -> None:
    ran = run_dag(dag_of("hourly_temperatures"), at=SUMMER_DAY)

    expected = [
        float(row["temp"])
        for row in records("seattle-temps.csv")
        if row["date"].startswith("2010/07/01")
    ]
    ref = ran["readings"].xcom
    lines = archive.open(ref).read().splitlines()
    assert [json.loads(line)["temp_f"] for line in lines] == expected
    assert [
        len(Path(url.removeprefix("file://")).read_bytes().splitlines())
        for url in ref["payload_urls"]
    ] == [
        10,
        10,
        4,
    ]
    assert ran["mean"].xcom == round(fmean(expected), 2)
    assert len(list(archive.find("noaa.hourly_temperature"))) == 1


def test_airports_are_kept_under_their_state(source: Source, run_dag: RunDag) -> None:
    ran = run_dag(dag_of("airports_by_state"), at=DAY)

    in_state = {
        state: sum(row["state"] == state.upper() for row in records("airports.csv"))
        for state in ("ak", "hi", "wa")
    }
    found = {each.slot.map_key: archive.refer(each) for each in archive.find("faa.airports")}
    rows = {key: archive.open(ref).read().count(b"\n") - 1 for key, ref in found.items()}
    assert rows == in_state
    assert archive.open(found["hi"]).read().splitlines()[1].startswith(b"HDH,Dillingham Airfield,")
    assert ran["count"].xcom == sum(in_state.values())
    assert all(each.asset_names == ("faa.airports",) for each in ran.mapped("airports"))


def test_sleepy_station_leaves_nothing_before_its_second_try(
    source: Source, run_task: RunTask
) -> None:
    task = dag_of("sleepy_station").get_task("readings")

    first = run_task(task, at=SUMMER_DAY, try_number=1)
    left = list(archive.find("noaa.station_readings"))
    second = run_task(task, at=SUMMER_DAY, try_number=2)

    assert (first.state, left) == ("up_for_retry", [])
    assert second.state == "success"
    (manifest,) = archive.find("noaa.station_readings")
    assert (manifest.revision, manifest.run.try_number) == (1, 2)
    lines = archive.open(second.xcom).read().splitlines()
    assert (lines[0], len(lines)) == (b"temp,date", 25)
    assert len(source.asked) == 2


def test_the_stock_operator_archives_what_it_hands_on(source: Source, run_task: RunTask) -> None:
    supervisor = Supervisor()
    task = dag_of("stock_operator").get_task("volatility")

    ran = run_task(task, at="2009-06-01", supervisor=supervisor)

    assert ran.state == "success"
    assert json.loads(ran.xcom)["close"] == 30.04
    (ref,) = supervisor.xcoms["volatility", "archive", -1]
    assert archive.open(ref).read() == ran.xcom.encode()
    assert ref["entity"] == "cboe.volatility"


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("airports_by_state", DAY),
        ("daily_weather", DAY),
        ("hourly_temperatures", SUMMER_DAY),
        ("latest_prices", "2009-06-01"),
        ("monthly_export", "2015-10-01"),
        ("stock_operator", "2009-06-02"),
    ],
)
def test_a_replay_needs_no_source(name: str, day: str, source: Source, run_dag: RunDag) -> None:
    dag = dag_of(name)
    first = run_dag(dag, at=day)
    asked = list(source.asked)
    source.switch_off()

    again = run_dag(dag, at=day, conf=REPLAY, run_id="backfill", max_tries=1)

    assert again.state == "success"
    assert [task.xcom for task in again.tasks] == [task.xcom for task in first.tasks]
    assert source.asked == asked


def test_no_secret_of_the_source_is_in_a_manifest(source: Source, run_dag: RunDag) -> None:
    run_dag(dag_of("daily_weather"), at=DAY)
    run_dag(dag_of("stock_operator"), at="2009-06-01")

    since = datetime(2009, 1, 1, tzinfo=UTC)
    found = [*archive.find("noaa.daily_weather", since), *archive.find("cboe.volatility", since)]
    assert len(found) == 2
    assert not any(b"token" in each.to_json().replace(b'"token":', b"") for each in found)
