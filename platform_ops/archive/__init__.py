"""The archive: the only room that touches storage, and these functions are its door.

It needs no Airflow: an analyst opens, finds and verifies with the base install. Every function takes
the site's settings where they are not passed.
"""

from platform_ops.archive.bag import Bag
from platform_ops.archive.content import Body
from platform_ops.archive.finding import evidence, files, find, index, rehearse, status
from platform_ops.archive.holding import Hold, Release
from platform_ops.archive.index import Index, Question
from platform_ops.archive.keep import LeftAlone, Stray
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
)
from platform_ops.archive.pack import Member
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
from platform_ops.archive.refused import Evidence
from platform_ops.archive.rehearsal import Scene
from platform_ops.archive.removal import Removal
from platform_ops.archive.status import Status
from platform_ops.archive.store import Store, use_credentials
from platform_ops.archive.taking import session
from platform_ops.archive.verify import Fault, Verdict
from platform_ops.archive.write import Commit, Outcome, Session

__all__ = [
    "Bag",
    "Body",
    "Commit",
    "Evidence",
    "Fault",
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
]
