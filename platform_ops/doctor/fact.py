"""What an examination yields: things that were found, among the findings on what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from platform_ops.findings import Finding

__all__ = ["Fact", "Observed"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that was found.

    :param topic: ``settings``, ``archive``, ``people`` or ``software``.
    :param origin: Where it comes from.
    """

    topic: str
    name: str
    value: str
    origin: str = ""


Observed = Iterator[Fact | Finding]
