"""One capture under way, as a task's own code, a hook and an operator all meet it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from platform_ops.archive import Commit, Member, Session
from platform_ops.entity import Manifest, Part, Payload, Reference, Slot
from platform_ops.errors import PlatformError

__all__ = ["Capture"]


@dataclass(slots=True)
class Capture:
    """One capture under way: write parts while it is pending, then refer to it.

    :param slot: What it fills.
    :param started_s: Monotonic time of its start, in seconds.
    """

    slot: Slot
    _session: Session | None = None
    _found: Commit | None = None
    started_s: float = field(default_factory=time.monotonic)

    @property
    def pending(self) -> bool:
        """Whether the source has to be asked; False where a revision answers already."""
        return self._known is None

    @property
    def commit(self) -> Commit:
        """The revision; there once the ``with`` block ended, or where nothing was pending.

        :raises PlatformError: The capture is still under way.
        """
        if self._known is None:
            raise PlatformError(f"{self.slot}: not committed yet; leave the with block first")
        return self._known

    @property
    def _known(self) -> Commit | None:
        return self._session.commit if self._session else self._found

    @property
    def manifest(self) -> Manifest:
        """The revision's manifest."""
        return self.commit.manifest

    @property
    def reference(self) -> Reference:
        """What to hand to the next task."""
        return self.commit.reference

    def write(self, part: Part) -> Payload | Member:
        """Store one body verbatim, alone or in a pack; see :meth:`platform_ops.archive.Session.write`."""
        if self._session is None or not self.pending:
            raise PlatformError(f"{self.slot}: is archived already; write only while it is pending")
        return self._session.write(part)
