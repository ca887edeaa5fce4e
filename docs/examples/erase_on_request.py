"""Erasure of one person's body from what was archived of a day, started by hand with the request."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from platform_ops.maintenance import ArchiveEraseOperator

with DAG(
    "erase_on_request",
    description="On request: one body of a slot goes, and all others stay.",
    doc_md="""
    Start it with the request's number and what it names. The body goes out of every revision of the
    slot that has it, in a pack too; a tombstone keeps its digest, who asked, and why.
    """,
    schedule=None,
    start_date=datetime(2015, 1, 1, tzinfo=UTC),
    is_paused_upon_creation=True,  # nobody erases by accident
    params={"request": "", "entity": "", "time": "", "name": ""},
    dagrun_timeout=timedelta(hours=6),
    default_args={"owner": "privacy"},
    tags=["archive", "maintenance"],
) as dag:
    ArchiveEraseOperator(
        task_id="erase",
        entity="{{ params.entity }}",
        time="{{ params.time }}",
        name="{{ params.name }}",
        reason="request {{ params.request }}",
        delete=True,
        doc_md="Erase the body, and say in the log what went.",
    )
