"""Groups and mapped tasks: what the crews of each state read before they fly."""

import csv
import io
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, TaskGroup, task

from platform_ops import ArchivingHttpOperator, archive

STATES = ["ak", "hi", "wa"]

with DAG(
    "route_briefing",
    description="One page a state for its crews: where they may land, and what the weather was.",
    doc_md="""
    The register and the weather service are asked side by side, each once a day. A page is written for
    each state as soon as both are there, and the pages are bound into one briefing.

    A state that joins the list gets its own capture and its own page; nobody else's data moves.
    """,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2015, 12, 1, tzinfo=UTC),
    end_date=datetime(2015, 12, 3, tzinfo=UTC),
    catchup=True,
    dagrun_timeout=timedelta(hours=6),
    default_args={"owner": "network-planning"},
    tags=["airports", "weather", "mapped", "groups"],
) as dag:
    with TaskGroup("airports", tooltip="Where the crews may land."):
        register = ArchivingHttpOperator.partial(
            task_id="register",
            entity="faa.served_airports",
            http_conn_id="airports_api",
            endpoint="/airports.csv",
            map_index_template="{{ task.map_key }}",
            doc_md="Archive the airports of one state.",
        ).expand_kwargs([{"map_key": state, "query": {"state": state.upper()}} for state in STATES])

        @task
        def northernmost(ref: dict[str, object]) -> dict[str, str]:
            """Find the airport of a state that winter reaches first."""
            with archive.open(ref) as body:
                rows = list(csv.DictReader(io.TextIOWrapper(body, encoding="utf-8")))
            first = max(rows, key=lambda row: float(row["latitude"]))
            return {"state": first["state"], "airport": first["name"], "of": str(len(rows))}

        first_in_winter = northernmost.expand(ref=register.output)

    with TaskGroup("weather", tooltip="What it was like yesterday."):
        observed = ArchivingHttpOperator(
            task_id="observed",
            entity="noaa.briefed_weather",
            http_conn_id="weather_api",
            endpoint="/stations/seattle/daily/{{ data_interval_start | ds }}.csv",
            doc_md="Archive the day's observations.",
        )

        @task
        def in_words(ref: dict[str, object]) -> str:
            """Say the day's weather in one sentence."""
            with archive.open(ref) as body:
                (day,) = csv.DictReader(io.TextIOWrapper(body, encoding="utf-8"))
            return f"{day['weather'].capitalize()}, at most {day['temp_max']} °C."

        sentence = in_words(observed.output)

    with TaskGroup("briefing", tooltip="What is handed to the crews."):

        @task
        def page(airport: dict[str, str], weather: str) -> str:
            """Write the page of one state."""
            return (
                f"{airport['state']}: {airport['airport']} first, of {airport['of']}. "
                f"Seattle yesterday: {weather}"
            )

        @task
        def bind(pages: list[str]) -> str:
            """Put the pages into one briefing, in the order of the states."""
            return "\n".join(sorted(pages))

        bind(page.partial(weather=sentence).expand(airport=first_in_winter))
