"""What the page of a revision shows, and what it can do: verify it, and hand out its bodies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Final

from platform_ops import archive
from platform_ops.archive import Body, Question, Verdict
from platform_ops.archive.indexing import Hit
from platform_ops.archive.payloads import content
from platform_ops.archive.place import templates_of
from platform_ops.archive.records import browse, read
from platform_ops.archive.records.tombstones import Tombstone, tombstone_at
from platform_ops.archive.stores.store import Store, locate
from platform_ops.archive.upkeep.verifying import verify
from platform_ops.entity import Manifest
from platform_ops.errors import UrlError
from platform_ops.settings import Settings

__all__ = ["Revision", "Sibling", "of_run", "pieces", "revision_at", "verified"]

_CHUNK_BYTES: Final = 1 << 20
_SIBLINGS: Final = 100


@dataclass(frozen=True, slots=True)
class Sibling:
    """A revision of the same slot."""

    number: int
    url: str


@dataclass(frozen=True, slots=True)
class Revision:
    """A committed revision.

    :param key: Of its manifest.
    :param tombstone: Where its payloads were removed on purpose.
    :param siblings: Every revision of its slot, newest first, a hundred at most.
    """

    store: Store
    key: str
    manifest: Manifest
    tombstone: Tombstone | None
    siblings: tuple[Sibling, ...]

    @property
    def url(self) -> str:
        """Of the manifest."""
        return locate(self.store, self.key)

    @property
    def folder(self) -> str:
        """Of the slot, as its template renders it."""
        return self.key.removeprefix("meta/").rpartition("/")[0]

    @property
    def newest(self) -> bool:
        """Whether none came after it."""
        return not self.siblings or self.siblings[0].number == self.manifest.revision

    def bodies(self, skip: int, count: int) -> list[Body]:
        """Some of the bodies; none of a revision whose payloads were removed."""
        if self.tombstone is not None:
            return []
        return list(islice(content.bodies(self.store, self.manifest), skip, skip + count))

    def body(self, name: str) -> Body:
        """The body of a name.

        :raises NotArchived: There is none, or it was removed.
        """
        if self.tombstone is not None:
            raise self.tombstone.error()
        return content.find(self.store, self.manifest, name)


def revision_at(site: Settings, url: str) -> Revision:
    """The revision that a URL names: of a manifest, a payload, or a slot for its newest.

    :raises UrlError: It is none below the site's archive.
    :raises NotArchived: Nothing is committed there.
    :raises ArchiveCorrupt: The manifest is damaged.
    """
    store = archive.root(site)
    if re.search(r"/\.|\\|[\x00-\x1f]", url.removeprefix(store.url)):  # no key of ours has any
        raise UrlError(f"{url!r}: not a URL of this archive")
    key = browse.manifest_key_at(store, url)
    manifest = read.manifest_at(store, key)
    folder = key.rpartition("/")[0]
    entries = [each.key for each in store.level(folder).entries if each.key.endswith(".json")]
    siblings = tuple(
        Sibling(int(each.rpartition("/")[2].removesuffix(".json")), locate(store, each))
        for each in reversed(entries[-_SIBLINGS:])
    )
    return Revision(store, key, manifest, tombstone_at(store, key), siblings)


def verified(found: Revision, limit_bytes: int) -> list[Verdict] | None:
    """Check every revision of the slot, byte by byte; None where that is more than the limit.

    All of them, since they share payloads, and each one's manifest holds the digest of the one before.
    """
    size_bytes = 0
    for tree in ("data", "evidence/payloads"):
        for entry in found.store.entries(f"{tree}/{found.folder}"):
            size_bytes += entry.size_bytes
            if size_bytes > limit_bytes:
                return None
    return list(verify(found.store, found.folder))


def of_run(found: Revision, site: Settings) -> list[Hit]:
    """What the same run archived, of every entity, as far as the index knows."""
    run = found.manifest.run
    time = found.manifest.slot.time_utc
    near = timedelta(days=1)
    question = Question(since=time - near, until=time + near, dag=run.dag_id, run=run.run_id)
    return archive.index(site).find(question, question.prefixes(templates_of(site))).hits


def pieces(body: Body) -> Iterator[bytes]:
    """The body as it came, checked: the last piece is given out only once its digest is right."""
    with body.open(verify=True) as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
