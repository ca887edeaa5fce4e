"""A line between a client and a server on loopback, which a test can hold up or cut."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

__all__ = ["Line", "line"]


@dataclass
class Line:
    """Carries bytes both ways, whatever they mean.

    :param port: Where the client connects.
    :param stop_after_bytes: Bytes from the server after which the line does as ``cut`` says.
    :param cut: End the connection there, once; else carry nothing more.
    :param accepted: Connections so far.
    :param held: Set once that happened.
    """

    port: int
    stop_after_bytes: int | None = None
    cut: bool = True
    accepted: int = 0
    held: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)

    def stops_at(self, carried: int) -> bool:
        """Whether now is the time; so once."""
        limit = self.stop_after_bytes
        if limit is None or carried <= limit or self.held.is_set():
            return False
        self.held.set()
        return True


@contextmanager
def line(to_port: int) -> Iterator[Line]:
    """A line to a server, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Line(listener.getsockname()[1])
        threading.Thread(target=_serve, args=(made, listener, to_port), daemon=True).start()
        try:
            yield made
        finally:
            made._over.set()


def _serve(made: Line, listener: socket.socket, to_port: int) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            made.accepted += 1
            server = socket.create_connection(("127.0.0.1", to_port))
            threading.Thread(target=_carry, args=(None, client, server), daemon=True).start()
            threading.Thread(target=_carry, args=(made, server, client), daemon=True).start()


def _carry(made: Line | None, here: socket.socket, there: socket.socket) -> None:
    carried = 0
    with suppress(OSError):
        while data := here.recv(1 << 16):
            carried += len(data)
            if made is not None and made.stops_at(carried):
                if not made.cut:
                    made._over.wait()
                break
            there.sendall(data)
    for each in (here, there):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
