"""What the archive held, told once a week to a place where who writes the archive cannot write."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from platform_ops.maintenance import ArchiveWitnessOperator

with DAG(
    "weekly_witness",
    description="Every Sunday: the newest manifest of every slot, listed elsewhere.",
    doc_md="""
    The list is what `platform-ops archive verify --against` takes. Set `folder` to one of
    another account's buckets with a retention lock, such as `s3://witness/heads`, and give the task a
    connection that can create objects there, and no more.
    """,
    schedule=CronTriggerTimetable("0 5 * * 0", timezone="UTC"),
    start_date=datetime(2016, 1, 3, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,  # set its folder first
    params={"folder": ""},
    dagrun_timeout=timedelta(hours=6),
    default_args={"owner": "audit", "retries": 2, "retry_delay": timedelta(minutes=10)},
    tags=["archive", "maintenance"],
) as dag:
    ArchiveWitnessOperator(
        task_id="witness",
        folder="{{ params.folder }}",
        doc_md="Write the list, and hand on its SHA-256.",
    )
