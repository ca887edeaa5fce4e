"""From a connection to the folder behind it; what a protocol needs is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from platform_ops.credentials import store_options
from platform_ops.errors import ConfigError, ExtraMissing
from platform_ops.ingest import connection
from platform_ops.sources.folders import Folder
from platform_ops.sources.folders.local import LocalFolder

if TYPE_CHECKING:
    from airflow.sdk import Connection

__all__ = ["Protocol", "reach", "reach_bucket", "reach_ftp", "reach_local", "reach_sftp"]

Protocol = Literal["sftp", "ftp", "bucket", "local"]


def reach(protocol: Protocol, folder: str, conn_id: str | None) -> tuple[Folder, str]:
    """The source, and the folder as a path there."""
    return _REACH[protocol](folder, conn_id)


def reach_sftp(folder: str, conn_id: str | None) -> tuple[Folder, str]:
    """The server of a connection, and the folder as it is named there."""
    try:
        from platform_ops.sources.folders.sftp import SftpFolder
    except ModuleNotFoundError as err:
        raise ExtraMissing("asyncssh", "sftp", "fetching over SFTP") from err
    return SftpFolder(_needed(conn_id)), folder


def reach_ftp(folder: str, conn_id: str | None) -> tuple[Folder, str]:
    """The server of a connection, and the folder as it is named there."""
    try:
        from platform_ops.sources.folders.ftp import FtpFolder
    except ModuleNotFoundError as err:
        library = "apache-airflow-providers-ftp"
        raise ExtraMissing(library, "ftp", "fetching over FTP") from err
    return FtpFolder(_needed(conn_id)), folder


def reach_bucket(folder: str, conn_id: str | None) -> tuple[Folder, str]:
    """The bucket that a URL names, and the prefix in it."""
    from platform_ops.sources.folders.objects import ObjectFolder, bucket_of

    bucket, prefix = bucket_of(folder)
    scheme = bucket.partition("://")[0]
    options = store_options(connection(conn_id), scheme, "conn_id") if conn_id else {}
    return ObjectFolder(bucket, options, conn_id), prefix


def reach_local(folder: str, conn_id: str | None) -> tuple[Folder, str]:
    """The machine itself, and the whole path of a folder of it."""
    base = connection(conn_id).extra_dejson.get("path", "") if conn_id else ""
    path = Path(base, folder).absolute()
    return LocalFolder(), str(path)


def _needed(conn_id: str | None) -> Connection:
    if not conn_id:
        raise ConfigError("a server is reached by a connection; give its id")
    return connection(conn_id)


_REACH: Final[Mapping[Protocol, Callable[[str, str | None], tuple[Folder, str]]]] = {
    "sftp": reach_sftp,
    "ftp": reach_ftp,
    "bucket": reach_bucket,
    "local": reach_local,
}
