"""Reading ahead over SFTP, from a server that answers with less than it was asked for."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from airflow.sdk import Connection

from platform_ops.sources.folders import RemoteFile
from platform_ops.sources.folders.sftp import SftpFolder

MIB = 1 << 20


class Sparing(asyncssh.SFTPServer):
    """Gives a third of what it is asked for, and ends a file early where its name says so."""

    def read(self, file_obj: Any, offset: int, size: int) -> bytes:  # Any: asyncssh's own
        if file_obj.name.endswith(b"shrunk"):
            size = max(0, min(size, 2 * MIB - offset))
        data = super().read(file_obj, offset, -(-size // 3))
        assert isinstance(data, bytes)
        return data


class Open(asyncssh.SSHServer):
    """Lets everybody in."""

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002  # the base class's signature
        return False


@pytest.fixture
def folder() -> Iterator[SftpFolder]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Open,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            sftp_factory=Sparing,
        )

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    source = SftpFolder(
        Connection(
            conn_id="sparing",
            conn_type="sftp",
            host="127.0.0.1",
            port=server.get_port(),
            login="anybody",
            extra='{"no_host_key_check": true}',
        )
    )
    yield source
    source.close()
    loop.call_soon_threadsafe(server.close)
    asyncio.run_coroutine_threadsafe(server.wait_closed(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def listed(folder: SftpFolder, path: Path) -> RemoteFile:
    found = folder.stat(str(path))
    assert found is not None
    return found


@pytest.mark.parametrize("offset", [0, 4 * MIB + 3])
def test_short_answers_are_put_together_in_order(
    folder: SftpFolder, tmp_path: Path, offset: int
) -> None:
    body = os.urandom(5 * MIB + 17)
    (tmp_path / "large").write_bytes(body)
    file = listed(folder, tmp_path / "large")
    assert b"".join(folder.read(file, offset)) == body[offset:]


def test_a_file_that_ends_early_is_read_up_to_there(folder: SftpFolder, tmp_path: Path) -> None:
    body = os.urandom(5 * MIB)
    (tmp_path / "shrunk").write_bytes(body)
    file = listed(folder, tmp_path / "shrunk")
    assert b"".join(folder.read(file)) == body[: 2 * MIB]


def test_a_read_that_is_given_up_leaves_the_folder_usable(
    folder: SftpFolder, tmp_path: Path
) -> None:
    body = os.urandom(5 * MIB)
    (tmp_path / "large").write_bytes(body)
    file = listed(folder, tmp_path / "large")
    begun = iter(folder.read(file))
    assert body.startswith(next(begun))
    begun.close()  # type: ignore[attr-defined]  # it is a generator
    assert b"".join(folder.read(file)) == body
