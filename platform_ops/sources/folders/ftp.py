"""A folder behind FTP or FTPS, through Airflow's own hooks.

Source: RFC 959, RFC 3659 (SIZE, MDTM, MLSD, REST), RFC 4217 (TLS).
"""

from __future__ import annotations

import ftplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from posixpath import dirname
from typing import TYPE_CHECKING, Final

from airflow.providers.ftp.hooks.ftp import FTPHook, FTPSHook

from platform_ops.errors import SourceRejected, SourceTruncated, SourceUnavailable
from platform_ops.sources.folders import CHUNK_BYTES, TIMEOUT_S, Folder, RemoteFile, child, shown

if TYPE_CHECKING:
    from airflow.sdk import Connection

__all__ = ["FtpFolder"]

_BYTES: Final = "latin-1"
"""The coding that hands every byte of a name through, whatever the server means by it."""


class FtpFolder(Folder):
    """Files that an FTP server serves.

    :param connection: Of Airflow's type ``ftp``, or ``ftps`` for TLS from the login on.
    """

    def __init__(self, connection: Connection) -> None:
        self._secure = connection.conn_type == "ftps"
        scheme = "ftps" if self._secure else "ftp"
        super().__init__(f"{scheme}://{connection.host}:{connection.port or 21}")
        self._conn_id = str(connection.conn_id)
        self._ftp: ftplib.FTP | None = None
        self._machine_listing = True

    def absolute(self, path: str) -> str:
        if path.startswith("/"):
            return path
        with self._errors(path):
            home = _text(self._client().pwd())
        return f"{home.rstrip('/')}/{path}".removesuffix("/.") or "/"

    def files(self, below: str, *, deep: bool) -> Iterator[RemoteFile]:
        for path, found in self._listed(below):
            if found is not None:
                yield found
            elif deep:
                yield from self.files(path, deep=True)

    def stat(self, path: str) -> RemoteFile | None:
        with self._errors(path):
            client = self._client()
            try:
                client.voidcmd("TYPE I")  # SIZE counts other bytes in ASCII
                size = int(client.sendcmd(f"SIZE {_wire(path)}")[4:])
                time = client.sendcmd(f"MDTM {_wire(path)}")[4:]
            except ftplib.error_perm as err:
                if str(err).startswith("550"):
                    return None
                raise
        return RemoteFile(path, size, _time(time))

    def read(self, file: RemoteFile, offset: int = 0) -> Iterator[bytes]:
        left = file.size_bytes - offset
        with self._errors(file.path):
            client = self._client()
            client.voidcmd("TYPE I")
            data = self._transfer(client, f"RETR {_wire(file.path)}", offset)
            try:
                while left and (chunk := data.recv(min(left, CHUNK_BYTES))):
                    left -= len(chunk)
                    yield chunk
            finally:
                data.close()
                if left:
                    self.close()  # what the server still says belongs to no later command
            if left:
                raise SourceTruncated(
                    f"{self._at(file.path)}: broke off {left} bytes before its end"
                )
            with suppress(ftplib.error_temp, ftplib.error_perm):  # it may have had more to say
                client.voidresp()

    def move(self, path: str, target: str) -> None:
        with self._errors(path):
            client = self._client()
            self._make_folders(client, dirname(target))
            client.rename(_wire(path), _wire(target))

    def delete(self, path: str) -> None:
        with self._errors(path):
            try:
                self._client().delete(_wire(path))
            except ftplib.error_perm:
                if self.stat(path) is not None:
                    raise

    def close(self) -> None:
        client, self._ftp = self._ftp, None
        if client is not None:
            client.close()

    def _client(self) -> ftplib.FTP:
        if self._ftp is None:
            hook = (FTPSHook if self._secure else FTPHook)(self._conn_id)
            try:
                client = hook.get_conn()
            except BaseException:
                if hook.conn is not None:
                    hook.conn.close()
                raise
            client.timeout = TIMEOUT_S
            control: socket.socket | None = client.sock
            if control is not None and client.file is not None:
                control.settimeout(TIMEOUT_S)
                client.file.close()
                client.encoding = _BYTES
                client.file = control.makefile("r", encoding=_BYTES)
            self._ftp = client
        return self._ftp

    def _transfer(self, client: ftplib.FTP, command: str, offset: int = 0) -> socket.socket:
        """Open the data connection; of FTPS within the control connection's session.

        Most servers insist on that, as a proof that both ends are the same, and ftplib does not do it.
        """
        data, _ = ftplib.FTP.ntransfercmd(client, command, offset or None)  # noqa: S321  # the site chose the protocol
        if isinstance(client, ftplib.FTP_TLS):
            control = client.sock
            session = control.session if isinstance(control, ssl.SSLSocket) else None
            data = client.context.wrap_socket(data, server_hostname=client.host, session=session)
        data.settimeout(TIMEOUT_S)
        return data

    def _listed(self, below: str) -> list[tuple[str, RemoteFile | None]]:
        """What is in a folder: files, and paths of folders with nothing beside."""
        with self._errors(below):
            client = self._client()
            if self._machine_listing:
                try:
                    lines = self._lines(client, f"MLSD {_wire(below)}")
                except ftplib.error_perm as err:
                    if str(err).startswith("550"):
                        return []
                    self._machine_listing = False  # 500 and 502: not known here
                else:
                    return list(_entries(below, lines))
            try:
                names = self._lines(client, f"NLST {_wire(below)}")
            except (ftplib.error_perm, ftplib.error_temp) as err:
                if str(err)[:3] in ("550", "450"):  # no such folder, or an empty one
                    return []
                raise
        prefix = f"{below.rstrip('/')}/"
        known = [each.removeprefix(prefix) for each in map(_text, names)]
        paths = [child(below, name) for name in known if name not in (".", "..")]
        return [(path, self.stat(path)) for path in paths]

    def _lines(self, client: ftplib.FTP, command: str) -> list[str]:
        client.voidcmd("TYPE A")
        data = self._transfer(client, command)
        with data, data.makefile("rb") as listing:
            lines = [line.decode(_BYTES).rstrip("\r\n") for line in listing]
        client.voidresp()
        return lines

    def _make_folders(self, client: ftplib.FTP, path: str) -> None:
        steps = path.strip("/").split("/")
        for depth in range(1, len(steps) + 1):
            with suppress(ftplib.error_perm):  # it is there; else the rename says what is wrong
                client.mkd(_wire("/" + "/".join(steps[:depth])))

    @contextmanager
    def _errors(self, path: str) -> Iterator[None]:
        """Turn the library's errors into ours; after any but a plain refusal connect anew."""
        try:
            yield
        except ssl.SSLCertVerificationError as err:
            self.close()
            raise SourceRejected(
                f"{self.address}: its certificate is not to be trusted ({err.verify_message}); ask "
                "who runs the server"
            ) from None
        except ssl.SSLError as err:
            self.close()
            raise SourceUnavailable(f"{self._at(path)}: TLS failed ({err.reason})") from None
        except ftplib.error_perm as err:
            code = str(err)[:3]
            raise (self._login_refused() if code == "530" else self._refused(path, code)) from None
        except TimeoutError:
            self.close()
            raise SourceUnavailable(
                f"{self._at(path)}: nothing came for {TIMEOUT_S:.0f} s"
            ) from None
        except (ftplib.Error, OSError, EOFError, ValueError) as err:
            self.close()
            told = f" {str(err)[:3]}" if isinstance(err, ftplib.Error) else ""
            raise SourceUnavailable(f"{self._at(path)}: {type(err).__name__}{told}") from None

    def _login_refused(self) -> SourceRejected:
        self.close()
        return SourceRejected(
            f"{self.address}: refuses the login; check user and password of connection "
            f"{self._conn_id!r}"
        )

    def _refused(self, path: str, code: str) -> SourceRejected:
        return SourceRejected(f"{self._at(path)}: refused with {code}; check path and rights")

    def _at(self, path: str) -> str:
        return f"{self.address} {shown(path)}"


def _entries(below: str, lines: list[str]) -> Iterator[tuple[str, RemoteFile | None]]:
    for line in lines:
        facts, _, name = line.partition(" ")
        fact = dict(each.lower().partition("=")[::2] for each in facts.split(";") if each)
        if fact.get("type") in ("cdir", "pdir"):
            continue
        path = child(below, _text(name))
        if fact.get("type") == "dir":
            yield path, None
        elif fact.get("type", "file") == "file":
            yield path, RemoteFile(path, int(fact["size"]), _time(fact["modify"]))


def _time(text: str) -> datetime:
    whole, _, fraction = text.strip().partition(".")
    moment = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return moment.replace(microsecond=int(f"{fraction:0<6}"[:6] or 0))


def _wire(path: str) -> str:
    """A path as the control connection takes it.

    :raises SourceRejected: A line of FTP cannot hold it.
    """
    if "\r" in path or "\n" in path or "\0" in path:
        raise SourceRejected(f"{shown(path)}: FTP cannot ask for a name with a line's end or NUL")
    return path.encode("utf-8", "surrogateescape").decode(_BYTES)


def _text(wire: str) -> str:
    """A path as the control connection gave it."""
    return wire.encode(_BYTES).decode("utf-8", "surrogateescape")
