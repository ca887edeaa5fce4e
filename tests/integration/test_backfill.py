"""A real backfill, marked by its conf: it reads the archive, and asks the switched-off source nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.demo.airflow import ROOT, Airflow, free_port
from tests.demo.api import Api
from tests.demo.processes import Nursery, poll
from tests.demo.source import Source
from tests.servers import postgres

DAGS = {"daily_weather": "2015-12", "stock_operator": "2009-06"}
"""With the month of its first three days: our operator, and Airflow's own over our connection type."""
REPLAY = {"platform_ops": {"replay": True}}


@dataclass(frozen=True, slots=True)
class Stage:
    """Airflow once every run has succeeded, and its source is switched off."""

    api: Api
    source: Source
    archive: Path

    def states(self) -> dict[tuple[str, str], tuple[str, bool]]:
        """State of each run, and whether its conf asks for a replay."""
        return {run.key: (run.state, run.replayed) for run in self.api.runs()}

    def revisions(self) -> list[str]:
        return sorted(str(path) for path in self.archive.glob("meta/**/*.json"))

    def backfill(self, dag_id: str) -> None:
        """Run its days again, and wait for the end of the backfill."""
        body = {
            "dag_id": dag_id,
            "from_date": f"{DAGS[dag_id]}-01T00:00:00Z",
            "to_date": f"{DAGS[dag_id]}-03T00:00:00Z",
            "dag_run_conf": REPLAY,
            "reprocess_behavior": "completed",
        }
        number = self.api.post("backfills", body)["id"]

        def ended() -> bool:
            return self.api.get(f"backfills/{number}")["completed_at"] is not None

        poll(ended, f"the backfill of {dag_id} to end", 180, interval_s=0.5)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("backfill")
    (folder / "dags").mkdir()
    for name in DAGS:
        shutil.copy(ROOT / "docs" / "examples" / f"{name}.py", folder / "dags")
    with ExitStack() as stack:
        source = stack.enter_context(Source.started())
        nursery = stack.enter_context(Nursery.opened(folder / "logs"))
        # SQLite would refuse a backfill while another process of Airflow writes.
        database = stack.enter_context(postgres.started())
        variables = {
            **source.environment(),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.sqlalchemy_url,
        }
        airflow = Airflow(folder / "airflow", nursery, free_port(), variables)
        airflow.start()
        api = airflow.ready()
        found = Stage(api, source, airflow.home / "archive")

        def ran() -> bool:
            nursery.check()
            states = [state for state, _ in found.states().values()]
            assert "failed" not in states
            return states.count("success") == 3 * len(DAGS)

        poll(ran, "every run to succeed", 180, interval_s=0.5)
        source.switch_off()
        yield found


@pytest.mark.parametrize("dag_id", DAGS)
def test_a_backfill_that_is_marked_replays(stage: Stage, dag_id: str) -> None:
    runs = [run for run in stage.api.runs() if run.dag_id == dag_id]
    asked, revisions, handed_on = (
        len(stage.source.asked),
        stage.revisions(),
        stage.api.xcom_digest(runs),
    )
    stage.backfill(dag_id)
    assert [stage.states()[run.key] for run in runs] == [("success", True)] * 3
    assert (len(stage.source.asked), stage.revisions()) == (asked, revisions)
    assert stage.api.xcom_digest(runs) == handed_on
    tries = [task.try_number for task in stage.api.tasks() if task.run[0] == dag_id]
    assert set(tries) == {2}
