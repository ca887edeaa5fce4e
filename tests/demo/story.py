"""What Airflow does in the demo: it starts, runs every DAG, and replays some of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests

from platform_ops import archive
from platform_ops.entity import Manifest
from platform_ops.settings import Settings, load
from tests.demo.airflow import ROOT, SHOWN, Airflow
from tests.demo.api import Api, Run, TaskRun
from tests.demo.metrics_listener import Listener
from tests.demo.processes import DemoFailed, Nursery, poll
from tests.demo.screen import Screen, Update
from tests.demo.source import Source

__all__ = ["DAYS", "Stage", "replay", "run_all", "start"]

DAYS = 3
REPLAYED = ("daily_weather", "stock_operator")
"""One DAG of each way in: our operator, and the stock operator over our connection type."""
RUNS_TIMEOUT_S = 240.0
HEADINGS = ("DAG", "day (UTC)", "state", "tasks", "on the way")


@dataclass(slots=True)
class Stage:
    """What every section of the demo works with.

    :param folder: Temporary folder of this demo.
    :param facts: One line for the summary from each section that has one.
    """

    screen: Screen
    folder: Path
    source: Source
    listener: Listener
    nursery: Nursery
    airflow: Airflow
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def site(self) -> Settings:
        """The settings that Airflow's tasks have, for this process."""
        declared = load(ROOT / "conf" / "platform.toml").settings
        place = declared.archive.model_copy(
            update={"root": f"file://{self.airflow.home / 'archive'}"}
        )
        return declared.model_copy(update={"archive": place})

    def manifests(self) -> list[Manifest]:
        """Every revision of every entity."""
        site = self.site
        return [
            found for entity in site.entities() for found in archive.find(entity, settings=site)
        ]

    def command(self, line: str) -> None:
        """Run one of our commands with the settings of the tasks."""
        self.screen.run(line, self.airflow.env, ROOT)


def start(stage: Stage) -> Api:
    """Start everything, and wait until Airflow is healthy."""
    say = stage.screen.say
    with stage.screen.section(
        "A source with real data, and a real Airflow",
        "Nothing here is mocked: tasks ask an HTTP API, and Airflow's own scheduler runs them.",
    ):
        say(f"Source   {stage.source.url}: NOAA's weather, the FAA's airports, the VIX;")
        say("         it wants a token, pages its answers, and fails when it is woken")
        say(
            f"Airflow  {stage.airflow.url}: scheduler, API server, DAG processor; SQLite, LocalExecutor"
        )
        say(f"Metrics  udp://127.0.0.1:{stage.listener.port}: StatsD with tags")
        say(f"Archive  {stage.site.archive.root}")
        with stage.screen.waiting() as update:
            update("the database is made, the API server loads")
            stage.airflow.start()
            update("scheduler and DAG processor start")
            api = stage.airflow.ready()
    stage.facts["Airflow"] = f"healthy after {stage.screen.last_s:.0f} s"
    return api


def run_all(stage: Stage, api: Api) -> None:
    """Wait for every run of every DAG, and show them."""
    expected = len(SHOWN) * DAYS
    with stage.screen.section(
        f"{len(SHOWN)} DAGs, {DAYS} days each",
        "The scheduler makes one run for each day. These are the files in docs/examples: one DAG "
        "fetches page by page, one is mapped, one fails on its first try, and one uses Airflow's own "
        "HttpOperator.",
    ):
        _wait(stage, api, expected, replayed=False)
        runs, tasks = api.runs(), api.tasks()
        stage.screen.rows(
            HEADINGS, [_row(run, tasks, _on_the_way(api, run, tasks)) for run in runs]
        )
    retried = sum(task.try_number > 1 for task in tasks)
    stage.facts["Runs"] = (
        f"{len(runs)} runs, {len(tasks)} task instances, {retried} of them retried"
    )


def replay(stage: Stage, api: Api) -> None:
    """Switch the source off, and run days that have passed once more."""
    with stage.screen.section(
        "A replay, with the source switched off",
        "The same days run again, with a conf that says replay. Operators read the archive where they "
        "would ask the source, and the next task cannot tell the difference.",
    ):
        first = [run for run in api.runs() if run.dag_id in REPLAYED]
        before = _state_of(stage, api, first)
        stage.source.switch_off()
        stage.screen.say(f"Source   {_refusal(stage.source.url)}")
        stage.screen.say('Conf     {"platform_ops": {"replay": true}}')
        stage.screen.console.print()
        for dag_id in REPLAYED:
            api.replay([run for run in first if run.dag_id == dag_id])
        _wait(stage, api, len(first), replayed=True)
        runs, tasks = [run for run in api.runs() if run.replayed], api.tasks()
        _check_tasks(runs, tasks)
        stage.screen.rows(HEADINGS, [_row(run, tasks, "replayed") for run in runs])
        after = _state_of(stage, api, runs)
        stage.screen.console.print()
        stage.screen.rows(
            ("", "before", "after"),
            [
                ("requests that the source got", before.requests, after.requests),
                ("revisions in the archive", before.revisions, after.revisions),
                ("digest of what the tasks handed on", before.references, after.references),
            ],
        )
        if before != after:
            raise DemoFailed("a replay must ask the source nothing, and change nothing")
    stage.facts["Replay"] = f"{len(runs)} runs without the source: not one request, nothing changed"


@dataclass(frozen=True, slots=True)
class _State:
    """What a replay must leave as it is."""

    requests: int
    revisions: int
    references: str


def _state_of(stage: Stage, api: Api, runs: Sequence[Run]) -> _State:
    return _State(len(stage.source.asked), len(stage.manifests()), api.xcom_digest(runs))


def _wait(stage: Stage, api: Api, expected: int, *, replayed: bool) -> None:
    """Until so many runs have succeeded.

    :raises DemoFailed: One failed, a DAG does not load, or time is up.
    """
    with stage.screen.waiting() as update:
        poll(
            lambda: _done(stage, api, expected, update, replayed=replayed),
            f"{expected} runs to finish",
            RUNS_TIMEOUT_S,
            stage.nursery.logs / "scheduler.log",
            interval_s=0.4,
        )


def _done(stage: Stage, api: Api, expected: int, update: Update, *, replayed: bool) -> bool:
    stage.nursery.check()
    if errors := api.import_errors():
        raise DemoFailed("a DAG does not load: " + "; ".join(errors))
    runs = [run for run in api.runs() if run.replayed is replayed]
    for run in runs:
        if run.state == "failed":
            raise DemoFailed(f"run {run.run_id} of {run.dag_id} failed", _log_of(stage, api, run))
    finished = sum(run.state == "success" for run in runs)
    states = Counter(task.state for task in api.tasks() if task.run in {run.key for run in runs})
    busy = f"{states['success']} tasks done, {states['running']} running"
    update("runs finished", finished, expected, busy)
    return finished >= expected


def _check_tasks(runs: Sequence[Run], tasks: Sequence[TaskRun]) -> None:
    """A run without tasks succeeds as well, and shows nothing.

    :raises DemoFailed: A run has no task, or one that did not succeed.
    """
    for run in runs:
        states = {task.state for task in tasks if task.run == run.key}
        if states != {"success"}:
            raise DemoFailed(f"run {run.run_id} of {run.dag_id} has tasks in states {states}")


def _log_of(stage: Stage, api: Api, run: Run) -> Path | None:
    """The log of the task that made a run fail."""
    failed = [each for each in api.tasks() if each.run == run.key and each.state == "failed"]
    folder = stage.airflow.home / "logs" / f"dag_id={run.dag_id}" / f"run_id={run.run_id}"
    logs = [log for each in failed for log in folder.glob(f"task_id={each.task_id}/**/*.log")]
    return max(logs, key=lambda log: log.stat().st_mtime) if logs else None


def _row(run: Run, tasks: Sequence[TaskRun], remark: str) -> Sequence[str]:
    own = [task for task in tasks if task.run == run.key]
    good = sum(task.state == "success" for task in own)
    return (run.dag_id, f"{run.start:%Y-%m-%d}", run.state, f"{good} of {len(own)}", remark)


def _on_the_way(api: Api, run: Run, tasks: Sequence[TaskRun]) -> str:
    own = [task for task in tasks if task.run == run.key]
    retried = [task for task in own if task.try_number > 1]
    mapped = sum(task.map_index >= 0 for task in own)
    remarks = [
        f"{task.task_id}: "
        + ", ".join(f"try {n} {state}" for n, state in enumerate(api.tries(task), 1))
        for task in retried
    ]
    return "; ".join([*remarks, *([f"{mapped} mapped captures"] if mapped else [])])


def _refusal(url: str) -> str:
    """What a client meets at an address where nobody listens.

    :raises DemoFailed: Somebody does.
    """
    try:
        with requests.Session() as session:
            session.trust_env = False
            session.get(url, timeout=5)
    except requests.ConnectionError:
        return f"{url}: connection refused"
    raise DemoFailed(f"{url} still answers, and was switched off")
