"""Expiry: payloads whose time is over, by the site's settings and by what their manifests promise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from platform_ops.archive.records.history import History, Listed, history, listed
from platform_ops.archive.records.tombstones import tombstone_key
from platform_ops.archive.stores.store import Store, locate
from platform_ops.archive.upkeep import holding, removal
from platform_ops.archive.upkeep.holding import Holds
from platform_ops.archive.upkeep.removal import Removal
from platform_ops.archive.upkeep.sweeping import LeftAlone, now
from platform_ops.entity import Manifest
from platform_ops.errors import ArchiveCorrupt
from platform_ops.settings import EntitySettings, Settings

__all__ = ["PAUSE", "expire"]

PAUSE: Final = timedelta(days=1)
"""Between tombstone and removal: longer than a writer's last look and its commit are apart."""


def expire(
    store: Store,
    settings: Settings,
    prefix: str = "",
    *,
    delete: bool = False,
    pause: timedelta = PAUSE,
    shorten: bool = False,
    by: str = "retention",
) -> Iterator[Removal | LeftAlone]:
    """Find, and on request remove, the payloads whose time is over.

    :param prefix: Such as ``v1/weather``; all of the archive where empty.
    :param delete: Put tombstones, and delete what was buried a pause ago; only name it otherwise.
    :param shorten: Let today's setting end what a manifest promised to keep for longer.
    :param by: Who applies the policy.
    """
    moment = now(store) if delete else datetime.now(UTC)
    work = _Expiry(store, settings, moment, moment - pause if pause else None, delete, shorten, by)
    for slot in listed(store, prefix.strip("/")):
        # One whose payloads are all gone is not even read.
        if slot.manifests and (slot.objects or len(slot.tombstones) < len(slot.manifests)):
            yield from work.slot(slot)


@dataclass(slots=True)
class _Expiry:
    """One pass over the archive.

    :param moment: What time it is.
    :param buried_before: Whose payloads may go; any buried revision's where it is None.
    """

    store: Store
    settings: Settings
    moment: datetime
    buried_before: datetime | None
    delete: bool
    shorten: bool
    by: str
    _holds: Holds | None = field(default=None, init=False)

    def slot(self, slot: Listed) -> Iterator[Removal | LeftAlone]:
        """What is due in one slot; done, where that is asked for and no hold forbids it."""
        try:
            past = history(self.store, slot.folder)
            due = [*self._due(past)]
            held_by = self._held_by(past) if due or past.tombstones else None
            for manifest, reason in due:
                yield self._buried(past, manifest, reason, held_by)
            if self.delete and due and not held_by:
                # Whoever committed before the tombstones is seen now.
                past = history(self.store, slot.folder)
            yield from self._removed(past, slot, held_by)
        except ArchiveCorrupt as err:
            yield LeftAlone(locate(self.store, f"data/{slot.folder}"), str(err))

    def _due(self, past: History) -> Iterator[tuple[Manifest, str]]:
        for manifest in past.live:
            agreed = self.settings.declared(manifest.slot.entity) or EntitySettings()
            newest = manifest is past.manifests[-1]
            days, reason = _retention(agreed, manifest, self.shorten)
            if days is None or (newest and agreed.keep_newest):
                continue
            if manifest.committed_at_utc + timedelta(days=days) <= self.moment:
                yield manifest, reason

    def _held_by(self, past: History) -> str | None:
        self._holds = holding.in_force(self.store, self._holds)
        hold = self._holds.over(past.folder)
        return hold.id if hold else None

    def _buried(
        self, past: History, manifest: Manifest, reason: str, held_by: str | None
    ) -> Removal:
        key = past.key(manifest.revision)
        found = Removal(
            step="bury",
            cause="expired",
            slot=manifest.slot,
            revision=manifest.revision,
            url=locate(self.store, key),
            reason=reason,
            size_bytes=manifest.size_bytes,
            held_by=held_by,
        )
        if not self.delete or held_by:
            return found
        removal.bury(self.store, key, manifest, cause="expired", reason=reason, by=self.by)
        return replace(found, done=True)

    def _removed(self, past: History, slot: Listed, held_by: str | None) -> Iterator[Removal]:
        for manifest, entries in removal.leftovers(past, self._ripe(past, slot), slot.objects):
            tombstone, key = past.tombstones[manifest.revision], past.key(manifest.revision)
            go = self.delete and not held_by
            if go:
                removal.redact(self.store, key, manifest, tombstone)
                removal.remove(self.store, entries)
            yield Removal(
                step="remove",
                cause=tombstone.cause,
                slot=manifest.slot,
                revision=manifest.revision,
                url=locate(self.store, key),
                reason=tombstone.reason,
                size_bytes=sum(entry.size_bytes for entry in entries),
                held_by=held_by,
                done=go,
            )

    def _ripe(self, past: History, slot: Listed) -> set[int]:
        """Revisions that were buried a pause ago, by the store's clock."""
        if self.buried_before is None:
            return set(past.tombstones)
        found = {
            each: slot.tombstones.get(tombstone_key(past.key(each))) for each in past.tombstones
        }
        times = {each: entry.modified_utc for each, entry in found.items() if entry is not None}
        return {
            each for each, time in times.items() if time is not None and time <= self.buried_before
        }


def _retention(agreed: EntitySettings, manifest: Manifest, shorten: bool) -> tuple[int | None, str]:
    """How many days a revision is kept, and by what; None where for ever."""
    today, promised = agreed.retention_days, manifest.retention_days
    if today is None:
        return None, ""
    if promised is not None and promised > today and not shorten:
        return promised, f"retention_days = {promised}, as recorded at its commit"
    return today, f"retention_days = {today}"
