"""A TCP proxy before a real server: counts who connects, and breaks off when it is told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

__all__ = ["Proxy", "proxy"]

_PIECE_BYTES: Final = 1 << 16


class Proxy:
    """Passes on what comes on its own port.

    :param target: The server's port on 127.0.0.1.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self.connections = 0
        self.breaks_after_bytes: int | None = None
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let nobody in any more, and end who is."""
        # A thread that waits in accept() keeps a closed socket alive.
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for each in self._open:
            _cut(each)
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open += [client, server]
            threading.Thread(target=self._pass, args=(client, server), daemon=True).start()
            back = threading.Thread(
                target=self._pass, args=(server, client), kwargs={"answers": True}, daemon=True
            )
            back.start()

    def _pass(self, source: socket.socket, sink: socket.socket, *, answers: bool = False) -> None:
        passed = 0
        with suppress(OSError):
            while piece := source.recv(_PIECE_BYTES):
                passed += len(piece)
                limit = self.breaks_after_bytes
                if answers and limit is not None and passed > limit:
                    break
                sink.sendall(piece)
        _cut(source)
        _cut(sink)


def _cut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """Run it until the block ends."""
    running = Proxy(target)
    try:
        yield running
    finally:
        running.close()
