"""Legal holds, placed and released by hand: nobody needs a shell where the archive is."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from platform_ops.maintenance import ArchiveHoldOperator, ArchiveReleaseOperator

with DAG(
    "hold_on_request",
    description="On request: a source, an entity or a slot must stay, or need not any more.",
    doc_md="""
    Start it with a scope, such as `weather` or `weather.forecast`, to place a hold; its name stands in
    the task's XCom. Start it with that name as `hold` to release it. Both need a matter, and who asks.
    """,
    schedule=None,
    start_date=datetime(2015, 1, 1, tzinfo=UTC),
    is_paused_upon_creation=True,  # counsel decides who may start it
    params={"matter": "", "by": "", "scope": "", "time": "", "hold": ""},
    dagrun_timeout=timedelta(hours=1),
    default_args={"owner": "legal"},
    tags=["archive", "maintenance"],
) as dag:
    ArchiveHoldOperator(
        task_id="hold",
        scope="{{ params.scope }}",
        time="{{ params.time }}",
        reason="{{ params.matter }}",
        by="{{ params.by }}",
        doc_md="Place the hold, and hand on its name.",
    )
    ArchiveReleaseOperator(
        task_id="release",
        hold="{{ params.hold }}",
        reason="{{ params.matter }}",
        by="{{ params.by }}",
        doc_md="End the hold; its record stays.",
    )
