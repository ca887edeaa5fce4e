"""Erasing one body: its pack is written anew without it, and the manifest amended (ADR 0020).

1. The new pack and its list are stored: an orphan, until something names them.
2. The record of the body, create-only: from here on it is erased, whoever asks.
3. The amended manifest, in place of the one before.
4. What held the body is deleted, once no manifest names it any more.

A crash leaves an orphan that a sweep removes, or a record that the next erasure of the slot, or this
one asked for again, brings to its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from secrets import token_hex

from platform_ops.archive.payloads import pack
from platform_ops.archive.payloads.content import holder
from platform_ops.archive.payloads.pack import Member, Pack, PackReader
from platform_ops.archive.records.excisions import (
    COUNTED,
    Excision,
    amended,
    excision_key,
    name_digest,
)
from platform_ops.archive.records.history import History, blobs, history
from platform_ops.archive.records.read import manifest_digest
from platform_ops.archive.stores.store import Store, locate, put_once
from platform_ops.archive.upkeep import erasure, holding
from platform_ops.archive.upkeep.amending import ATTEMPTS, clear, settle
from platform_ops.archive.upkeep.removal import Removal, without_origin
from platform_ops.entity import Manifest, Payload
from platform_ops.errors import ArchiveCorrupt, ArchiveUnavailable, NotArchived
from platform_ops.url_scheme import payload_key

__all__ = ["excise"]


def excise(
    store: Store,
    folder: str,
    name: str,
    revision: int | None = None,
    *,
    reason: str,
    by: str,
    delete: bool = False,
) -> Iterator[Removal]:
    """Erase the body of a name out of a revision, or of every one of a slot that has it.

    :param folder: Of the slot.
    :param delete: Do it; only name it otherwise.
    :raises ArchiveHeld: A legal hold covers the slot.
    :raises ConfigError: The reason, or the name of who asks, is empty.
    :raises Removed: All of these revisions expired or were erased.
    :raises NotArchived: There is no such revision, or none with such a body.
    """
    holding.require_words(reason, by)
    past = history(store, folder)
    chosen = [each for each in past.manifests if revision in (None, each.revision)]
    gone = any(
        record.name_sha256 == name_digest(name)
        for each in chosen
        for record in past.excisions.get(each.revision, ())
    )
    readable = _readable(past, chosen)
    if chosen and not readable:
        raise past.tombstones[chosen[-1].revision].error()
    if not gone and not any(holder(store, each, name) for each in readable):
        where = f" in revision {revision}" if revision else ""
        raise NotArchived(f"{locate(store, f'meta/{folder}')}: no body {name!r}{where}")
    holding.require_free(store, folder)
    return _Excising(store, past, name, reason, by, delete).all(chosen)


@dataclass(slots=True)
class _Excising:
    """One body on its way out.

    :param packs: Where packs without it are stored, by the digest of what is stored.
    """

    store: Store
    past: History
    name: str
    reason: str
    by: str
    delete: bool
    packs: dict[str, str] = field(default_factory=dict)

    def all(self, chosen: list[Manifest]) -> Iterator[Removal]:
        """Take it out of each of these revisions."""
        for manifest in _readable(self.past, chosen):
            now = settle(self.store, self._key(manifest)) if self.delete else manifest
            if (found := holder(self.store, now, self.name)) is None:
                continue
            payload, body = found
            if now.payloads == (payload,) and payload.members is None:
                # Nothing would be left of it.
                yield from erasure.erase(
                    self.store,
                    self.past.folder,
                    now.revision,
                    reason=self.reason,
                    by=self.by,
                    delete=self.delete,
                )
                continue
            if self.delete:
                self._take_out(self._key(manifest), now, payload)
            yield self._named(now, payload, body.size_bytes, chosen)
        if self.delete:
            yield from clear(self.store, self.past.folder, {each.revision for each in chosen})

    def _key(self, manifest: Manifest) -> str:
        return self.past.key(manifest.revision)

    def _named(
        self, manifest: Manifest, payload: Payload, size_bytes: int, chosen: list[Manifest]
    ) -> Removal:
        key = payload.key
        others = [each for each in self.past.live if each not in chosen]
        return Removal(
            step="bury",
            cause="erased",
            slot=manifest.slot,
            revision=manifest.revision,
            url=locate(self.store, self._key(manifest)),
            reason=self.reason,
            size_bytes=size_bytes,
            shared_with=tuple(
                each.revision for each in others if key in {blob.key for blob in blobs([each])}
            ),
            done=self.delete,
            body=self.name,
        )

    def _take_out(self, key: str, manifest: Manifest, payload: Payload) -> None:
        for _ in range(ATTEMPTS):
            record, made = self._record(manifest, payload)
            if put_once(self.store, excision_key(key, record.number), record.to_json()):
                settle(self.store, key)
                return
            # A rival came first: this pack may hold the body that it has erased.
            for each in made:
                self.store.delete(each)
            self.packs.clear()
            manifest = settle(self.store, key)
            found = holder(self.store, manifest, self.name)
            if found is None:
                return
            payload, _ = found
        raise ArchiveUnavailable(f"{locate(self.store, key)}: others erase bodies of it; retry")

    def _record(self, manifest: Manifest, payload: Payload) -> tuple[Excision, list[str]]:
        """What is to be put down, and the keys of what was stored for it."""
        rest, body, place, made = self._rest(manifest, payload)
        draft = Excision(
            slot=manifest.slot,
            revision=manifest.revision,
            # By what this manifest says, not by what is there: a rival may have come first by now.
            number=manifest.redacted.get(COUNTED, 0) + 1,
            reason=self.reason,
            by=self.by,
            at_utc=datetime.now(UTC),
            name_sha256=name_digest(self.name),
            sha256=body.sha256,
            size_bytes=body.size_bytes,
            place=place,
            former=tuple(blob.key for blob in payload.blobs),
            former_sha256=payload.sha256,
            payload=rest and without_origin(rest),
            before_sha256=manifest_digest(manifest),
            after_sha256="",
        )
        return replace(draft, after_sha256=manifest_digest(amended(manifest, draft))), made

    def _rest(
        self, manifest: Manifest, payload: Payload
    ) -> tuple[Payload | None, Member | Payload, int, list[str]]:
        """The payload without the body, stored; the body; its place; and the keys that are new."""
        if payload.members is None:
            return None, payload, 0, []
        new, reader, gone = Pack(compress=False), PackReader(self.store, payload), None
        for number, member in enumerate(pack.members(self.store, payload)):
            if member.name == self.name:
                gone = member, number
            else:
                new.keep(member, reader.read(member))
        if gone is None:
            raise ArchiveCorrupt(f"{locate(self.store, payload.key)}: its list has changed; retry")
        if not new.count:
            return None, *gone, []
        packed, token = new.close(), token_hex(6)
        made: list[str] = []
        key = self.packs.get(packed.stored.sha256)
        if key is None:
            key = payload_key(self.past.folder, manifest.revision, token, payload.name)
            self.store.upload(key, packed.chunks())
            self.packs[packed.stored.sha256] = key
            made.append(key)
        list_name = payload.name.removesuffix(".zip") + ".members.jsonl.gz"
        list_key = payload_key(self.past.folder, manifest.revision, token, list_name)
        self.store.upload(list_key, [packed.listing])
        made.append(list_key)
        return packed.payload(payload.name, key, list_key), *gone, made


def _readable(past: History, chosen: list[Manifest]) -> list[Manifest]:
    return [each for each in chosen if each.revision not in past.tombstones]
