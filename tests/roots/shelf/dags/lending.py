# A licence that no reader wants to see.
"""Books go out."""

from datetime import UTC, datetime

from airflow.sdk import DAG, task
from shelf import LendOperator

with DAG(
    "lending",
    description="Lends a book every night.",
    doc_md="# Why\n\nReaders *like* books.\n\n<script>alert(1)</script>",
    schedule="30 4 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    default_args={"owner": "librarian"},
    tags=["books"],
):
    lend = LendOperator.partial(task_id="lend").expand(title=["Emma", "Ulysses"])

    @task
    def tell(loans: list[str]) -> int:
        """Count what went out. Then forget."""
        return len(loans)

    tell(lend.output)
