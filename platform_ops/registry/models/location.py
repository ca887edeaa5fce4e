"""Where something is defined."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Source"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where something is defined.

    :param file: Relative to the folder that its package is imported from, or that DAGs lie in.
    """

    file: str
    line: int
