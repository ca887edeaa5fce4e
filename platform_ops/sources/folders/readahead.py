"""Reading one SFTP file by many requests on their way at once; what they bring comes in order.

Source: https://datatracker.ietf.org/doc/html/draft-ietf-secsh-filexfer-02#section-6.4
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncssh

__all__ = ["ReadAhead"]

_PIECE_BYTES: Final = 256 << 10
"""Most that one request asks for; a server may allow less, and OpenSSH allows a little less."""
_REQUESTS: Final = 32
"""Requests on their way at once: with what is handed over, what bounds the memory."""
_BLOCK_PIECES: Final = 16


class ReadAhead:
    """One file, from an offset up to a size. All of it runs in one event loop.

    Pieces are handed over as the library read them: putting them together again would write each
    byte twice more, into memory that the system has to clear first.

    :param handle: The file, opened with ``block_size=0``: the library asks for what it is asked for.
    :param span: The offset, and the size up to which it is read.
    :param piece_bytes: The most that the server allows one request to ask for.
    :param timeout_s: Longest wait for the next piece.
    """

    def __init__(
        self,
        handle: asyncssh.SFTPClientFile,
        span: tuple[int, int],
        piece_bytes: int,
        timeout_s: float,
    ) -> None:
        self._handle = handle
        self._start, self._size_bytes = span
        self._piece_bytes = min(piece_bytes, _PIECE_BYTES)
        self._timeout_s = timeout_s
        self._ahead: deque[asyncio.Task[list[bytes]]] = deque()

    async def block(self) -> list[bytes]:
        """The next pieces, in order; none at the end of the file.

        :raises TimeoutError: Nothing came for too long.
        """
        pieces: list[bytes] = []
        try:
            while len(pieces) < _BLOCK_PIECES and self._ask():
                pieces += await asyncio.wait_for(self._ahead.popleft(), self._timeout_s)
            self._ask()
        except BaseException:
            await self._drop()
            raise
        return pieces

    async def stop(self) -> None:
        """Let go of the file, whatever is still on its way."""
        await self._drop()
        await self._handle.close()

    async def _drop(self) -> None:
        for task in self._ahead:
            task.cancel()
        await asyncio.gather(*self._ahead, return_exceptions=True)
        self._ahead.clear()

    def _ask(self) -> bool:
        """Send as many requests as may be on their way; whether any is."""
        while self._start < self._size_bytes and len(self._ahead) < _REQUESTS:
            wanted = min(self._piece_bytes, self._size_bytes - self._start)
            self._ahead.append(asyncio.create_task(self._piece(self._start, wanted)))
            self._start += wanted
        return bool(self._ahead)

    async def _piece(self, start: int, wanted: int) -> list[bytes]:
        """What lies there: in one answer, as a rule; a server may answer with less, and is asked again."""
        parts: list[bytes] = []
        while wanted:
            data = bytes(await self._handle.read(wanted, start))  # type: ignore[arg-type]  # text it is where a file was opened for text
            if not data:  # the file is shorter now
                self._size_bytes = min(self._size_bytes, start)
                break
            parts.append(data)
            start, wanted = start + len(data), wanted - len(data)
        return parts
