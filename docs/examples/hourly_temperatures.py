"""A paged source: all pages of a day make one revision."""

import json
from datetime import UTC, datetime, timedelta
from statistics import fmean

from airflow.sdk import DAG, CronDataIntervalTimetable, task

from platform_ops import ArchivingHttpOperator, LinkHeader, archive

with DAG(
    "hourly_temperatures",
    description="Seattle's 24 hourly temperatures of a day, page by page.",
    doc_md="""
    The service gives ten readings a page, as JSON lines, and names the next page in the header
    `Link`. A day is committed when its last page is there, so that a reader sees all of it or nothing.
    """,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2010, 7, 1, tzinfo=UTC),
    end_date=datetime(2010, 7, 3, tzinfo=UTC),
    catchup=True,
    dagrun_timeout=timedelta(hours=6),
    default_args={"owner": "weather-desk"},
    tags=["weather", "http", "paged"],
) as dag:
    readings = ArchivingHttpOperator(
        task_id="readings",
        entity="noaa.hourly_temperature",
        http_conn_id="weather_api",
        endpoint="/stations/seattle/hourly",
        query={"date": "{{ data_interval_start | ds }}"},
        pagination=LinkHeader(),
        doc_md="Archive every page of the day.",
    )

    @task
    def mean(ref: dict[str, object]) -> float:
        """Compute the day's mean over all pages, which read as one stream."""
        with archive.open(ref) as body:
            return round(fmean(json.loads(line)["temp_f"] for line in body), 2)

    mean(readings.output)
