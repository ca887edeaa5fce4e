"""One request a day, and a task that reads what it brought."""

import csv
import io
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, task

from platform_ops import ArchivingHttpOperator, archive

with DAG(
    "daily_weather",
    description="Yesterday's weather in Seattle, once a day.",
    doc_md="""
    The weather service closes a day at midnight UTC and then publishes it as CSV. The first task
    archives that file as it came; the second reads it from the archive, and never asks the service.
    """,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2015, 12, 1, tzinfo=UTC),
    end_date=datetime(2015, 12, 3, tzinfo=UTC),
    catchup=True,
    dagrun_timeout=timedelta(hours=6),
    default_args={"owner": "weather-desk"},
    tags=["weather", "http"],
) as dag:
    observations = ArchivingHttpOperator(
        task_id="observations",
        entity="noaa.daily_weather",
        http_conn_id="weather_api",
        endpoint="/stations/seattle/daily/{{ data_interval_start | ds }}.csv",
        doc_md="Archive the day's file.",
    )

    @task
    def summarise(ref: dict[str, object]) -> dict[str, str]:
        """Hand the day's kind of weather and its highest temperature to whoever asks."""
        with archive.open(ref) as body:
            (day,) = csv.DictReader(io.TextIOWrapper(body, encoding="utf-8"))
        return {"date": day["date"], "weather": day["weather"], "highest_c": day["temp_max"]}

    summarise(observations.output)
