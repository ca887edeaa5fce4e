"""Three partners, three ways to hand over a file: SFTP, FTP and a bucket."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable

from platform_ops import (
    ArchivingFtpOperator,
    ArchivingFtpSensor,
    ArchivingObjectStoreOperator,
    ArchivingObjectStoreSensor,
    ArchivingSftpOperator,
    ArchivingSftpSensor,
)

with DAG(
    "partner_deliveries",
    description="Share prices from three partners, each the way that partner likes.",
    doc_md="""
    Each delivery is waited for without a worker, and then archived as it came: every version of a file
    once. Microsoft's comes with a checksum, which it must match. Amazon's is deleted at the source once
    it is safe. IBM's stays in its bucket.
    """,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2010, 3, 2, tzinfo=UTC),
    end_date=datetime(2010, 3, 2, tzinfo=UTC),
    catchup=True,
    is_paused_upon_creation=True,  # name your own partners first
    dagrun_timeout=timedelta(hours=6),
    default_args={"owner": "risk"},
    tags=["market", "files", "sftp", "ftp", "object-store"],
) as dag:
    microsoft_delivered = ArchivingSftpSensor(
        task_id="microsoft_delivered",
        entity="market.microsoft",
        sftp_conn_id="microsoft",
        folder="outbox",
        files="microsoft-*.csv",
        checksum="sha256",
        doc_md="Wait for the file and its checksum.",
        mode="reschedule",
    )
    microsoft = ArchivingSftpOperator(
        task_id="microsoft",
        entity="market.microsoft",
        sftp_conn_id="microsoft",
        folder="outbox",
        files="microsoft-*.csv",
        checksum="sha256",
        doc_md="Archive it, if it is what the checksum says.",
    )
    amazon_delivered = ArchivingFtpSensor(
        task_id="amazon_delivered",
        entity="market.amazon",
        ftp_conn_id="amazon",
        folder="pub",
        files="amazon-*.csv",
        doc_md="Wait for the file.",
        mode="reschedule",
    )
    amazon = ArchivingFtpOperator(
        task_id="amazon",
        entity="market.amazon",
        ftp_conn_id="amazon",
        folder="pub",
        files="amazon-*.csv",
        after="delete",
        doc_md="Archive it, then delete it there.",
    )
    ibm_delivered = ArchivingObjectStoreSensor(
        task_id="ibm_delivered",
        entity="market.ibm",
        folder="gs://market-prices/ibm",
        doc_md="Wait for an object.",
        mode="reschedule",
    )
    ibm = ArchivingObjectStoreOperator(
        task_id="ibm",
        entity="market.ibm",
        folder="gs://market-prices/ibm",
        max_bytes=10_000_000,
        doc_md="Archive it.",
    )

    microsoft_delivered >> microsoft
    amazon_delivered >> amazon
    ibm_delivered >> ibm
