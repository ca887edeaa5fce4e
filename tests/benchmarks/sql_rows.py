"""The rows of a PostgreSQL table as Parquet on disk and in S3, beside ADBC alone and ``SqlToS3Operator``.

``python -m tests.benchmarks.sql_rows FILE`` writes the table that the site shows; ``ROWS`` sets its size.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import page
from tests.benchmarks.measured import Figure, medians, report

ROWS: Final = int(os.environ.get("ROWS", "5000000"))
ROUNDS: Final = int(os.environ.get("ROUNDS", "1"))
DISK_PROMISE: Final = 0.85
"""Of the speed of ADBC alone."""
S3_PROMISE: Final = 3.0
"""Times the speed of SqlToS3Operator."""
MEMORY_PROMISE: Final = 0.1
"""Of what SqlToS3Operator needs."""
FILL: Final = (
    "CREATE TABLE {table} AS SELECT n AS id, (n % 9973)::int AS customer, "
    "'item ' || n % 4999 AS item, ((n * 37 % 1000000) / 100.0)::numeric(12, 2) AS price, "
    "random() AS weight, timestamptz '2024-01-01+00' + n * interval '1 second' AS at "
    "FROM generate_series(1, {rows}) AS n"
)
_PEERS: Final = ("ADBC alone, to disk", "SqlToS3Operator")
_OURS: Final = ("archive, on disk", "archive, in S3")
HEADER: Final = (
    "",
    "thousand rows/s",
    "× ADBC alone",
    "× SqlToS3Operator",
    "processor s",
    "MiB above the start",
)
PACKAGES: Final = ("pyarrow", "adbc-driver-postgresql", "apache-airflow-providers-amazon", "pandas")


def main() -> dict[str, Figure]:
    """Run every contender in turn; medians by contender."""
    from tests.servers.moto import started as moto
    from tests.servers.postgres import started as postgres

    with postgres() as server, moto() as s3, tempfile.TemporaryDirectory() as scratch:
        with closing(server.connect()) as owner:
            for table, rows in (("large", ROWS), ("small", 10)):
                owner.execute(FILL.format(table=table, rows=rows))
        about = {
            "host": "127.0.0.1",
            "port": server.port,
            "schema": "postgres",
            "login": "archivist",
            "password": server.password,
        }
        aws = {"endpoint_url": s3.server.url, "region_name": "us-east-1"}
        shared = {
            "AIRFLOW_HOME": scratch,
            "AIRFLOW_CONN_OURS": json.dumps({"conn_type": "archiving_postgres", **about}),
            "AIRFLOW_CONN_STOCK": json.dumps({"conn_type": "postgres", **about}),
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(
                {"conn_type": "aws", "login": "testing", "password": "testing", "extra": aws}
            ),
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": s3.server.url,
            "AWS_ALLOW_HTTP": "true",
            "S3_BUCKET": s3.server.new_bucket(),
            "POSTGRES_DSN": server.dsn,
            "SCRATCH": scratch,
        }
        return medians(
            "tests.benchmarks.sql_rows", (*_PEERS, *_OURS), rounds=ROUNDS, environment=shared
        )


def rows(figures: Mapping[str, Figure]) -> list[tuple[str, ...]]:
    """The figures as the site shows them."""
    return [
        (
            name,
            f"{ROWS / each.seconds / 1000:.0f}",
            *(f"{figures[peer].seconds / each.seconds:.2f}" for peer in _PEERS),
            f"{each.cpu_s:.1f}",
            f"{each.rise_mib:.0f}",
        )
        for name, each in figures.items()
    ]


def broken(figures: Mapping[str, Figure]) -> list[str]:
    """What was promised and does not hold."""
    alone, stock = (figures[each] for each in _PEERS)
    disk, s3 = (figures[each] for each in _OURS)
    told = {
        f"rows to disk: promised {DISK_PROMISE} × ADBC alone": alone.seconds
        < DISK_PROMISE * disk.seconds,
        f"rows to S3: promised {S3_PROMISE} × SqlToS3Operator": stock.seconds
        < S3_PROMISE * s3.seconds,
        f"rows to S3: promised {MEMORY_PROMISE} × the memory of SqlToS3Operator": s3.rise_mib
        > MEMORY_PROMISE * stock.rise_mib,
    }
    return [promise for promise, is_broken in told.items() if is_broken]


def _by_adbc(table: str) -> None:
    """The shortest way: each batch of the driver's as a row group, compressed as ours are."""
    import adbc_driver_postgresql.dbapi as adbc
    import pyarrow.parquet as pq

    with adbc.connect(os.environ["POSTGRES_DSN"]) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table}")
        reader = cursor.fetch_record_batch()
        target = Path(os.environ["SCRATCH"]) / f"{table}.parquet"
        with pq.ParquetWriter(target, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)


def _by_stock(table: str) -> None:
    from airflow.providers.amazon.aws.transfers.sql_to_s3 import SqlToS3Operator

    _ran(
        SqlToS3Operator,
        query=f"SELECT * FROM {table}",
        sql_conn_id="stock",
        aws_conn_id="aws_default",
        s3_bucket=os.environ["S3_BUCKET"],
        s3_key=f"{table}.parquet",
        file_format="parquet",
        replace=True,
    )


def _archived(table: str, root: str) -> None:
    from platform_ops.sources.sql import ArchivingSqlOperator

    os.environ["PLATFORM_OPS__ARCHIVE__ROOT"] = root
    os.environ["PLATFORM_OPS__ARCHIVE__INDEX"] = f"{os.environ['SCRATCH']}/index"
    _ran(ArchivingSqlOperator, entity=f"benchmark.{table}", conn_id="ours", table=table)


def _ran(operator: Any, **arguments: Any) -> None:  # Any: of two classes, and their own arguments
    from airflow.sdk import DAG

    from platform_ops.testing.runner import run_task

    with DAG("benchmark"):
        task = operator(task_id="take", **arguments)
    result = run_task(task, at="2015-12-01", run_id=str(os.getpid()))
    if result.state != "success":
        raise SystemExit(repr(result.error))


_CONTENDERS: Final[Mapping[str, Callable[[str], None]]] = {
    "ADBC alone, to disk": _by_adbc,
    "SqlToS3Operator": _by_stock,
    "archive, on disk": lambda table: _archived(table, f"file://{os.environ['SCRATCH']}/archive"),
    "archive, in S3": lambda table: _archived(table, f"s3://{os.environ['S3_BUCKET']}/archive"),
}

if __name__ == "__main__":
    if sys.argv[1] in _CONTENDERS:
        take = _CONTENDERS[sys.argv[1]]
        take("small")  # what each of them imports is not what is measured
        report(lambda: take("large"))
    else:
        found = main()
        page.write(Path(sys.argv[1]), HEADER, rows(found), packages=PACKAGES)
        sys.exit("\n".join(broken(found)) or None)
