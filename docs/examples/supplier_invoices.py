"""Invoices that suppliers send by mail, and a task that reads what was attached."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, task

from platform_ops import ArchivingImapOperator, archive

with DAG(
    "supplier_invoices",
    description="Every invoice that arrived by mail, archived once with its PDF.",
    doc_md="""
    Suppliers send their invoices to one mailbox. The first task archives each message that it has not
    seen before, whole and with its PDFs beside it, and then marks it with a flag, so that people who
    read the same mailbox see what is safe. The second task lists the invoices from the archive.
    """,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2015, 12, 1, tzinfo=UTC),
    end_date=datetime(2015, 12, 3, tzinfo=UTC),
    catchup=True,
    max_active_runs=1,  # one after the other: each takes what the one before has left
    dagrun_timeout=timedelta(hours=6),
    default_args={"owner": "accounting"},
    tags=["accounting", "mail"],
) as dag:
    mails = ArchivingImapOperator(
        task_id="mails",
        entity="suppliers.invoices",
        imap_conn_id="mailbox",
        search='SUBJECT "Invoice"',
        attachments="*.pdf",
        afterwards="flag",
        doc_md="Archive what is new in the mailbox.",
    )

    @task
    def invoices(ref: dict[str, object]) -> list[str]:
        """Name the PDFs, by the message that carried each."""
        found = archive.bodies(ref)
        return [body.name for body in found if body.media_type == "application/pdf"]

    invoices(mails.output)
