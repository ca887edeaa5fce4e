"""A source that fails at first: the retry archives exactly one revision."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable

from platform_ops import ArchivingHttpOperator

with DAG(
    "sleepy_station",
    description="San Francisco's temperatures, from a station that has to be woken.",
    doc_md="""
    The station answers the first call of a day with `503 Service Unavailable`, and the next one with
    its readings. The task asks once a try and leaves the waiting to Airflow: the first try fails and
    leaves nothing behind, the second commits the day.
    """,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2010, 7, 1, tzinfo=UTC),
    end_date=datetime(2010, 7, 3, tzinfo=UTC),
    catchup=True,
    dagrun_timeout=timedelta(hours=6),
    default_args={"owner": "weather-desk"},
    tags=["weather", "http", "retried"],
) as dag:
    ArchivingHttpOperator(
        task_id="readings",
        entity="noaa.station_readings",
        http_conn_id="weather_api",
        endpoint="/stations/san-francisco/hourly/{{ data_interval_start | ds }}.csv",
        attempts=1,
        retries=2,
        retry_delay=timedelta(seconds=1),
        doc_md="Archive the day's readings, on the try that gets them.",
    )
