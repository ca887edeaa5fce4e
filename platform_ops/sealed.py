"""Records that prove themselves: canonical JSON with a seal over its own text (ADR 0004).

Sorted keys, two spaces, a final newline. ``seal`` is the SHA-256 of the same text without it, so that
a flipped bit shows even in a record that nothing else holds a digest of.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from platform_ops.errors import ArchiveCorrupt

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["from_json", "to_json"]

# A line of the outermost level alone begins so; no string in JSON holds a bare line's end.
_SEAL: Final = re.compile(rb'\n  "seal": "([0-9a-f]{64})",\n')


def to_json(adapter: TypeAdapter[Any], record: object) -> bytes:  # Any: of whichever record
    """The bytes that are stored."""
    # Not mode="json": it alters names of headers that are no valid Unicode.
    plain = adapter.dump_python(record)
    return _canonical({**plain, "seal": _digest(_canonical(plain))})


def from_json(
    adapter: TypeAdapter[Any],  # Any: of whichever record
    data: bytes,
    url: str,
    kind: str,
    version: int,
) -> Any:  # Any: what the adapter makes
    """Read a record back, strictly.

    :param url: Where the bytes came from, for the message.
    :param kind: What it should be, for the message.
    :param version: The format that this release reads.
    :raises ArchiveCorrupt: Not JSON, not such a record, or of a newer version.
    """
    try:
        plain = json.loads(data)
        found = plain["version"]
    except (ValueError, KeyError, TypeError, RecursionError) as err:
        raise ArchiveCorrupt(f"{url}: not a {kind} ({type(err).__name__})") from err
    if found != version:
        raise ArchiveCorrupt(
            f"{url}: {kind} version {found!r}; this release reads {version}; upgrade platform-ops"
        )
    # From the text itself: to write it again would take ten times as long, and prove no more.
    seal = _SEAL.search(data)
    plain.pop("seal", None)
    if seal is None or seal[1].decode() != _digest(data[: seal.start()], data[seal.end() - 1 :]):
        raise ArchiveCorrupt(f"{url}: damaged {kind}: its seal does not match its text")
    try:
        return adapter.validate_python(plain)
    except ValueError as err:
        raise ArchiveCorrupt(f"{url}: damaged {kind}: {_first_fault(err)}") from err


def _digest(*texts: bytes) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text)
    return digest.hexdigest()


def _canonical(plain: Mapping[str, Any]) -> bytes:  # Any: JSON values
    return (json.dumps(plain, sort_keys=True, indent=2, default=_time_text) + "\n").encode()


def _time_text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _first_fault(err: ValueError) -> str:
    faults = err.errors() if hasattr(err, "errors") else []
    if not faults:
        return str(err)
    where = ".".join(str(step) for step in faults[0]["loc"])
    return f"{where}: {faults[0]['msg']}"
