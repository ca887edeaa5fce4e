"""Airflow's own operators that take something in, and what archives in their place: one table.

The auditor counts by it and the conventions' linter warns by it. Standard library alone, since both run
where Airflow parses DAG files. Classes are named, never imported: most of them are not installed.

Source: https://airflow.apache.org/docs/#providers-packages-docs-apache-airflow-providers-index-html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["ARCHIVING_PREFIX", "STOCK_OPERATORS", "StockOperator", "stock_operator_of"]

ARCHIVING_PREFIX: Final = "archiving_"
"""What the type of a connection begins with over which stock operators archive what they fetch."""

_P: Final = "airflow.providers"


@dataclass(frozen=True, slots=True)
class StockOperator:
    """An operator of Airflow's that takes in what nobody archives.

    :param path: Module and class, as a DAG file imports it.
    :param system: What it takes in from.
    :param replacement: The operator of :mod:`platform_ops` for that system; a ``@task.archive`` where there
        is none.
    :param connection: Its argument that names the connection to the source.
    :param by_type: Whether it finds its hook by the type of that connection, so that a connection of a
        type ``archiving_…`` is enough and the DAG stays as it is.
    """

    path: str
    system: str
    replacement: str
    connection: str | None = None
    by_type: bool = False

    @property
    def name(self) -> str:
        """The class alone."""
        return self.path.rpartition(".")[2]

    @property
    def advice(self) -> str:
        """What to do, in a sentence."""
        if self.by_type:
            return (
                f"use {self.replacement}, or give {self.connection} a connection of a type "
                f"{ARCHIVING_PREFIX}…"
            )
        return f"use {self.replacement}"


_TASK: Final = "@task.archive"
_HTTP: Final = "ArchivingHttpOperator"
_SQL: Final = "ArchivingSqlOperator"
_SFTP: Final = "ArchivingSftpOperator"
_FTP: Final = "ArchivingFtpOperator"
_STORE: Final = "ArchivingObjectStoreOperator"
_LOCAL: Final = "ArchivingLocalFilesOperator"
_MAIL: Final = "ArchivingImapOperator"
_KAFKA: Final = "ArchivingKafkaOperator"
_COPY: Final = "ArchivingSqlToSqlOperator"

# Module below airflow.providers, class, system, replacement, argument, whether its hook is found by type.
_ROWS: Final = (
    ("http.operators.http", "HttpOperator", "HTTP", _HTTP, "http_conn_id", True),
    ("amazon.aws.transfers.http_to_s3", "HttpToS3Operator", "HTTP", _HTTP, "http_conn_id", False),
    ("google.cloud.transfers.http_to_gcs", "HttpToGCSOperator", "HTTP", _HTTP, "http_conn_id", False),
    ("common.sql.operators.sql", "SQLExecuteQueryOperator", "SQL", _SQL, "conn_id", True),
    ("common.sql.operators.generic_transfer", "GenericTransfer", "SQL", _COPY, "source_conn_id", True),
    ("amazon.aws.transfers.sql_to_s3", "SqlToS3Operator", "SQL", _SQL, "sql_conn_id", True),
    ("apache.hive.transfers.mysql_to_hive", "MySqlToHiveOperator", "SQL", _SQL, "mysql_conn_id", False),
    ("apache.hive.transfers.mssql_to_hive", "MsSqlToHiveOperator", "SQL", _SQL, "mssql_conn_id", False),
    ("google.cloud.transfers.postgres_to_gcs", "PostgresToGCSOperator", "SQL", _SQL, "postgres_conn_id",
     False),
    ("google.cloud.transfers.mysql_to_gcs", "MySQLToGCSOperator", "SQL", _SQL, "mysql_conn_id", False),
    ("google.cloud.transfers.mssql_to_gcs", "MSSQLToGCSOperator", "SQL", _SQL, "mssql_conn_id", False),
    ("google.cloud.transfers.oracle_to_gcs", "OracleToGCSOperator", "SQL", _SQL, "oracle_conn_id", False),
    ("google.cloud.transfers.trino_to_gcs", "TrinoToGCSOperator", "SQL", _SQL, "trino_conn_id", False),
    ("google.cloud.transfers.presto_to_gcs", "PrestoToGCSOperator", "SQL", _SQL, "presto_conn_id", False),
    ("microsoft.azure.transfers.oracle_to_azure_data_lake", "OracleToAzureDataLakeOperator", "SQL", _SQL,
     "oracle_conn_id", False),
    ("mysql.transfers.vertica_to_mysql", "VerticaToMySqlOperator", "SQL", _COPY, "vertica_conn_id", False),
    ("mysql.transfers.trino_to_mysql", "TrinoToMySqlOperator", "SQL", _COPY, "trino_conn_id", False),
    ("mysql.transfers.presto_to_mysql", "PrestoToMySqlOperator", "SQL", _COPY, "presto_conn_id", False),
    ("sftp.operators.sftp", "SFTPOperator", "SFTP", _SFTP, "ssh_conn_id", False),
    ("amazon.aws.transfers.sftp_to_s3", "SFTPToS3Operator", "SFTP", _SFTP, "sftp_conn_id", False),
    ("google.cloud.transfers.sftp_to_gcs", "SFTPToGCSOperator", "SFTP", _SFTP, "sftp_conn_id", False),
    ("microsoft.azure.transfers.sftp_to_wasb", "SFTPToWasbOperator", "SFTP", _SFTP, "sftp_conn_id",
     False),
    ("ftp.operators.ftp", "FTPFileTransmitOperator", "FTP", _FTP, "ftp_conn_id", False),
    ("ftp.operators.ftp", "FTPSFileTransmitOperator", "FTP", _FTP, "ftp_conn_id", False),
    ("amazon.aws.transfers.ftp_to_s3", "FTPToS3Operator", "FTP", _FTP, "ftp_conn_id", False),
    ("amazon.aws.transfers.gcs_to_s3", "GCSToS3Operator", "object stores", _STORE, "gcp_conn_id", False),
    ("amazon.aws.transfers.azure_blob_to_s3", "AzureBlobStorageToS3Operator", "object stores", _STORE,
     "wasb_conn_id", False),
    ("amazon.aws.operators.s3", "S3CopyObjectOperator", "object stores", _STORE, "aws_conn_id", False),
    ("amazon.aws.transfers.s3_to_sql", "S3ToSqlOperator", "object stores", _STORE, "aws_conn_id", False),
    ("google.cloud.transfers.s3_to_gcs", "S3ToGCSOperator", "object stores", _STORE, "aws_conn_id", False),
    ("google.cloud.transfers.azure_blob_to_gcs", "AzureBlobStorageToGCSOperator", "object stores",
     _STORE, "wasb_conn_id", False),
    ("google.cloud.transfers.gcs_to_bigquery", "GCSToBigQueryOperator", "object stores", _STORE,
     "gcp_conn_id", False),
    ("microsoft.azure.transfers.s3_to_wasb", "S3ToAzureBlobStorageOperator", "object stores", _STORE,
     "aws_conn_id", False),
    ("mysql.transfers.s3_to_mysql", "S3ToMySqlOperator", "object stores", _STORE, "aws_conn_id", False),
    ("snowflake.transfers.copy_into_snowflake", "CopyFromExternalStageToSnowflakeOperator",
     "object stores", _STORE, None, False),
    ("amazon.aws.transfers.local_to_s3", "LocalFilesystemToS3Operator", "local folders", _LOCAL, None,
     False),
    ("google.cloud.transfers.local_to_gcs", "LocalFilesystemToGCSOperator", "local folders", _LOCAL, None,
     False),
    ("microsoft.azure.transfers.local_to_wasb", "LocalFilesystemToWasbOperator", "local folders", _LOCAL,
     None, False),
    ("amazon.aws.transfers.imap_attachment_to_s3", "ImapAttachmentToS3Operator", "mail", _MAIL,
     "imap_conn_id", False),
    ("apache.kafka.operators.consume", "ConsumeFromTopicOperator", "Kafka", _KAFKA, "kafka_config_id",
     False),
    ("amazon.aws.transfers.google_api_to_s3", "GoogleApiToS3Operator", "Google APIs", _TASK,
     "gcp_conn_id", False),
    ("amazon.aws.transfers.salesforce_to_s3", "SalesforceToS3Operator", "Salesforce", _TASK,
     "salesforce_conn_id", False),
    ("google.cloud.transfers.salesforce_to_gcs", "SalesforceToGcsOperator", "Salesforce", _TASK,
     "salesforce_conn_id", False),
    ("amazon.aws.transfers.mongo_to_s3", "MongoToS3Operator", "MongoDB", _TASK, "mongo_conn_id", False),
    ("amazon.aws.transfers.dynamodb_to_s3", "DynamoDBToS3Operator", "DynamoDB", _TASK,
     "source_aws_conn_id", False),
    ("google.cloud.transfers.cassandra_to_gcs", "CassandraToGCSOperator", "Cassandra", _TASK,
     "cassandra_conn_id", False),
    ("google.cloud.transfers.facebook_ads_to_gcs", "FacebookAdsReportToGcsOperator", "Facebook Ads",
     _TASK, "facebook_conn_id", False),
    ("google.cloud.transfers.sheets_to_gcs", "GoogleSheetsToGCSOperator", "Google Sheets", _TASK,
     "gcp_conn_id", False),
    ("google.cloud.transfers.gdrive_to_gcs", "GoogleDriveToGCSOperator", "Google Drive", _TASK,
     "gcp_conn_id", False),
    ("microsoft.azure.operators.msgraph", "MSGraphAsyncOperator", "Microsoft Graph", _TASK, "conn_id",
     False),
)  # fmt: skip

STOCK_OPERATORS: Final[Mapping[str, StockOperator]] = {
    f"{_P}.{module}.{name}": StockOperator(f"{_P}.{module}.{name}", *rest)
    for module, name, *rest in _ROWS
}
"""By module and class."""


def stock_operator_of(paths: Iterable[str]) -> StockOperator | None:
    """The row that stands for a class, by itself or by the nearest class that it derives from.

    :param paths: Of the class and its bases, as in ``__mro__``.
    """
    return next((row for path in paths if (row := STOCK_OPERATORS.get(path))), None)
