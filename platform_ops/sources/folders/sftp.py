"""A folder behind SFTP, through asyncssh as Airflow's own hook sets it up.

Source: https://asyncssh.readthedocs.io/en/latest/api.html#sftp-support
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from posixpath import dirname
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncssh
from airflow.providers.sftp.hooks.sftp import SFTPHookAsync

from platform_ops.errors import ConfigError, SourceError, SourceRejected, SourceUnavailable
from platform_ops.sources.folders import TIMEOUT_S, Folder, RemoteFile, child, shown
from platform_ops.sources.folders.readahead import ReadAhead

if TYPE_CHECKING:
    from airflow.sdk import Connection

__all__ = ["SftpFolder"]

Result = TypeVar("Result")

if not logging.getLogger("asyncssh").level:
    # It tells of each packet's fate, in a task's log; a site that sets a level of its own keeps it.
    logging.getLogger("asyncssh").setLevel(logging.WARNING)

_CIPHERS: Final = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
"""First of what is offered: processors have AES built in, and ChaCha20 costs a fifth of the speed."""
_MISSING: Final = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)


class SftpFolder(Folder):
    """Files that an SSH server serves.

    :param connection: Of Airflow's type ``sftp``: user, password or key, and how the host is known.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(f"sftp://{connection.host}:{connection.port or 22}")
        self._given, self._conn_id = connection, connection.conn_id
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ssh: asyncssh.SSHClientConnection | None = None
        self._sftp: asyncssh.SFTPClient | None = None
        self._home = "/"

    def absolute(self, path: str) -> str:
        if path.startswith("/"):
            return path
        self._do(path, self._client())
        return f"{self._home.rstrip('/')}/{path}".removesuffix("/.") or "/"

    def files(self, below: str, *, deep: bool) -> Iterator[RemoteFile]:
        for entry in self._do(below, self._listed(below)):
            name, mode = str(entry.filename), entry.attrs.permissions or 0
            if name in (".", ".."):
                continue
            path = child(below, name)
            if S_ISDIR(mode):
                if deep:
                    yield from self.files(path, deep=True)
            elif S_ISREG(mode):
                yield _file(path, entry.attrs)
            elif found := self.stat(path):  # a link, or a server that does not tell what it is
                yield found

    def stat(self, path: str) -> RemoteFile | None:
        attributes = self._do(path, self._attributes(path))
        if attributes is None or not S_ISREG(attributes.permissions or 0o100000):
            return None
        return _file(path, attributes)

    def read(self, file: RemoteFile, offset: int = 0) -> Iterator[bytes]:
        if offset >= file.size_bytes:
            return
        ahead = self._do(file.path, self._ahead(file, offset))
        coming = self._start(ahead.block())
        try:
            while pieces := self._wait(file.path, coming):
                coming = self._start(ahead.block())
                yield from pieces
        finally:
            coming.cancel()
            if self._sftp is not None:
                with suppress(SourceError):
                    self._do(file.path, ahead.stop())

    def move(self, path: str, target: str) -> None:
        self._do(path, self._moved(path, target))

    def delete(self, path: str) -> None:
        self._do(path, self._removed(path))

    def close(self) -> None:
        ssh, loop, thread = self._ssh, self._loop, self._thread
        self._ssh = self._sftp = self._loop = self._thread = None
        if loop is None or thread is None:
            return
        if ssh is not None:
            loop.call_soon_threadsafe(ssh.abort)
            with suppress(Exception):  # it is of no use any more, and its end was reported
                asyncio.run_coroutine_threadsafe(ssh.wait_closed(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    async def _client(self) -> asyncssh.SFTPClient:
        if self._sftp is None:
            self._ssh = await _Hook(str(self._conn_id)).connected(self._given)
            self._sftp = await self._ssh.start_sftp_client(path_errors="surrogateescape")
            self._home = str(await self._sftp.realpath("."))
        return self._sftp

    async def _listed(self, path: str) -> list[asyncssh.SFTPName]:
        client = await self._client()
        try:
            return [entry async for entry in client.scandir(path)]
        except _MISSING:
            return []

    async def _attributes(self, path: str) -> asyncssh.SFTPAttrs | None:
        client = await self._client()
        try:
            return await client.stat(path)
        except _MISSING:
            return None

    async def _ahead(self, file: RemoteFile, offset: int) -> ReadAhead:
        client = await self._client()
        handle = await client.open(file.path, "rb", block_size=0)
        piece_bytes = client.limits.max_read_len
        return ReadAhead(handle, (offset, file.size_bytes), piece_bytes, TIMEOUT_S)

    async def _moved(self, path: str, target: str) -> None:
        client = await self._client()
        await client.makedirs(dirname(target), exist_ok=True)
        await client.rename(path, target)

    async def _removed(self, path: str) -> None:
        client = await self._client()
        with suppress(*_MISSING):
            await client.remove(path)

    def _do(self, path: str, work: Coroutine[Any, Any, Result]) -> Result:  # Any: a coroutine's own
        done: Result = self._wait(path, self._start(asyncio.wait_for(work, TIMEOUT_S)))
        return done

    def _start(self, work: Coroutine[Any, Any, Result]) -> Any:  # Any: a future of either kind
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _wait(self, path: str, future: Any) -> Any:  # Any: whatever the work gives
        try:
            return future.result()
        except (asyncssh.Error, OSError, TimeoutError, ValueError) as err:
            error = self._error(path, err)
            if error.retryable:
                self.close()
            # Not from err where it may quote what the connection holds.
            raise error from None

    def _error(self, path: str, err: Exception) -> SourceError | ConfigError:
        named = {"address": self.address, "path": shown(path), "conn_id": repr(self._conn_id)}
        for kinds, error, message in _ERRORS:
            if isinstance(err, kinds):
                return error(message.format(**named, kind=type(err).__name__))
        return SourceUnavailable(f"{self.address} {shown(path)}: {type(err).__name__}")


class _Hook(SFTPHookAsync):
    """Airflow's own, for its reading of the connection; what it has read is put to use here."""

    async def connected(self, given: Connection) -> asyncssh.SSHClientConnection:
        self._parse_extras(given)
        options: dict[str, Any] = {}  # Any: asyncssh's options, as its own signature has them
        if self.private_key:
            key = asyncssh.import_private_key(self.private_key, self.passphrase)
            options["client_keys"] = [key]
        elif self.key_file:
            options["client_keys"] = self.key_file
        if self.passphrase:
            options["passphrase"] = self.passphrase
        return await asyncssh.connect(
            given.host or "",
            given.port or 22,
            username=given.login,
            password=given.password,
            encryption_algs=_CIPHERS,
            **options,
            **self._hosts(),
        )

    def _hosts(self) -> dict[str, Any]:  # Any: as above
        """Which hosts are known; asyncssh's own file where the connection names none."""
        known = self.known_hosts
        if known == "none":
            return {"known_hosts": None}
        default = str(Path(self.default_known_hosts).expanduser())
        if not known or (known == default and not Path(default).is_file()):
            return {}
        return {"known_hosts": known}


_ERRORS: Final[Sequence[tuple[Any, type[SourceError | ConfigError], str]]] = (  # Any: classes
    (
        asyncssh.HostKeyNotVerifiable,
        SourceRejected,
        (
            "{address}: its host key is not the one that connection {conn_id} names, or is not known; "
            "ask who runs the server, and only then correct host_key in the connection's extra"
        ),
    ),
    (
        asyncssh.PermissionDenied,
        SourceRejected,
        "{address}: refuses the login; check user, password or key of connection {conn_id}",
    ),
    (
        asyncssh.SFTPPermissionDenied,
        SourceRejected,
        "{address} {path}: permission denied; ask who runs the server for the right to it",
    ),
    (_MISSING, SourceUnavailable, "{address} {path}: is gone"),
    (
        (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.ConnectionLost),
        SourceUnavailable,
        "{address} {path}: the connection broke off",
    ),
    (asyncssh.SFTPError, SourceRejected, "{address} {path}: {kind}"),
    (TimeoutError, SourceUnavailable, f"{{address}} {{path}}: silent for {TIMEOUT_S:.0f} s"),
    (
        (ValueError, asyncssh.KeyImportError),
        ConfigError,
        (
            "connection {conn_id}: its extra cannot be used ({kind}); check host_key, "
            "no_host_key_check and private_key"
        ),
    ),
    (
        (asyncssh.ProtocolError, asyncssh.KeyExchangeFailed, asyncssh.ServiceNotAvailable),
        SourceRejected,
        "{address}: speaks another SSH than we do ({kind}); is it an SFTP server?",
    ),
)
"""Which of the library's errors are which of ours; the first that fits. All others may pass."""


def _file(path: str, attributes: asyncssh.SFTPAttrs) -> RemoteFile:
    modified = None
    if attributes.mtime is not None:
        moment = attributes.mtime + (attributes.mtime_ns or 0) // 1000 / 1e6
        modified = datetime.fromtimestamp(moment, UTC)
    return RemoteFile(path, attributes.size or 0, modified)
