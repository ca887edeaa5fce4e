"""An export: submitted, waited for without a worker, and fetched when it is ready."""

import csv
import io
from datetime import UTC, datetime

from airflow.sdk import DAG, CronDataIntervalTimetable, task

from platform_ops import ArchivingHttpExportOperator, Export, archive

with DAG(
    "monthly_export",
    description="A month of Seattle's weather, which the service writes on request.",
    doc_md="""
    The service takes an order, and is ready when it is ready. Until then a trigger asks how far it is,
    and no worker waits. The order's number is kept by Airflow: a retry goes on waiting for the same one.
    """,
    schedule=CronDataIntervalTimetable("@monthly", timezone="UTC"),
    start_date=datetime(2015, 10, 1, tzinfo=UTC),
    end_date=datetime(2015, 12, 1, tzinfo=UTC),
    catchup=True,
    default_args={"owner": "weather-desk"},
    tags=["weather", "http", "export"],
) as dag:
    month = ArchivingHttpExportOperator(
        task_id="month",
        entity="noaa.monthly_weather",
        http_conn_id="weather_api",
        endpoint="/exports",
        json={"month": "{{ data_interval_start.strftime('%Y-%m') }}"},
        export=Export(
            job="id",
            poll="/exports/{job}",
            state="status",
            result="/exports/{job}.csv",
            interval_s=1,
        ),
        deferrable=True,
        doc_md="Order the month, wait for it, and archive it.",
    )

    @task
    def rain(ref: dict[str, object]) -> float:
        """Add up the month's precipitation, in millimetres."""
        with archive.open(ref) as body:
            days = csv.DictReader(io.TextIOWrapper(body, encoding="utf-8"))
            return round(sum(float(day["precipitation"]) for day in days), 1)

    rain(month.output)
