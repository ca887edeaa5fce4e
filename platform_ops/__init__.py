"""Archive what Airflow DAGs take in: verbatim, exactly once, under a URL known in advance.

Importing this package imports neither Airflow nor a source; names load when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from platform_ops.facade import deferred

if TYPE_CHECKING:
    from platform_ops import archive as archive
    from platform_ops.entity import Entity, Manifest, Origin, Part, Reference, RunIdentity, Slot
    from platform_ops.errors import (
        ArchiveConflict,
        ArchiveCorrupt,
        ArchiveError,
        ConfigError,
        NotArchived,
        PlatformError,
        SourceError,
    )
    from platform_ops.ingest import ArchivingOperator, archive_session, asset
    from platform_ops.sources.duckdb import ArchivingDuckDbHook
    from platform_ops.sources.files import (
        ArchivingFtpOperator,
        ArchivingLocalFilesOperator,
        ArchivingObjectStoreOperator,
        ArchivingSftpOperator,
    )
    from platform_ops.sources.folders.sensors import (
        ArchivingFtpSensor,
        ArchivingLocalFilesSensor,
        ArchivingObjectStoreSensor,
        ArchivingSftpSensor,
    )
    from platform_ops.sources.http import ArchivingHttpOperator
    from platform_ops.sources.kafka import ArchivingKafkaOperator
    from platform_ops.sources.mail import ArchivingImapOperator
    from platform_ops.sources.mysql import ArchivingMySqlHook
    from platform_ops.sources.postgres import ArchivingPostgresHook
    from platform_ops.sources.sql import ArchivingSqlOperator, ArchivingSqlToSqlOperator
    from platform_ops.sources.sqlite import ArchivingSqliteHook
    from platform_ops.sources.tables.partitions import partitions
    from platform_ops.sources.web.export import ArchivingHttpExportOperator
    from platform_ops.sources.web.graphql import GraphQLCursor
    from platform_ops.sources.web.hook import ArchivingHttpHook
    from platform_ops.sources.web.job import Export
    from platform_ops.sources.web.limits import Limits
    from platform_ops.sources.web.paging import (
        Cursor,
        JsonLink,
        LinkHeader,
        Offset,
        PageNumber,
    )
    from platform_ops.sources.web.sensor import ArchivingHttpSensor
    from platform_ops.sources.web.since import Since

__all__ = [
    "ArchiveConflict",
    "ArchiveCorrupt",
    "ArchiveError",
    "ArchivingDuckDbHook",
    "ArchivingFtpOperator",
    "ArchivingFtpSensor",
    "ArchivingHttpExportOperator",
    "ArchivingHttpHook",
    "ArchivingHttpOperator",
    "ArchivingHttpSensor",
    "ArchivingImapOperator",
    "ArchivingKafkaOperator",
    "ArchivingLocalFilesOperator",
    "ArchivingLocalFilesSensor",
    "ArchivingMySqlHook",
    "ArchivingObjectStoreOperator",
    "ArchivingObjectStoreSensor",
    "ArchivingOperator",
    "ArchivingPostgresHook",
    "ArchivingSftpOperator",
    "ArchivingSftpSensor",
    "ArchivingSqlOperator",
    "ArchivingSqlToSqlOperator",
    "ArchivingSqliteHook",
    "ConfigError",
    "Cursor",
    "Entity",
    "Export",
    "GraphQLCursor",
    "JsonLink",
    "Limits",
    "LinkHeader",
    "Manifest",
    "NotArchived",
    "Offset",
    "Origin",
    "PageNumber",
    "Part",
    "PlatformError",
    "Reference",
    "RunIdentity",
    "Since",
    "Slot",
    "SourceError",
    "archive",
    "archive_session",
    "asset",
    "partitions",
]

__version__: Final = "0.1.0"

_HOMES: Final = {
    "platform_ops.archive": ("archive",),
    "platform_ops.entity": (
        "Entity",
        "Manifest",
        "Origin",
        "Part",
        "Reference",
        "RunIdentity",
        "Slot",
    ),
    "platform_ops.errors": (
        "ArchiveConflict",
        "ArchiveCorrupt",
        "ArchiveError",
        "ConfigError",
        "NotArchived",
        "PlatformError",
        "SourceError",
    ),
    "platform_ops.ingest": ("ArchivingOperator", "archive_session", "asset"),
    "platform_ops.sources.duckdb": ("ArchivingDuckDbHook",),
    "platform_ops.sources.http": ("ArchivingHttpOperator",),
    "platform_ops.sources.web.export": ("ArchivingHttpExportOperator",),
    "platform_ops.sources.web.job": ("Export",),
    "platform_ops.sources.web.graphql": ("GraphQLCursor",),
    "platform_ops.sources.web.hook": ("ArchivingHttpHook",),
    "platform_ops.sources.web.sensor": ("ArchivingHttpSensor",),
    "platform_ops.sources.web.since": ("Since",),
    "platform_ops.sources.web.limits": ("Limits",),
    "platform_ops.sources.kafka": ("ArchivingKafkaOperator",),
    "platform_ops.sources.mail": ("ArchivingImapOperator",),
    "platform_ops.sources.mysql": ("ArchivingMySqlHook",),
    "platform_ops.sources.web.paging": (
        "Cursor",
        "JsonLink",
        "LinkHeader",
        "Offset",
        "PageNumber",
    ),
    "platform_ops.sources.folders.sensors": (
        "ArchivingFtpSensor",
        "ArchivingLocalFilesSensor",
        "ArchivingObjectStoreSensor",
        "ArchivingSftpSensor",
    ),
    "platform_ops.sources.files": (
        "ArchivingFtpOperator",
        "ArchivingLocalFilesOperator",
        "ArchivingObjectStoreOperator",
        "ArchivingSftpOperator",
    ),
    "platform_ops.sources.tables.partitions": ("partitions",),
    "platform_ops.sources.postgres": ("ArchivingPostgresHook",),
    "platform_ops.sources.sql": ("ArchivingSqlOperator", "ArchivingSqlToSqlOperator"),
    "platform_ops.sources.sqlite": ("ArchivingSqliteHook",),
}


if not TYPE_CHECKING:  # a checker would take every name for one of this package
    __getattr__, __dir__ = deferred(__name__, _HOMES)
