"""Only what is new: each run asks for what came after the last price that was archived."""

import json
from datetime import UTC, datetime

from airflow.sdk import DAG, CronDataIntervalTimetable, task

from platform_ops import ArchivingHttpOperator, Limits, PageNumber, Since, archive

with DAG(
    "latest_prices",
    description="New prices of the volatility index, a few trading days at a time.",
    doc_md="""
    The exchange gives the next trading days after a date, two a page. The latest date that a run has
    archived is its watermark, and the next run goes on from there: so one run at a time.
    """,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2009, 6, 1, tzinfo=UTC),
    end_date=datetime(2009, 6, 3, tzinfo=UTC),
    catchup=True,
    max_active_runs=1,
    default_args={"owner": "risk"},
    tags=["market", "http", "incremental", "paged"],
) as dag:
    prices = ArchivingHttpOperator(
        task_id="prices",
        entity="cboe.latest_prices",
        http_conn_id="market_api",
        endpoint="/indices/vix",
        pagination=PageNumber(pages="pages"),
        since=Since(path="items.*.date", parameter="after", first="2009-06-01"),
        limits=Limits(requests_per_s=20, concurrency=2, max_bytes=1_000_000),
        doc_md="Archive the prices that are new.",
    )

    @task
    def closing(ref: dict[str, object]) -> list[float]:
        """List the closing prices, oldest first."""
        pages = [json.load(page) for page in archive.bodies(ref)]
        return [day["close"] for page in pages for day in page["items"]]

    closing(prices.output)
