"""A shared drive: wait for the month's file, keep it, put it aside, and read it."""

import csv
import io
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, task

from platform_ops import ArchivingLocalFilesOperator, ArchivingLocalFilesSensor, archive

with DAG(
    "monthly_prices",
    description="Last month's share prices, as the back office puts them on the shared drive.",
    doc_md="""
    The back office writes one file a month, and beside it an empty file that ends in `.done` once it
    has finished. The first task waits for that, the second archives what is finished and new and
    only then puts it into the folder `archived`, and the third tells the dearest share.
    """,
    schedule=CronDataIntervalTimetable("@monthly", timezone="UTC"),
    start_date=datetime(2010, 2, 1, tzinfo=UTC),
    end_date=datetime(2010, 2, 1, tzinfo=UTC),
    catchup=True,
    is_paused_upon_creation=True,  # name your own partners first
    dagrun_timeout=timedelta(hours=6),
    default_args={"owner": "risk"},
    tags=["market", "files"],
) as dag:
    finished = ArchivingLocalFilesSensor(
        task_id="finished",
        entity="market.monthly_prices",
        fs_conn_id="shared_drive",
        folder="prices",
        files="*.csv",
        done="{name}.done",
        doc_md="Wait until a new month is finished.",
        mode="reschedule",
    )
    prices = ArchivingLocalFilesOperator(
        task_id="prices",
        entity="market.monthly_prices",
        fs_conn_id="shared_drive",
        folder="prices",
        files="*.csv",
        done="{name}.done",
        after="move",
        move_to="archived",
        doc_md="Archive it, and put it aside.",
    )

    @task
    def dearest(ref: dict[str, object]) -> str:
        """Name the share with the highest price."""
        with archive.open(ref) as body:
            rows = csv.DictReader(io.TextIOWrapper(body, encoding="utf-8"))
            return max(rows, key=lambda row: float(row["price"]))["symbol"]

    finished >> prices
    dearest(prices.output)
