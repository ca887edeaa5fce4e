"""A database: what is new in a table, and a day's rows on their way into the warehouse."""

from datetime import UTC, datetime

from airflow.sdk import DAG, CronDataIntervalTimetable, task

from platform_ops import ArchivingSqlOperator, ArchivingSqlToSqlOperator, archive

with DAG(
    "station_database",
    description="A weather station's readings, out of its database and into the warehouse.",
    doc_md="""
    The station writes into a database of its own. The first task archives the readings that came
    since the last run, and counts them; the other one loads the day's readings into the warehouse,
    where each row says which capture it came from. A run that is repeated replaces its own rows.
    """,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2015, 12, 1, tzinfo=UTC),
    end_date=datetime(2015, 12, 3, tzinfo=UTC),
    catchup=True,
    default_args={"owner": "weather-desk"},
    tags=["weather", "sql"],
) as dag:
    new = ArchivingSqlOperator(
        task_id="new_observations",
        entity="station.new_observations",
        conn_id="station",
        table="observations",
        watermark="id",
        doc_md="Archive what came since the last run.",
    )

    @task
    def count(ref: dict[str, object]) -> int:
        """Count the new readings, a batch of rows at a time."""
        return sum(batch.num_rows for batch in archive.batches(ref))

    count(new.output)

    ArchivingSqlToSqlOperator(
        task_id="observations",
        entity="station.observations",
        conn_id="station",
        table="observations",
        where="day = '{{ data_interval_start | ds }}'",
        to_conn_id="warehouse",
        to_table="weather",
        doc_md="Archive the day's readings, and load them.",
    )
