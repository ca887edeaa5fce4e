"""When the water is high."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, task

with DAG(
    "tides",
    description="High and low water, a day ahead.",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    dagrun_timeout=timedelta(hours=1),
    tags=["tides"],
    default_args={"owner": "harbour", "retries": 1},
):

    @task
    def compute() -> None:
        """Compute the day's tides."""

    compute()
