"""What leaves the archive: revisions as a bag, and what a witness keeps of it elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from platform_ops import archive
from platform_ops.archive.stores import store as stores
from platform_ops.archive.stores.store import locate
from platform_ops.errors import ConfigError, NotArchived
from platform_ops.ingest import site_settings
from platform_ops.ingest.failure import no_vain_retry
from platform_ops.maintenance.terms import moment_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from platform_ops.settings import Settings

__all__ = ["ArchiveExportOperator", "ArchiveWitnessOperator"]

_LINES: Final = 4096


class ArchiveExportOperator(BaseOperator):
    """Write revisions as a BagIt bag (RFC 8493) into a new folder of the worker.

    A selection that is empty makes no bag, and skips the task.

    :param folder: Where; it appears once the bag is whole.
    :param entity: Only its revisions, as ``source.name``; every entity's otherwise.
    :param since: Slots from this time on, ISO 8601 with a zone.
    :param until: Slots before this time.
    :raises ConfigError: The folder is there already, or a time is none or has no zone.
    :raises ArchiveCorrupt: A payload is not what was committed; there is no bag then.
    """

    template_fields: Sequence[str] = ("folder", "entity", "since", "until")

    def __init__(
        self,
        *,
        folder: str,
        entity: str | None = None,
        since: str | None = None,
        until: str | None = None,
        **kwargs: Any,  # Any: as above
    ) -> None:
        super().__init__(**kwargs)
        self.folder = folder
        self.entity = entity
        self.since = since
        self.until = until

    def execute(self, context: Context) -> str:  # noqa: ARG002  # the base class's signature
        """Write it; the folder's path goes to XCom."""
        with no_vain_retry():
            since = moment_of("since", self.since) if self.since else None
            until = moment_of("until", self.until) if self.until else None
            try:
                bag = archive.export(
                    self.folder, self.entity, since, until, settings=site_settings()
                )
            except NotArchived as err:
                raise AirflowSkipException(str(err)) from err
        self.log.info("%s: %d revisions, %d bytes", bag.path, bag.manifests, bag.size_bytes)
        return str(bag.path)


class ArchiveWitnessOperator(BaseOperator):
    """Write the newest manifest of every slot, with its digest, to a place of its own.

    The list is what ``platform-ops archive witness`` prints, and what ``verify --against`` takes; none is
    ever written over. Without a folder the task is skipped.

    :param folder: Where whoever writes the archive cannot write: an absolute path, or a URL of ``file``,
        ``s3``, ``gs`` or ``abfs``.
    :param name: Of the file; by default each try has one of its own.
    :param conn_id: Airflow's connection to that place, with other credentials than the archive's; those
        of the environment without one.
    :param prefix: The shard, such as ``v1/weather``; all of the archive where empty.
    :raises ConfigError: There is such a file already, or the folder is of no known kind.
    :raises ArchiveUnavailable: One of both stores is out of reach.
    """

    template_fields: Sequence[str] = ("folder", "name", "conn_id", "prefix")

    def __init__(
        self,
        *,
        folder: str,
        name: str = "heads-{{ ts_nodash }}-{{ ti.try_number }}.jsonl",
        conn_id: str | None = None,
        prefix: str = "",
        **kwargs: Any,  # Any: as above
    ) -> None:
        super().__init__(**kwargs)
        self.folder = folder
        self.name = name
        self.conn_id = conn_id
        self.prefix = prefix

    def execute(self, context: Context) -> dict[str, str | int]:  # noqa: ARG002  # the base class's signature
        """Write it; its URL, how many slots it names and its SHA-256 go to XCom."""
        if not self.folder:
            raise AirflowSkipException("no folder: set one where the list is to be kept")
        with no_vain_retry():
            site = site_settings()
            folder = self.folder.rstrip("/")
            root = f"file://{folder}" if self.folder.startswith("/") else folder
            store = stores.at(root, self.conn_id or None)
            if not self.name or "/" in self.name:
                raise ConfigError(f"name={self.name!r} is no file's; give one such as heads.jsonl")
            url = locate(store, self.name)
            if store.stat(self.name) is not None:
                raise ConfigError(
                    f"{url} is there already, and no list is written over; give each try a name of "
                    "its own, as by {{ ts_nodash }}-{{ ti.try_number }}"
                )
            told = _Told()
            store.upload(self.name, told.chunks(self.prefix, site))
        self.log.info("%s: %d slots, SHA-256 %s", url, told.slots, told.sha256.hexdigest())
        return {"url": url, "slots": told.slots, "sha256": told.sha256.hexdigest()}


class _Told:
    """A list, as it is written."""

    def __init__(self) -> None:
        self.slots = 0
        self.sha256 = hashlib.sha256()

    def chunks(self, prefix: str, site: Settings) -> Iterator[bytes]:
        found = archive.witness(prefix, site)
        while heads := list(islice(found, _LINES)):
            chunk = "".join(f"{head.to_json()}\n" for head in heads).encode()
            self.slots += len(heads)
            self.sha256.update(chunk)
            yield chunk
