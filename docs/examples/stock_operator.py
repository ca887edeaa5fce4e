"""The stock operator over our connection type: archived, with no change to the DAG."""

from datetime import UTC, datetime, timedelta

from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG, CronDataIntervalTimetable

with DAG(
    "stock_operator",
    description="The volatility index of a trading day, by Airflow's own HttpOperator.",
    doc_md="""
    Nothing here knows of the archive: the connection `market_api` has the type `archiving_http`, and
    its extra names the entity. The task's XCom is the text as ever; the XCom key `archive` holds the
    reference.
    """,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2009, 6, 1, tzinfo=UTC),
    end_date=datetime(2009, 6, 3, tzinfo=UTC),
    catchup=True,
    dagrun_timeout=timedelta(hours=6),
    default_args={"owner": "risk"},
    tags=["market", "http", "stock"],
) as dag:
    HttpOperator(
        task_id="volatility",
        http_conn_id="market_api",
        endpoint="/indices/vix/{{ data_interval_start | ds }}.json",
        method="GET",
        doc_md="Fetch the day's prices.",
    )
