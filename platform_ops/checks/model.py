"""What every check is, and what it raises."""

from __future__ import annotations

from typing import Final, Protocol

__all__ = ["HELD_BYTES", "Check", "Malformed"]

HELD_BYTES: Final = 16 << 20
"""The longest record, token or footer that a check holds; a longer one is a fault of its own."""


class Malformed(Exception):
    """A body is not of its format; the text says where and why, and quotes nothing of it."""


class Check(Protocol):
    """One body, fed piece by piece."""

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes.

        :raises Malformed: They cannot follow what came before.
        """

    def end(self) -> int | None:
        """Look at the body as a whole, now that it is over.

        :return: Its records, where the format counts any.
        :raises Malformed: It ends in the middle.
        """
