"""The archive keeps itself: verified in part each night, then expired, then swept."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from platform_ops.maintenance import (
    ArchiveExpireOperator,
    ArchiveShardsOperator,
    ArchiveSweepOperator,
    ArchiveVerifyOperator,
)

with DAG(
    "archive_maintenance",
    description="Every night: verify a part of the archive, then let go of what is over.",
    doc_md="""
    One task lists the shards of the archive, an entity each; every other task is mapped over them, so
    that all workers take part. Each night another 28th of the payloads is read and hashed: all of
    them in four weeks. Nothing expires and nothing is swept in a night that finds a fault.
    """,
    schedule=CronTriggerTimetable("0 3 * * *", timezone="UTC"),
    start_date=datetime(2015, 12, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,  # it deletes: start it by hand, once its settings were read
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args={"owner": "platform", "retries": 2, "retry_delay": timedelta(minutes=10)},
    tags=["archive", "maintenance"],
) as dag:
    shards = ArchiveShardsOperator(task_id="shards", doc_md="List the entities that hold anything.")

    verify = ArchiveVerifyOperator.partial(
        task_id="verify",
        share=1 / 28,
        doc_md="Check manifests, chain, sizes and a 28th of the bytes.",
    ).expand(prefix=shards.output)

    expire = ArchiveExpireOperator.partial(
        task_id="expire", delete=True, doc_md="Remove payloads whose retention is over."
    ).expand(prefix=shards.output)

    sweep = ArchiveSweepOperator.partial(
        task_id="sweep", delete=True, doc_md="Remove what crashed writers left a week ago."
    ).expand(prefix=shards.output)

    verify >> expire >> sweep
