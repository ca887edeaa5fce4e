"""An SFTP server in a thread of this process, which lists what a test makes it list."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

__all__ = ["SftpServer", "sftp_server"]

USER, PASSWORD = "clerk", "hunter2-password"


@dataclass
class SftpServer:
    """A running server.

    :param host_key: Its public key, as the extra of a connection names it.
    :param lies: Names that it lists beside those that are there.
    """

    folder: Path
    host_key: str
    port: int = 0
    lies: list[bytes] = field(default_factory=list)

    def connection(self, **extra: Any) -> str:  # Any: JSON values
        """An Airflow connection as JSON."""
        fields = {
            "conn_type": "sftp",
            "host": "127.0.0.1",
            "port": self.port,
            "login": USER,
            "password": PASSWORD,
        }
        return json.dumps({**fields, "extra": {"host_key": self.host_key, **extra}})


@contextmanager
def sftp_server(folder: Path) -> Iterator[SftpServer]:
    """Serve a folder on a free port of loopback until the block ends."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    public = key.export_public_key().decode().split()[:2]
    served = SftpServer(folder, " ".join(public))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    class Files(asyncssh.SFTPServer):
        def __init__(self, chan: Any) -> None:  # Any: asyncssh's own channel
            super().__init__(chan, chroot=str(folder).encode())

        async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
            async for each in super().scandir(path):
                yield each
            for name in served.lies:
                yield asyncssh.SFTPName(
                    name, attrs=asyncssh.SFTPAttrs(permissions=0o100644, size=1)
                )

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[key],
            server_factory=_Login,
            sftp_factory=Files,
            allow_scp=False,
        )

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(20)
    served.port = acceptor.get_port()
    try:
        yield served
    finally:
        asyncio.run_coroutine_threadsafe(_end(acceptor), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(acceptor: asyncssh.SSHAcceptor) -> None:
    acceptor.close()
    await acceptor.wait_closed()
    # Connections that a client has just let go of end with their own tasks.
    others = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
    for each in others:
        each.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class _Login(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:  # noqa: ARG002  # as all are called
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)
