"""A mapped task: one capture for each state, each under its own key."""

import csv
import io
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, task

from platform_ops import ArchivingHttpOperator, archive

STATES = ["ak", "hi", "wa"]

with DAG(
    "airports_by_state",
    description="The register of airports, one file a state, as it stood each day.",
    doc_md="""
    The register keeps no history, so this DAG makes one. A state that joins the list or leaves it
    moves nobody else's data: `map_key` names the capture, not its position in the list.
    """,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2015, 12, 1, tzinfo=UTC),
    end_date=datetime(2015, 12, 3, tzinfo=UTC),
    catchup=True,
    dagrun_timeout=timedelta(hours=6),
    default_args={"owner": "network-planning"},
    tags=["airports", "http", "mapped"],
) as dag:
    airports = ArchivingHttpOperator.partial(
        task_id="airports",
        entity="faa.airports",
        http_conn_id="airports_api",
        endpoint="/airports.csv",
        map_index_template="{{ task.map_key }}",
        doc_md="Archive the airports of one state.",
    ).expand_kwargs([{"map_key": state, "query": {"state": state.upper()}} for state in STATES])

    @task
    def count(refs: list[dict[str, object]]) -> int:
        """Count the airports of all states."""
        total = 0
        for ref in refs:
            with archive.open(ref) as body:
                total += sum(1 for _ in csv.DictReader(io.TextIOWrapper(body, encoding="utf-8")))
        return total

    count(airports.output)
