"""What the tests of the browser run: what arrives daily, by our operators and Airflow's own, and a reader."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, task

from platform_ops import ArchivingHttpOperator, archive
from platform_ops.notify import callbacks

DAYS = 3
FIRST = "SHOP_OPENED"
"""Variable with the first day."""
_OPENED = datetime.fromisoformat(os.environ.get(FIRST, "2024-03-05")).replace(tzinfo=UTC)

with DAG(
    "shop",
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=_OPENED,
    end_date=_OPENED + timedelta(days=DAYS, hours=-12),
    catchup=True,
    max_active_runs=1,
    default_args=callbacks(),
) as dag:
    orders = ArchivingHttpOperator(
        task_id="orders", entity="shop.orders", http_conn_id="shop", endpoint="/{{ ds }}/orders.csv"
    )
    salaries = ArchivingHttpOperator(
        task_id="salaries",
        entity="staff.salaries",
        http_conn_id="shop",
        endpoint="/{{ ds }}/salaries.csv",
    )

    stock = HttpOperator(
        task_id="stock", http_conn_id="stock", endpoint="/{{ ds }}/stock.csv", method="GET"
    )

    @task
    def total(ref: dict[str, Any]) -> int:  # Any: a reference
        with archive.open(ref) as body:
            return len(body.read().splitlines()) - 1

    total(orders.output)  # type: ignore[arg-type]  # once it runs, it is the value
    orders >> salaries >> stock
