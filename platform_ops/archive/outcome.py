"""How a capture ended: the revision that answers now, and how it came to be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platform_ops.entity import Manifest, Reference

__all__ = ["Commit", "Outcome"]


class Outcome(StrEnum):
    """How a session ended."""

    CREATED = "created"
    """A revision that was not there before."""
    UNCHANGED = "unchanged"
    """A new revision whose payloads are those of the revision before."""
    ADOPTED = "adopted"
    """This run, or a rival with equal bytes, had committed already."""
    REUSED = "reused"
    """Policy ``reuse``, and the slot was filled."""
    NOTHING_NEW = "nothing new"
    """The source has nothing newer than a revision that is there; no other was made."""
    REPLAYED = "replayed"
    """Read from the archive on request; the source was not asked."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A revision that is visible, and how it came to be.

    :param conflicts: Rivals that took a revision number first.
    """

    manifest: Manifest
    reference: Reference
    outcome: Outcome
    conflicts: int = 0
