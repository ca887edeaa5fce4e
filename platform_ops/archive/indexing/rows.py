"""From a manifest's bytes to what the index keeps of it, as plain tuples: they travel between processes.

The seal is checked here, over the text as it is stored. The strict reading, which costs ten times as
much, is for what the quick one does not understand: it finds the fault, or that there is none.
"""

from __future__ import annotations

import hashlib
import json
import marshal
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from platform_ops.archive.records import read
from platform_ops.archive.stores.store import Store, locate
from platform_ops.entity import MANIFEST_VERSION, Manifest
from platform_ops.errors import ArchiveCorrupt, NotArchived, UrlError
from platform_ops.url_scheme import Template, encode, manifest_key

__all__ = [
    "MANIFEST_COLUMNS",
    "PAYLOAD_COLUMNS",
    "Listed",
    "Row",
    "bodies_of",
    "checksum",
    "digest_of",
    "microseconds",
    "moment",
    "row_at",
    "row_of",
    "storable",
]

MANIFEST_COLUMNS: Final = (
    *("key", "stored_bytes", "stored_us", "fault", "source", "entity", "time_us", "partition_key"),
    *("map_key", "team", "revision", "dag_id", "task_id", "run_id", "map_index", "try_number"),
    *("committed_us", "size_bytes", "rows", "bodies", "sha256", "manifest_sha256"),
    "checksum",
)
"""What is kept of each manifest, in the order of a row's first half."""
PAYLOAD_COLUMNS: Final = ("sha256", "fingerprint", "url", "name")
"""What is kept of each payload, and of each body of a pack."""

Listed = tuple[str, int, int | None]
"""Key, size in bytes and time of storing in microseconds: how a listing showed a manifest."""

Row = tuple[
    tuple[Any, ...], list[tuple[Any, ...]], list[tuple[str, str]]
]  # Any: texts, numbers, digests, or nothing
"""A manifest's columns, those of each of its payloads, and key and digest of each pack's list."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# At the left margin of the outermost object, where no text inside of it can come to stand.
_SEAL: Final = re.compile(rb'\n  "seal": "([0-9a-f]{64})",(?=\n)')
_DIGEST: Final = re.compile("[0-9a-f]{64}")


def row_at(store: Store, listed: Listed) -> Row | None:
    """Read a manifest that was listed; None where it is gone by now."""
    try:
        return row_of(store, listed, store.read(listed[0]))
    except NotArchived:
        return None


def row_of(store: Store, listed: Listed, data: bytes) -> Row:
    """The row of a manifest, with its fault where it has one."""
    key = listed[0]
    quick = _quickly(key, data)
    if quick is None:
        try:
            quick = _strictly(locate(store, key), key, data), hashlib.sha256(data).digest()
        except ArchiveCorrupt as err:
            return _faulty(listed, data, str(err))
    plain, digest = quick
    slot, run, entity = plain["slot"], plain["run"], plain["slot"]["entity"]
    payloads = plain["payloads"]
    size_bytes = bodies = 0
    lists, rows = [], list[tuple[Any, ...]]()  # Any: as in a row
    for each in payloads:
        size_bytes += each["size_bytes"]
        if members := each.get("members"):
            lists.append((members["key"], members["sha256"]))
        bodies += members["count"] if members else 1
        rows += _payload(each)
    columns = (
        *listed,
        None,
        storable(entity["source"]),
        storable(entity["name"]),
        microseconds(datetime.fromisoformat(slot["time_utc"])),
        storable(slot["partition_key"]),
        storable(slot["map_key"]),
        storable(slot["team"]),
        plain["revision"],
        storable(run["dag_id"]),
        storable(run["task_id"]),
        storable(run["run_id"]),
        run["map_index"],
        run["try_number"],
        microseconds(datetime.fromisoformat(plain["committed_at_utc"])),
        size_bytes,
        _sum_of_rows(payloads),
        bodies,
        digest_of(plain["sha256"]),
        digest,
    )
    return (*columns, checksum(columns)), rows, lists


def checksum(columns: tuple[Any, ...]) -> int:  # Any: as in a row
    """Over a row without its last column: tells a row that rotted in the index's own file."""
    # In marshal's second format, which knows neither references nor interned texts.
    return zlib.crc32(marshal.dumps(columns, 2))


def microseconds(time: datetime) -> int:
    """A time as the index keeps it: microseconds since 1970, in UTC."""
    return (time - _EPOCH) // _MICROSECOND


def moment(stamp: int) -> datetime:
    """The time behind :func:`microseconds`."""
    return _EPOCH + stamp * _MICROSECOND


def digest_of(text: str | None) -> bytes | str | None:
    """Half the room for a digest in hex; what is none stays as it is."""
    if text is not None and _DIGEST.fullmatch(text):
        return bytes.fromhex(text)
    return storable(text)


def storable(text: str | None) -> str | None:
    """The text, with half a surrogate pair written out: SQLite takes valid Unicode alone."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def _quickly(key: str, data: bytes) -> tuple[dict[str, Any], bytes] | None:  # Any: JSON values
    """The manifest and its digest, where its seal fits its text and it stands where it belongs."""
    from pydantic_core import from_json

    hit = _SEAL.search(data)
    if hit is None:
        return None
    rest = memoryview(data)
    unsealed = hashlib.sha256(rest[: hit.start()])
    whole = unsealed.copy()  # what stands before the seal, which is most of it, is hashed once
    unsealed.update(rest[hit.end() :])
    if unsealed.hexdigest().encode() != hit[1]:
        return None
    whole.update(rest[hit.start() :])
    try:
        plain: dict[str, Any] = from_json(data, cache_strings="keys")  # Any: JSON values
        fits = plain["version"] == MANIFEST_VERSION and _belongs(key, plain)
    except (ValueError, KeyError, TypeError):
        return None
    return (plain, whole.digest()) if fits else None


def _strictly(url: str, key: str, data: bytes) -> dict[str, Any]:  # Any: JSON values
    manifest = Manifest.from_json(data, url)
    if (fault := read.misplaced(key, manifest)) is not None:
        raise ArchiveCorrupt(f"{url}: {fault}")
    plain: dict[str, Any] = json.loads(data)  # Any: JSON values
    return plain


def _belongs(key: str, plain: dict[str, Any]) -> bool:  # Any: JSON values
    """Whether the key is the one that slot, revision and template give, at a tenth of the cost."""
    slot = plain["slot"]
    entity = slot["entity"]
    levels = (entity["source"], entity["name"])
    keys = (slot["partition_key"], slot["map_key"], slot["team"])
    frame = _frame(plain["template"], *levels, *keys)
    if frame is None:
        return False
    date, _, time = slot["time_utc"].partition("T")
    folder = frame.replace("{date}", date).replace("{time}", time.replace(":", ""))
    return key == manifest_key(folder.replace("{hour}", time[:2]), plain["revision"])


@lru_cache(maxsize=4096)
def _frame(
    template: str,
    source: str,
    entity: str,
    partition_key: str | None,
    map_key: str | None,
    team: str | None,
) -> str | None:
    """The folder of slots that differ in their time alone, with that as fields; None without one."""
    try:
        compiled = Template.compile(template)
    except UrlError:
        return None
    keys = {"partition_key": partition_key, "map_key": map_key, "team": team}
    known = {"source": source, "entity": entity, **keys}
    encoded = {field: encode(text) for field, text in known.items() if text is not None}
    return compiled.fill(encoded)


def _payload(payload: dict[str, Any]) -> Iterator[tuple[Any, ...]]:  # Any: JSON values
    origin, stored = payload["origin"], payload.get("stored")
    yield (
        digest_of(payload["sha256"]),
        digest_of(origin["fingerprint"]),
        storable(origin["url"]),
        None if payload.get("members") else storable(payload["name"]),
    )
    if stored is not None:
        yield digest_of(stored["sha256"]), None, None, None


def bodies_of(listing: bytes) -> list[tuple[Any, ...]]:  # Any: as in a row
    """What is kept of each body of a pack, from the pack's list."""
    from pydantic_core import from_json

    plain: list[dict[str, Any]] = from_json(  # Any: JSON values
        b"[" + b",".join(listing.splitlines()) + b"]", cache_strings="keys"
    )
    return [
        (
            digest_of(each["sha256"]),
            digest_of(each["origin"]["fingerprint"]),
            storable(each["origin"]["url"]),
            storable(each["name"]),
        )
        for each in plain
    ]


def _sum_of_rows(payloads: list[dict[str, Any]]) -> int | None:  # Any: JSON values
    counts = [payload["rows"] for payload in payloads]
    return sum(counts) if counts and None not in counts else None


def _faulty(listed: Listed, data: bytes, fault: str) -> Row:
    rest = [None] * (len(MANIFEST_COLUMNS) - len(listed) - 3)
    columns = (*listed, storable(fault), *rest, hashlib.sha256(data).digest())
    return (*columns, checksum(columns)), [], []
