"""A wait: the answer that ends it is archived, and the next task reads that very answer."""

import csv
import io
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, task

from platform_ops import ArchivingHttpSensor, archive

with DAG(
    "waking_station",
    description="San Francisco's temperatures in August, as soon as the station has them.",
    doc_md="""
    The station answers `503 Service Unavailable` until it is awake. A trigger asks until it is, and no
    worker waits; what the station says then is archived, and nobody has to ask for it again.
    """,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2010, 8, 1, tzinfo=UTC),
    end_date=datetime(2010, 8, 2, tzinfo=UTC),
    catchup=True,
    dagrun_timeout=timedelta(hours=6),
    default_args={"owner": "weather-desk"},
    tags=["weather", "http", "waiting"],
) as dag:
    awake = ArchivingHttpSensor(
        task_id="awake",
        entity="noaa.woken_readings",
        http_conn_id="weather_api",
        endpoint="/stations/san-francisco/hourly/{{ data_interval_start | ds }}.csv",
        response_error_codes_allowlist=["404", "503"],
        attempts=1,
        poke_interval=1,
        timeout=60,
        deferrable=True,
        doc_md="Wait for the day's readings, and archive them.",
    )

    @task
    def warmest(ref: dict[str, object]) -> float:
        """Find the highest temperature of the day, in degrees Fahrenheit."""
        with archive.open(ref) as body:
            hours = list(csv.DictReader(io.TextIOWrapper(body, encoding="utf-8")))
        return max(float(hour["temp"]) for hour in hours)

    warmest(awake.output)
