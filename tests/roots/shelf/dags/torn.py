"""A DAG file that cannot be imported."""

from airflow.sdk import DAG  # noqa: F401  Airflow only reads files that speak of DAGs

raise RuntimeError("the page is torn")
