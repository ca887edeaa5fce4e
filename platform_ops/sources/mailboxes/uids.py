"""Sets of message numbers, written as IMAP writes them: ``1:57,60``."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Self

__all__ = ["UidSet"]

_LINE_LETTERS: Final = 4000
"""Letters of a set in one command: servers read lines of 8 KiB at least."""


@dataclass(frozen=True, slots=True)
class UidSet:
    """Numbers of messages, as ranges that neither meet nor overlap.

    :param ranges: Shape ``(ranges,)``: first and last number, both of them in it; ascending.
    """

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """What :meth:`__str__` wrote.

        :raises ValueError: It is no set.
        """
        found = []
        for each in filter(None, text.split(",")):
            first, _, last = each.partition(":")
            found.append((int(first), int(last or first)))
        return cls(tuple(sorted(found)))

    @classmethod
    def of(cls, taken: Collection[int], there: Iterable[int]) -> Self:
        """The ranges that hold all of ``taken``, and of what is there nothing else.

        A number that is not there never will be: it is free to lie within a range (RFC 9051, 2.3.1.1).

        :param there: Every number in the mailbox, ascending.
        """
        ranges: list[tuple[int, int]] = []
        follows = False
        for each in there:
            if each in taken:
                ranges[-1:] = [(ranges[-1][0], each)] if follows else [*ranges[-1:], (each, each)]
            follows = each in taken
        return cls(tuple(ranges))

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self.ranges, (number, 1 << 32)) - 1
        return place >= 0 and self.ranges[place][0] <= number <= self.ranges[place][1]

    def __str__(self) -> str:
        return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in self.ranges)

    def lines(self) -> Iterator[str]:
        """The set in pieces, each short enough for a command."""
        line = ""
        for each in filter(None, str(self).split(",")):
            if len(line) + len(each) > _LINE_LETTERS:
                yield line
                line = ""
            line = f"{line},{each}" if line else each
        if line:
            yield line
