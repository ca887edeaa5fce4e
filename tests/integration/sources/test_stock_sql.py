"""Airflow's own operators over connections of ours: what they archive, and what they leave alone."""

from __future__ import annotations

import gc
import io
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from airflow.providers.amazon.aws.transfers.sql_to_s3 import SqlToS3Operator
from airflow.providers.common.sql.operators.generic_transfer import GenericTransfer
from airflow.providers.common.sql.operators.sql import (
    BranchSQLOperator,
    SQLCheckOperator,
    SQLColumnCheckOperator,
    SQLExecuteQueryOperator,
    SQLInsertRowsOperator,
    SQLIntervalCheckOperator,
    SQLTableCheckOperator,
    SQLThresholdCheckOperator,
    SQLValueCheckOperator,
)
from airflow.providers.common.sql.sensors.sql import SqlSensor
from airflow.sdk import DAG, BaseOperator

from platform_ops import archive
from platform_ops.testing.runner import TaskResult, run_task
from tests import servers

ROWS = [{"id": 1, "item": "pear"}, {"id": 2, "item": "fig"}, {"id": 3, "item": "plum"}]
QUERY = "SELECT id, item FROM stocked ORDER BY id"
COUNT = "SELECT count(*) FROM stocked"


@pytest.fixture(params=["postgres", "mysql"], autouse=True)
def _shop(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORM_OPS__ARCHIVE__ROOT", f"file://{tmp_path}/archive")
    server = servers.running("postgres" if request.param == "postgres" else "mariadb")
    about = {
        "conn_type": f"archiving_{request.param}",
        "host": "127.0.0.1",
        "port": server.port,
        "schema": "postgres" if request.param == "postgres" else "shop",
        "login": "archivist",
        "password": server.password,
    }
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(about))
    with closing(server.connect()) as owner, owner.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS stocked")
        cursor.execute("DROP TABLE IF EXISTS copied")
        cursor.execute("CREATE TABLE stocked (id int, item varchar(9), day date)")
        cursor.execute("CREATE TABLE copied (id int, item varchar(9))")
        values = ", ".join(f"({each['id']}, '{each['item']}', '2024-03-05')" for each in ROWS)
        cursor.execute(f"INSERT INTO stocked VALUES {values}")


def run(operator: type[BaseOperator], **arguments: Any) -> TaskResult:
    with DAG("stock") as dag:
        task = operator(task_id="stock", **arguments)
        if operator is BranchSQLOperator:
            for name in ("there", "gone"):
                task >> SQLExecuteQueryOperator(task_id=name, conn_id="shop", sql=QUERY)
    assert dag.task_dict
    ran = run_task(task, at="2024-03-05")
    assert ran.state == "success", ran.error
    return ran


def archived() -> list[list[dict[str, Any]]]:  # Any: values of rows
    """The rows of every commit, by slot."""
    found = sorted(archive.find("shop.stock"), key=lambda each: each.committed_at_utc)
    return [archive.as_arrow(each.slot).to_pylist() for each in found]


def test_a_query_is_archived() -> None:
    run(SQLExecuteQueryOperator, conn_id="shop", sql=QUERY)
    assert archived() == [ROWS]


@pytest.mark.parametrize(
    ("paged", "commits"),
    [({}, [ROWS]), ({"page_size": 2}, [ROWS[:2], ROWS[2:], []])],
    ids=["at once", "by pages"],
)
def test_a_transfer_is_archived_as_it_reads(
    paged: dict[str, int], commits: list[list[dict[str, Any]]]
) -> None:
    transfer = {"source_conn_id": "shop", "destination_conn_id": "shop", "sql": QUERY, **paged}
    run(GenericTransfer, destination_table="copied", **transfer)
    assert [rows for rows in archived() if rows] == [rows for rows in commits if rows]
    read = run(SQLExecuteQueryOperator, conn_id="shop", sql="SELECT id FROM copied ORDER BY id")
    assert [row["__data__"] for row in read.xcom] == [[1], [2], [3]]


# The stock hook of PostgreSQL leaves a connection in SQLAlchemy's pool, the others go without it.
@pytest.mark.filterwarnings("ignore:pandas only supports SQLAlchemy:UserWarning")
@pytest.mark.filterwarnings("ignore:.*psycopg.Connection.*was deleted:ResourceWarning")
def test_what_goes_to_s3_is_archived_as_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = servers.running("moto").server
    bucket, aws = s3.new_bucket(), {"endpoint_url": s3.url, "region_name": "us-east-1"}
    told = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": aws}
    monkeypatch.setenv("AIRFLOW_CONN_AWS", json.dumps(told))
    target = {"aws_conn_id": "aws", "s3_bucket": bucket, "s3_key": "rows", "pd_kwargs": {}}
    run(SqlToS3Operator, query=QUERY, sql_conn_id="shop", file_format="parquet", **target)
    with closing(s3.client().get_object(Bucket=bucket, Key="rows.parquet")["Body"]) as body:
        assert pq.read_table(io.BytesIO(body.read())).to_pylist() == ROWS
    assert archived() == [ROWS]
    gc.collect()  # while the warning is expected


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (SQLCheckOperator, {"sql": COUNT}),
        (SQLValueCheckOperator, {"sql": COUNT, "pass_value": 3}),
        (SQLThresholdCheckOperator, {"sql": COUNT, "min_threshold": 1, "max_threshold": COUNT}),
        (
            SQLIntervalCheckOperator,
            {
                "table": "stocked",
                "metrics_thresholds": {"count(*)": 2},
                "date_filter_column": "day",
                "days_back": 0,
            },
        ),
        (
            SQLColumnCheckOperator,
            {"table": "stocked", "column_mapping": {"id": {"null_check": {"equal_to": 0}}}},
        ),
        (
            SQLTableCheckOperator,
            {"table": "stocked", "checks": {"counted": {"check_statement": "count(*) = 3"}}},
        ),
        (
            BranchSQLOperator,
            {"sql": COUNT, "follow_task_ids_if_true": "there", "follow_task_ids_if_false": "gone"},
        ),
        (SqlSensor, {"sql": COUNT}),
        (SQLInsertRowsOperator, {"table_name": "copied", "rows": [(9, "kiwi")]}),
        (SQLExecuteQueryOperator, {"sql": "INSERT INTO copied VALUES (9, 'kiwi')"}),
    ],
    ids=lambda each: each.__name__ if isinstance(each, type) else "",
)
def test_what_checks_or_writes_is_run_and_not_archived(
    tmp_path: Path, operator: type[BaseOperator], arguments: dict[str, Any]
) -> None:
    run(operator, conn_id="shop", **arguments)
    assert not [each for each in (tmp_path / "archive").rglob("*") if each.is_file()]
