"""What was the newest of every slot, told to a witness that keeps it elsewhere (ADR 0003).

Each manifest names the digest of the one before, so a chain shows what is missing in its middle. Of a
newest manifest that was taken away, of a whole slot, and of a chain that was written anew from some
point on, the archive itself can tell nothing: whoever can do that can make all else fit. A list of heads
that lies where the archive's own credentials do not reach can.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Final

from platform_ops.archive.records.excisions import ancestors, excisions
from platform_ops.archive.records.history import listed
from platform_ops.archive.records.tombstones import tombstone_at
from platform_ops.archive.stores.store import Store, locate
from platform_ops.archive.upkeep.verifying import Fault
from platform_ops.errors import ArchiveError, ConfigError, NotArchived

__all__ = ["Head", "denied", "heads", "parse"]

_KEY: Final = re.compile(r"meta/[!-~]+/[0-9]{6,}\.json")
_DIGEST: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Head:
    """The newest manifest of one slot, as it was when it was told.

    :param key: Below the root: it names the slot's folder and the revision.
    :param sha256: Digest of its bytes, and by the chain of all that came before it.
    """

    key: str
    sha256: str

    def to_json(self) -> str:
        """One line of a witness's list."""
        return json.dumps(asdict(self), ensure_ascii=False)


def heads(store: Store, prefix: str = "") -> Iterator[Head]:
    """The newest manifest of every slot below a prefix, by key.

    One that is damaged is told as it is: what it should be is for ``verify`` to say.
    """
    for slot in listed(store, prefix.strip("/")):
        if slot.manifests:
            key = slot.manifests[-1]
            yield Head(key, hashlib.sha256(store.read(key)).hexdigest())


def parse(lines: Iterable[str], where: str) -> Iterator[Head]:
    """A list, line by line, as :meth:`Head.to_json` writes it.

    :param where: What the lines are of, for messages.
    :raises ConfigError: A line is none of such a list.
    """
    for number, line in enumerate(lines, start=1):
        head = _head(line)
        if head is None:
            raise ConfigError(
                f"{where}, line {number}: no line of a list of heads; give a file that "
                "`platform-ops archive witness` has written"
            )
        yield head


def _head(line: str) -> Head | None:
    try:
        head = Head(**json.loads(line))
        inside = {"", ".", ".."}.isdisjoint(head.key.split("/"))
        fits = inside and _KEY.fullmatch(head.key) and _DIGEST.fullmatch(head.sha256)
    except (ValueError, TypeError, AttributeError):
        return None
    return head if fits else None


def denied(store: Store, told: Iterable[Head], prefix: str = "") -> Iterator[Fault]:
    """Heads that are not in the archive any more, or are other ones than were told.

    Revisions that came since are no fault, nor is a manifest out of which something was erased, whose
    records say so.

    :param prefix: Of the slot folders; heads elsewhere are left alone.
    """
    below = f"meta/{prefix.strip('/')}/" if prefix.strip("/") else "meta/"
    for head in told:
        if head.key.startswith(below) and (fault := _fault(store, head)) is not None:
            yield fault


def _fault(store: Store, head: Head) -> Fault | None:
    url = locate(store, head.key)
    try:
        data = store.read(head.key)
    except NotArchived:
        return Fault("gone", url, f"{url}: a witness has seen it, and nothing removes it")
    except ArchiveError as err:
        return Fault("unreadable", url, str(err))
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 == head.sha256:
        return None
    try:
        stone, records = tombstone_at(store, head.key), excisions(store, head.key)
        if head.sha256 in ancestors(sha256, stone, records):
            return None
    except ArchiveError:
        return None  # its records are damaged: verify names them
    message = f"its SHA-256 is {sha256}, where a witness has seen {head.sha256}"
    return Fault("rewritten", url, f"{url}: {message}")
