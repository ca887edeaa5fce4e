"""A DAG file that cannot be imported."""

from airflow.sdk import DAG

raise RuntimeError("the page is torn")
