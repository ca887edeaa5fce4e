"""Last year's archive as a bag, for those who keep records for longer than we do."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable

from platform_ops.maintenance import ArchiveExportOperator

with DAG(
    "yearly_bag",
    description="Once a year: all that arrived in it, as a BagIt bag.",
    doc_md="""
    A bag is a folder that any archivist's tool can check. This one holds every revision of every slot
    of the year, with its manifest, and appears under its name once it is whole.
    """,
    schedule=CronDataIntervalTimetable("@yearly", timezone="UTC"),
    start_date=datetime(2015, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,  # give it a folder of yours first
    params={"folder": "/srv/bags"},
    dagrun_timeout=timedelta(hours=6),
    default_args={"owner": "records"},
    tags=["archive", "maintenance"],
) as dag:
    ArchiveExportOperator(
        task_id="bag",
        folder="{{ params.folder }}/{{ data_interval_start.year }}",
        since="{{ data_interval_start }}",
        until="{{ data_interval_end }}",
        doc_md="Write the bag.",
    )
