"""An FTP server with a listing for machines, which vsftpd lacks, and with faults that a test orders.

Sources: RFC 959; RFC 3659, "Extensions to FTP".
"""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["FtpServer", "ftp_server"]

USER, PASSWORD = "clerk", "hunter2-password"


@dataclass
class FtpServer:
    """A running server.

    :param lies: Names that it lists beside those that are there.
    :param breaks: After how many bytes each transfer to come breaks off, one a transfer.
    :param offsets: Where the transfers so far began.
    """

    folder: Path
    port: int = 0
    lies: list[str] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)

    def connection(self, **changes: Any) -> str:  # Any: JSON values
        """An Airflow connection as JSON."""
        fields = {
            "conn_type": "ftp",
            "host": "127.0.0.1",
            "port": self.port,
            "login": USER,
            "password": PASSWORD,
        }
        return json.dumps({**fields, **changes})


@contextmanager
def ftp_server(folder: Path) -> Iterator[FtpServer]:
    """Serve a folder on a free port of loopback until the block ends."""
    served = FtpServer(folder)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"served": served}))
    served.port = server.server_address[1]
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class _Handler(socketserver.StreamRequestHandler):
    served: FtpServer

    def handle(self) -> None:
        self._offset, self._from = 0, ""
        self._data: socket.socket | None = None
        with suppress(ConnectionError):
            self._say("220 ready")
            while line := self.rfile.readline():
                verb, _, argument = line.decode().rstrip("\r\n").partition(" ")
                answer = getattr(self, f"_{verb.lower()}", None)
                self._say(answer(argument) if answer else "502 not known here")
                if verb == "QUIT":
                    return

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def _user(self, name: str) -> str:
        return "331 and the password?" if name == USER else "530 who?"

    def _pass(self, password: str) -> str:
        return "230 come in" if password == PASSWORD else "530 no"

    def _type(self, kind: str) -> str:  # noqa: ARG002  # as all are called
        return "200 as you like"

    def _pwd(self, nothing: str) -> str:  # noqa: ARG002  # as all are called
        return '257 "/"'

    def _quit(self, nothing: str) -> str:  # noqa: ARG002  # as all are called
        return "221 bye"

    def _rest(self, offset: str) -> str:
        self._offset = int(offset)
        return "350 from there"

    def _epsv(self, nothing: str) -> str:  # noqa: ARG002  # as all are called
        self._data = socket.create_server(("127.0.0.1", 0))
        return f"229 here (|||{self._data.getsockname()[1]}|)"

    def _pasv(self, nothing: str) -> str:  # noqa: ARG002  # as all are called
        self._data = socket.create_server(("127.0.0.1", 0))
        high, low = divmod(self._data.getsockname()[1], 256)
        return f"227 here (127,0,0,1,{high},{low})"

    def _mlsd(self, path: str) -> str:
        if not self._at(path).is_dir():
            return "550 no such folder"
        lines = [self._described(each) for each in sorted(self._at(path).iterdir())]
        lines += [f"type=file;size=1;modify=20240101000000; {name}" for name in self.served.lies]
        return self._send("".join(f"{line}\r\n" for line in lines).encode())

    def _described(self, path: Path) -> str:
        found = path.stat()
        modified = datetime.fromtimestamp(found.st_mtime, UTC)
        kind = "dir" if path.is_dir() else "file"
        return f"Type={kind};Size={found.st_size};Modify={modified:%Y%m%d%H%M%S}; {path.name}"

    def _size(self, path: str) -> str:
        found = self._at(path)
        return f"213 {found.stat().st_size}" if found.is_file() else "550 no such file"

    def _mdtm(self, path: str) -> str:
        modified = datetime.fromtimestamp(self._at(path).stat().st_mtime, UTC)
        return f"213 {modified:%Y%m%d%H%M%S}"

    def _retr(self, path: str) -> str:
        data = self._at(path).read_bytes()[self._offset :]
        self.served.offsets.append(self._offset)
        self._offset = 0
        return self._send(data, self.served.breaks.pop(0) if self.served.breaks else None)

    def _dele(self, path: str) -> str:
        self._at(path).unlink()
        return "250 gone"

    def _mkd(self, path: str) -> str:
        self._at(path).mkdir(exist_ok=True)
        return "257 made"

    def _rnfr(self, path: str) -> str:
        self._from = path
        return "350 to what?"

    def _rnto(self, path: str) -> str:
        self._at(self._from).rename(self._at(path))
        return "250 so be it"

    def _send(self, data: bytes, breaks_after: int | None = None) -> str:
        assert self._data is not None
        self._say("150 coming")
        with self._data, self._data.accept()[0] as taken:
            taken.sendall(data if breaks_after is None else data[:breaks_after])
        return "226 all of it" if breaks_after is None else "426 broke off"

    def _at(self, path: str) -> Path:
        return self.served.folder / path.lstrip("/")
