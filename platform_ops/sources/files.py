"""Files of servers, buckets and folders. Vendor page: https://www.rfc-editor.org/rfc/rfc4251 (SSH).

One operator a protocol over one way of fetching files: each version of a file once, whole or not at all,
and what happens to it at the source only after the commit (ADR 0022).
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from posixpath import basename
from typing import TYPE_CHECKING, Any, Final, Literal

from platform_ops import archive
from platform_ops.entity import Entity
from platform_ops.errors import ConfigError, NotArchived
from platform_ops.ingest import ArchivingOperator, site_settings, slot_of
from platform_ops.settings.choices import require_known
from platform_ops.sources.nothing import OnNothing, nothing_new

if TYPE_CHECKING:
    from airflow.sdk import Context

    from platform_ops.entity import Manifest, Part
    from platform_ops.sources.folders import Folder, RemoteFile
    from platform_ops.sources.folders.members import MemberLimits
    from platform_ops.sources.folders.pickup import Checksum, Readiness, Transfer
    from platform_ops.sources.folders.selection import Selection

__all__ = [
    "ArchivingFtpOperator",
    "ArchivingLocalFilesOperator",
    "ArchivingObjectStoreOperator",
    "ArchivingSftpOperator",
]

log = logging.getLogger("platform_ops.sources.files")

After = Literal["leave", "move", "delete"]
_LISTED: Final = "LIST"
"""The method in the origin of an archive's list, which stands for no file."""


class FilesOperator(ArchivingOperator):
    """Fetch the files of a folder that are new and whole, and archive them as they came.

    All files of one run make one revision, each under its path below ``folder``. Which versions were
    archived before is known from the manifests, so that nothing has to be kept at the source or in
    Airflow: a file counts as new where path, size, time or ETag differ from all that came before. A line
    that breaks is taken up where it broke; a file that changes while it is read is refused.

    :param folder: Where the files are; relative to where the login starts.
    :param files: A name, or a pattern as in a shell: ``orders-*.csv``, or ``**/*.csv`` for subfolders
        too. Hidden files are meant only where their dot is written.
    :param regex: Instead of ``files``: a regular expression for the whole path below ``folder``.
    :param new_only: Whether versions that the entity holds already are passed over. Without it every
        run fetches what is there, as a stock transfer does.
    :param stable_s: Seconds through which size and time must stay as they are before a file is taken.
    :param done: Marker without which a file is not taken, for instance ``{name}.done`` or ``_SUCCESS``;
        ``{stem}`` is the name up to its first dot.
    :param checksum: ``sha256`` or ``md5``: a file is taken once ``<name>.sha256`` lies beside it, and
        only if its bytes are what that says.
    :param after: What becomes of a file at the source once it is committed: ``leave``, ``move`` or
        ``delete``, its marker and checksum with it. One that has changed since is left alone.
    :param move_to: The folder for ``move``.
    :param on_nothing: Where no new file is there: ``unchanged`` refers to the newest revision, and fails
        where there is none yet; ``skip`` the task, ``fail`` so that it is tried again, or ``accept`` by
        an empty revision.
    :param max_bytes: Largest file that is taken; a larger one fails the task before it is read.
    :param list_members: Whether names and sizes of what is in a ZIP or tar are archived beside it. One
        that is a bomb, or would unpack outside its folder, is refused; a
        ``platform_ops.sources.folders.members.MemberLimits`` says from where on.
    :param attempts: Times that a line may break with no byte come over it, before Airflow has to retry.
    :raises SourceRejected: Login, host key, certificate or permission refused; a file too large; a name
        that leaves its folder; an archive that is a bomb.
    :raises SourceUnavailable: Out of reach, silent for a minute, or nothing there yet.
    :raises SourceTruncated: A file ended too early.
    :raises SourceChanged: A file changed while it was read, or is not what its checksum says.
    :raises ExtraMissing: The protocol's library is not installed.
    """

    template_fields: Sequence[str] = (
        *ArchivingOperator.template_fields,
        "folder",
        "files",
        "regex",
        "done",
        "move_to",
    )
    ui_color = "#dcfce7"

    def __init__(  # noqa: PLR0913  # each is a word of what the business says of its files
        self,
        *,
        folder: str,
        files: str = "*",
        regex: str | None = None,
        new_only: bool = True,
        stable_s: float = 0.0,
        done: str | None = None,
        checksum: Checksum | None = None,
        after: After = "leave",
        move_to: str | None = None,
        on_nothing: OnNothing = "unchanged",
        max_bytes: int | None = None,
        list_members: bool | MemberLimits = False,
        attempts: int = 3,
        **kwargs: Any,  # Any: ArchivingOperator's own arguments
    ) -> None:
        super().__init__(**kwargs)
        require_known(after=(after, After), on_nothing=(on_nothing, OnNothing))
        if (after == "move") is (move_to is None):
            raise ConfigError(f"after={after!r}: move_to= belongs to after='move', and to no other")
        self.folder = folder
        self.files = files
        self.regex = regex
        self.new_only = new_only
        self.stable_s = stable_s
        self.done = done
        self.checksum = checksum
        self.after = after
        self.move_to = move_to
        self.on_nothing = on_nothing
        self.max_bytes = max_bytes
        self.list_members = list_members
        self.attempts = attempts

    @abstractmethod
    def reach(self) -> tuple[Folder, str]:
        """The source, and ``folder`` as a path there."""

    def fetch(self, context: Context) -> Iterator[Part]:
        """One part for each file that is new and whole, oldest first."""
        from platform_ops.sources.folders import pickup
        from platform_ops.sources.folders.selection import Selection

        source, below = self.reach()
        with closing(source):
            selection = Selection(source.absolute(below), self.files, self.regex)
            found = pickup.ready(source, selection, self._readiness, self._skipped(source))
            new = self._new(context, source, found)
            held = self._held(context) if self.new_only else None
            if not new:
                what = f"no new file {self.regex or self.files!r} in {self.folder!r}"
                yield from nothing_new(self, self.on_nothing, what, held)
                return
            transfers = [self._transfer(source, each, selection) for each in new]
            if held is not None:
                yield from _carried(held, {each.name for each in transfers})
            for transfer in transfers:
                yield from self._parts(transfer)

    def acknowledge(self, context: Context, manifest: Manifest) -> None:  # noqa: ARG002  # the base class's signature
        """Move or delete what the revision holds, where it still is the version that was taken."""
        from platform_ops.sources.folders import shown

        if self.after == "leave":
            return
        source, below = self.reach()
        with closing(source):
            top = source.absolute(below)
            for body in archive.bodies(manifest, site_settings()):
                path = source.path_of(body.origin.url)
                if path is None or body.origin.method == _LISTED:
                    continue
                now = source.stat(path)
                if now is not None and source.version(now) == body.origin.fingerprint:
                    self._settle(source, now, top)
                elif now is not None:
                    log.warning("%s changed after it was archived; left as it is", shown(path))

    @property
    def _readiness(self) -> Readiness:
        from platform_ops.sources.folders.pickup import Readiness

        return Readiness(self.stable_s, self.done, self.checksum)

    def _skipped(self, source: Folder) -> list[str]:
        return [source.absolute(self._target(self.move_to))] if self.move_to else []

    def _target(self, folder: str) -> str:
        """A folder's name as a path of the source's."""
        return folder

    def _new(self, context: Context, source: Folder, found: list[RemoteFile]) -> list[RemoteFile]:
        from platform_ops.runconf import Wish
        from platform_ops.sources.folders import pickup

        entity, site = Entity.parse(self.entity), site_settings()
        wish = Wish.of(context["dag_run"].conf, self.mode, site, entity)
        if not self.new_only or wish.mode == "refetch":
            return found
        new = pickup.unknown(source, found, entity, site)
        if self.after != "leave":
            # Committed by an earlier run, whose acknowledgement did not get through.
            top, fresh = source.absolute(self.reach()[1]), {each.path for each in new}
            for each in found:
                if each.path not in fresh:
                    self._settle(source, each, top)
        return new

    def _held(self, context: Context) -> Manifest | None:
        """What the run's slot holds already: a further revision of it holds that as well."""
        slot = slot_of(context, Entity.parse(self.entity), self.partition_key, self.map_key)
        try:
            return archive.newest(slot, settings=site_settings())
        except NotArchived:
            return None

    def _transfer(self, source: Folder, file: RemoteFile, selection: Selection) -> Transfer:
        from platform_ops.sources.folders.pickup import Transfer

        return Transfer(
            source,
            file,
            selection.relative(file.path) or basename(file.path),
            Entity.parse(self.entity),
            attempts=self.attempts,
            max_bytes=self.max_bytes,
            checksum=self.checksum,
        )

    def _parts(self, transfer: Transfer) -> Iterator[Part]:
        from platform_ops.entity import Part
        from platform_ops.sources.folders.members import Listing, MemberLimits, is_listed

        part = transfer.part()
        if not self.list_members or not is_listed(part.name):
            yield part
            return
        limits = (
            self.list_members if isinstance(self.list_members, MemberLimits) else MemberLimits()
        )
        listing = Listing(part.name, limits)
        yield replace(part, body=listing.watch(transfer.body()))
        log.info("%s holds %d members", part.name, len(listing.members))
        yield Part(
            name=f"{part.name}.members.jsonl",
            body=listing.lines(),
            origin=replace(part.origin, method=_LISTED, fingerprint=None, headers={}),
            media_type="application/x-ndjson",
            rows=len(listing.members),
        )

    def _settle(self, source: Folder, file: RemoteFile, top: str) -> None:
        """Move or delete a file that is committed, and what lies beside it for its sake."""
        from platform_ops.sources.folders import shown

        own = [
            each for each in self._readiness.companions(file.path) if basename(file.path) in each
        ]
        for path in (file.path, *own):
            if self.move_to is None:
                source.delete(path)
            elif path == file.path or source.stat(path):
                folder = source.absolute(self._target(self.move_to)).rstrip("/")
                target = f"{folder}/{path.removeprefix(top).lstrip('/')}"
                if source.stat(target) is not None:  # an earlier version: keep it
                    target += f".{source.version(file)[:12]}"
                source.move(path, target)
        done = "moved" if self.move_to is not None else "deleted"
        log.info("%s %s at the source", shown(basename(file.path)), done)


class ArchivingSftpOperator(FilesOperator):
    """Fetch new files over SFTP, each version once, and archive them as they came.

    :param sftp_conn_id: Connection of Airflow's type ``sftp``. Its extra names the server by
        ``host_key``; a server with another key is refused.
    """

    template_fields: Sequence[str] = (*FilesOperator.template_fields, "sftp_conn_id")

    def __init__(
        self, *, sftp_conn_id: str = "sftp_default", **kwargs: Any
    ) -> None:  # Any: FilesOperator's own arguments
        super().__init__(**kwargs)
        self.sftp_conn_id = sftp_conn_id

    def reach(self) -> tuple[Folder, str]:
        from platform_ops.sources.folders.reach import reach_sftp

        return reach_sftp(self.folder, self.sftp_conn_id)


class ArchivingFtpOperator(FilesOperator):
    """Fetch new files over FTP or FTPS, each version once, and archive them as they came.

    :param ftp_conn_id: Connection of Airflow's type ``ftp``; or ``ftps``, whose certificate is checked.
    """

    template_fields: Sequence[str] = (*FilesOperator.template_fields, "ftp_conn_id")

    def __init__(
        self, *, ftp_conn_id: str = "ftp_default", **kwargs: Any
    ) -> None:  # Any: FilesOperator's own arguments
        super().__init__(**kwargs)
        self.ftp_conn_id = ftp_conn_id

    def reach(self) -> tuple[Folder, str]:
        from platform_ops.sources.folders.reach import reach_ftp

        return reach_ftp(self.folder, self.ftp_conn_id)


class ArchivingObjectStoreOperator(FilesOperator):
    """Fetch new objects of S3, Google Cloud Storage or Azure, each version once, as they came.

    ``folder`` is a URL such as ``s3://exchange/incoming``, and ``move_to`` a prefix of the same bucket.

    :param conn_id: Connection of type ``aws``, ``google_cloud_platform`` or ``wasb``; the environment's
        credentials, or the machine's own, where unset.
    """

    template_fields: Sequence[str] = (*FilesOperator.template_fields, "conn_id")

    def __init__(
        self, *, conn_id: str | None = None, **kwargs: Any
    ) -> None:  # Any: FilesOperator's own arguments
        super().__init__(**kwargs)
        self.conn_id = conn_id

    def reach(self) -> tuple[Folder, str]:
        from platform_ops.sources.folders.reach import reach_bucket

        return reach_bucket(self.folder, self.conn_id)

    def _target(self, folder: str) -> str:
        return (
            folder.partition("://")[2].partition("/")[2] if "://" in folder else folder.strip("/")
        )


class ArchivingLocalFilesOperator(FilesOperator):
    """Take new files of a folder of the worker's, each version once, and archive them as they came.

    Symbolic links are left alone, since they may lead anywhere.

    :param fs_conn_id: Connection of Airflow's type ``fs``, whose path ``folder`` is relative to.
    """

    template_fields: Sequence[str] = (*FilesOperator.template_fields, "fs_conn_id")

    def __init__(
        self, *, fs_conn_id: str | None = None, **kwargs: Any
    ) -> None:  # Any: FilesOperator's own arguments
        super().__init__(**kwargs)
        self.fs_conn_id = fs_conn_id

    def reach(self) -> tuple[Folder, str]:
        from platform_ops.sources.folders.reach import reach_local

        return reach_local(self.folder, self.fs_conn_id)

    def _target(self, folder: str) -> str:
        from platform_ops.sources.folders.reach import reach_local

        return reach_local(folder, self.fs_conn_id)[1]


def _carried(held: Manifest, replaced: set[str]) -> Iterator[Part]:
    """The bodies of the slot's revision before, which the store need not take once more."""
    from platform_ops.entity import Part
    from platform_ops.sources.folders.selection import safe_name

    new = {safe_name(each) for each in replaced}
    for body in archive.bodies(held, site_settings()):
        if body.name in new or body.name.removesuffix(".members.jsonl") in new:
            continue
        with body.open() as stream:
            yield Part(
                name=body.name,
                body=iter(partial(stream.read, 1 << 20), b""),
                origin=body.origin,
                media_type=body.media_type,
                codec=body.codec,
                size_bytes=body.size_bytes,
                rows=body.rows,
            )
