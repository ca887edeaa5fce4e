"""One capture under way, as a task's own code, a hook and an operator all meet it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from platform_ops.errors import PlatformError

if TYPE_CHECKING:
    from platform_ops.archive import Commit, Member, Session
    from platform_ops.entity import Manifest, Origin, Part, Payload, Reference, Slot

__all__ = ["Capture", "Unchanged"]


class Unchanged(Exception):
    """Raised by a source before its first part: it has nothing newer than a revision that is there.

    No error: the task succeeds, with that revision's reference; no revision and no asset event is made.

    :param manifest: The revision that still holds, of this slot or an earlier one.
    """

    def __init__(self, manifest: Manifest) -> None:
        super().__init__(f"{manifest.slot}: revision {manifest.revision} still holds")
        self.manifest = manifest


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

    def settle(self, manifest: Manifest) -> None:
        """End with a revision that is there; see ``Unchanged``."""
        if self._session is None or not self.pending:
            raise PlatformError(
                f"{self.slot}: is archived already; settle only while it is pending"
            )
        self._session.settle(manifest)

    def write(self, part: Part) -> Payload | Member:
        """Store one body verbatim, alone or in a pack; see :meth:`platform_ops.archive.Session.write`."""
        if self._session is None or not self.pending:
            raise PlatformError(f"{self.slot}: is archived already; write only while it is pending")
        return self._session.write(part)

    def take(
        self,
        found: object,
        name: str | None = None,
        media_type: str | None = None,
        origin: Origin | None = None,
    ) -> list[Payload | Member]:
        """Store bytes, text, dictionaries, tables or dataframes, or an iterator of one of them.

        :param found: As what a function under ``@task.archive`` returns.
        :param name: Of the body; the entity's name with the ending of its kind where unset.
        :param media_type: By the name or the kind where unset.
        :param origin: Where it came from; this task where unset.
        :raises NotArchivable: It is of no kind that the archive takes.
        """
        from platform_ops.entity import Origin
        from platform_ops.ingest.produced import Production

        if self._session is None:
            raise PlatformError(f"{self.slot}: is archived already; take only while it is pending")
        task = f"{self._session.run.dag_id}/{self._session.run.task_id}"
        came_from = origin or Origin(f"task:{task}", "take", fetched_at_utc=datetime.now(UTC))
        made = Production(task, self.slot.entity.name, came_from, name, media_type)
        return [self.write(part) for part in made.parts(found)]
