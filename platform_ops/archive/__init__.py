"""The archive: the only room that touches storage, and these functions are its door.

It needs no Airflow: an analyst opens, finds and verifies with the base install. Every function takes
the site's settings where they are not passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from platform_ops.facade import deferred

if TYPE_CHECKING:
    from platform_ops.archive.arrivals import Status
    from platform_ops.archive.credentials import use_credentials
    from platform_ops.archive.finding import evidence, files, find, index, recent, rehearse, status
    from platform_ops.archive.indexing import Index, Question
    from platform_ops.archive.keeping import (
        erase,
        expire,
        export,
        hold,
        holds,
        release,
        shards,
        sweep,
        verify,
        witness,
    )
    from platform_ops.archive.outcome import Commit, Outcome
    from platform_ops.archive.payloads.content import Body
    from platform_ops.archive.payloads.pack import Member
    from platform_ops.archive.place import root, url
    from platform_ops.archive.reading import (
        as_arrow,
        batches,
        bodies,
        manifest,
        newest,
        open,
        refer,
        revisions,
    )
    from platform_ops.archive.rehearsal import Scene
    from platform_ops.archive.stores.store import Store
    from platform_ops.archive.taking import session
    from platform_ops.archive.upkeep.bag import Bag
    from platform_ops.archive.upkeep.holding import Hold, Release
    from platform_ops.archive.upkeep.refused import Evidence
    from platform_ops.archive.upkeep.removal import Removal
    from platform_ops.archive.upkeep.sweeping import LeftAlone, Stray
    from platform_ops.archive.upkeep.verifying import Fault, Verdict
    from platform_ops.archive.upkeep.witnesses import Head
    from platform_ops.archive.writing.write import Session

__all__ = [
    "Bag",
    "Body",
    "Commit",
    "Evidence",
    "Fault",
    "Head",
    "Hold",
    "Index",
    "LeftAlone",
    "Member",
    "Outcome",
    "Question",
    "Release",
    "Removal",
    "Scene",
    "Session",
    "Status",
    "Store",
    "Stray",
    "Verdict",
    "as_arrow",
    "batches",
    "bodies",
    "erase",
    "evidence",
    "expire",
    "export",
    "files",
    "find",
    "hold",
    "holds",
    "index",
    "manifest",
    "newest",
    "open",
    "recent",
    "refer",
    "rehearse",
    "release",
    "revisions",
    "root",
    "session",
    "shards",
    "status",
    "sweep",
    "url",
    "use_credentials",
    "verify",
    "witness",
]

_HOMES: Final = {
    "platform_ops.archive.upkeep.bag": ("Bag",),
    "platform_ops.archive.payloads.content": ("Body",),
    "platform_ops.archive.credentials": ("use_credentials",),
    "platform_ops.archive.finding": (
        "evidence",
        "files",
        "find",
        "index",
        "recent",
        "rehearse",
        "status",
    ),
    "platform_ops.archive.upkeep.holding": ("Hold", "Release"),
    "platform_ops.archive.indexing": ("Index", "Question"),
    "platform_ops.archive.upkeep.sweeping": ("LeftAlone", "Stray"),
    "platform_ops.archive.keeping": (
        "erase",
        "expire",
        "export",
        "hold",
        "holds",
        "release",
        "shards",
        "sweep",
        "verify",
        "witness",
    ),
    "platform_ops.archive.outcome": ("Commit", "Outcome"),
    "platform_ops.archive.payloads.pack": ("Member",),
    "platform_ops.archive.place": ("root", "url"),
    "platform_ops.archive.reading": (
        "as_arrow",
        "batches",
        "bodies",
        "manifest",
        "newest",
        "open",
        "refer",
        "revisions",
    ),
    "platform_ops.archive.upkeep.refused": ("Evidence",),
    "platform_ops.archive.rehearsal": ("Scene",),
    "platform_ops.archive.upkeep.removal": ("Removal",),
    "platform_ops.archive.arrivals": ("Status",),
    "platform_ops.archive.stores.store": ("Store",),
    "platform_ops.archive.taking": ("session",),
    "platform_ops.archive.upkeep.verifying": ("Fault", "Verdict"),
    "platform_ops.archive.upkeep.witnesses": ("Head",),
    "platform_ops.archive.writing.write": ("Session",),
}

if not TYPE_CHECKING:  # a checker would take every name for one of this package
    __getattr__, __dir__ = deferred(__name__, _HOMES)
