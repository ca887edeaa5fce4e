"""Waiting for files: SFTP, FTP, object stores, local folders. Vendor page: https://www.rfc-editor.org/rfc/rfc3659."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowFailException

from platform_ops.entity import Entity
from platform_ops.errors import PlatformError, SourceUnavailable
from platform_ops.sources.folders.pickup import Checksum, Readiness, Watch
from platform_ops.sources.folders.reach import Protocol
from platform_ops.sources.folders.triggers import FilesTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = [
    "ArchivingFtpSensor",
    "ArchivingLocalFilesSensor",
    "ArchivingObjectStoreSensor",
    "ArchivingSftpSensor",
]


class FilesSensor(BaseSensorOperator):
    """Wait until a folder holds a file that is new to the entity, and whole.

    It waits in the triggerer, where it takes no worker's slot; with ``deferrable=False`` in a worker.

    :param entity: What arrives, as ``source.name``: its manifests say which versions came before.
    :param folder: Where the files are, as the operator that fetches them has it.
    :param files: A name, or a pattern as in a shell.
    :param regex: Instead of ``files``: a regular expression for the whole path below ``folder``.
    :param new_only: Whether versions that the entity holds already do not count.
    :param stable_s: Seconds through which size and time must stay as they are.
    :param done: Marker without which a file does not count, for instance ``{name}.done``.
    :param checksum: ``sha256`` or ``md5``: a file counts once ``<name>.sha256`` lies beside it.
    :param deferrable: Whether to wait in the triggerer.
    :raises SourceRejected: The source refuses the login, or its key or certificate is not the right one.
    """

    template_fields: Sequence[str] = ("folder", "files", "regex", "done")
    ui_color = "#dcfce7"
    protocol: ClassVar[Protocol]

    def __init__(
        self,
        *,
        entity: str,
        folder: str,
        files: str = "*",
        regex: str | None = None,
        new_only: bool = True,
        stable_s: float = 0.0,
        done: str | None = None,
        checksum: Checksum | None = None,
        deferrable: bool = True,
        **kwargs: Any,  # Any: BaseSensorOperator's own arguments
    ) -> None:
        super().__init__(**kwargs)
        Entity.parse(entity)
        Readiness(stable_s, done, checksum)
        self.entity = entity
        self.folder = folder
        self.files = files
        self.regex = regex
        self.new_only = new_only
        self.stable_s = stable_s
        self.done = done
        self.checksum = checksum
        self.deferrable = deferrable

    @property
    @abstractmethod
    def source_conn_id(self) -> str | None:
        """Id of the connection that leads to the source."""

    @cached_property
    def trigger(self) -> FilesTrigger:
        """What looks, in the triggerer or here."""
        return FilesTrigger(
            protocol=self.protocol,
            entity=self.entity,
            folder=self.folder,
            conn_id=self.source_conn_id,
            files=self.files,
            regex=self.regex,
            new_only=self.new_only,
            stable_s=self.stable_s,
            done=self.done,
            checksum=self.checksum,
            poke_interval_s=self.poke_interval,
        )

    def execute(self, context: Context) -> Any:  # Any: as in BaseSensorOperator
        """Look once, and wait where nothing is there yet."""
        if not self.deferrable:
            return super().execute(context)
        if self.stable_s or not self.poke(context):
            self.defer(
                trigger=self.trigger,
                method_name="execute_complete",
                timeout=timedelta(seconds=self.timeout),
            )
        return None

    def poke(self, context: Context) -> bool:  # noqa: ARG002  # the base class's signature
        """Whether a file is there, new and whole."""
        try:
            return self.trigger.look(self._watch) > 0
        except SourceUnavailable as err:
            self.log.warning("%s", err)
            return False
        except PlatformError as err:
            if err.retryable:
                raise
            raise AirflowFailException(f"{type(err).__name__}: {err}") from err

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:  # noqa: ARG002  # Any: the trigger's event
        """Go on once the trigger fired.

        :raises AirflowFailException: The source refused.
        """
        if "error" in event:
            raise AirflowFailException(event["error"])
        self.log.info("%d new files for %s", event["files"], self.entity)

    @cached_property
    def _watch(self) -> Watch:
        return self.trigger.watch()


class ArchivingSftpSensor(FilesSensor):
    """Wait until an SFTP server has a file that is new to the entity, and whole.

    :param sftp_conn_id: Connection of Airflow's type ``sftp``.
    """

    protocol = "sftp"

    def __init__(
        self, *, sftp_conn_id: str = "sftp_default", **kwargs: Any
    ) -> None:  # Any: FilesSensor's own arguments
        super().__init__(**kwargs)
        self.sftp_conn_id = sftp_conn_id

    @property
    def source_conn_id(self) -> str | None:
        return self.sftp_conn_id


class ArchivingFtpSensor(FilesSensor):
    """Wait until an FTP or FTPS server has a file that is new to the entity, and whole.

    :param ftp_conn_id: Connection of Airflow's type ``ftp`` or ``ftps``.
    """

    protocol = "ftp"

    def __init__(
        self, *, ftp_conn_id: str = "ftp_default", **kwargs: Any
    ) -> None:  # Any: FilesSensor's own arguments
        super().__init__(**kwargs)
        self.ftp_conn_id = ftp_conn_id

    @property
    def source_conn_id(self) -> str | None:
        return self.ftp_conn_id


class ArchivingObjectStoreSensor(FilesSensor):
    """Wait until a bucket has an object that is new to the entity.

    ``folder`` is a URL such as ``s3://exchange/incoming``.

    :param conn_id: Connection of type ``aws``, ``google_cloud_platform`` or ``wasb``; the environment's
        credentials, or the machine's own, where unset.
    """

    protocol = "bucket"

    def __init__(
        self, *, conn_id: str | None = None, **kwargs: Any
    ) -> None:  # Any: FilesSensor's own arguments
        super().__init__(**kwargs)
        self.conn_id = conn_id

    @property
    def source_conn_id(self) -> str | None:
        return self.conn_id


class ArchivingLocalFilesSensor(FilesSensor):
    """Wait until a folder of this machine has a file that is new to the entity, and whole.

    The triggerer has to see the folder too; where only the worker does, set ``deferrable=False``.

    :param fs_conn_id: Connection of Airflow's type ``fs``, whose path ``folder`` is relative to.
    """

    protocol = "local"

    def __init__(
        self, *, fs_conn_id: str | None = None, **kwargs: Any
    ) -> None:  # Any: FilesSensor's own arguments
        super().__init__(**kwargs)
        self.fs_conn_id = fs_conn_id

    @property
    def source_conn_id(self) -> str | None:
        return self.fs_conn_id
