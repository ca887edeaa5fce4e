"""The archive looks after itself by day too: what is late or odd is told before anybody asks."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from platform_ops.notify import callbacks
from platform_ops.notify.watch import ArchiveWatchOperator

with DAG(
    "archive_watch",
    description="Every quarter of an hour: tell people what is overdue, came at last, or is odd.",
    doc_md="""
    A task that never runs tells nobody anything. This one looks at every entity that the site has
    declared: at its schedule, and at the volume of what arrived.
    """,
    schedule=CronTriggerTimetable("*/15 * * * *", timezone="UTC"),
    start_date=datetime(2015, 12, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=10),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        **callbacks(),
    },
    tags=["archive", "maintenance"],
) as dag:
    ArchiveWatchOperator(task_id="watch", doc_md="Tell what is overdue, came at last, or is odd.")
