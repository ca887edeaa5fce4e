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
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Self

from platform_ops.errors import ArchiveCorrupt

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["Record"]

# A line of the outermost level alone begins so; no string in JSON holds a bare line's end.
_SEAL: Final = re.compile(rb'\n  "seal": "([0-9a-f]{64})",\n')
_ADVICE: Final = "; restore it from a copy"
"""What a record's text was nobody knows but a copy; nothing here repairs by guessing."""


class Record:
    """A frozen dataclass that is stored so; its field ``version`` is that of its format."""

    __slots__ = ()
    kind: ClassVar[str]
    """What it is, for messages."""

    def to_json(self) -> bytes:
        """Canonical JSON, sealed: the bytes that are stored."""
        # Not mode="json": it alters names of headers that are no valid Unicode.
        plain = _format(type(self)).adapter.dump_python(self)  # type: ignore[arg-type]  # a class has a hash
        return _canonical({**plain, "seal": _digest(_canonical(plain))})

    @classmethod
    def from_json(cls, data: bytes, url: str) -> Self:
        """Read a record back, strictly.

        :param url: Where the bytes came from, for the message.
        :raises ArchiveCorrupt: Not JSON, not such a record, damaged, or of a newer version.
        """
        kind, known = cls.kind, _format(cls)  # type: ignore[arg-type]  # as above
        try:
            plain = json.loads(data)
            version = plain["version"]
        except (ValueError, KeyError, TypeError, RecursionError) as err:
            raise ArchiveCorrupt(f"{url}: not a {kind} ({type(err).__name__}){_ADVICE}") from err
        if version != known.version:
            raise ArchiveCorrupt(
                f"{url}: {kind} version {version!r}; this release reads {known.version}; upgrade "
                "platform-ops"
            )
        # From the text itself: to write it again would take ten times as long, and prove no more.
        seal = _SEAL.search(data)
        plain.pop("seal", None)
        told = seal and _digest(data[: seal.start()], data[seal.end() - 1 :])
        if seal is None or seal[1].decode() != told:
            fault = "its seal does not match its text"
            raise ArchiveCorrupt(f"{url}: damaged {kind}: {fault}{_ADVICE}")
        try:
            found: Self = known.adapter.validate_python(plain)
        except ValueError as err:
            raise ArchiveCorrupt(f"{url}: damaged {kind}: {_first_fault(err)}{_ADVICE}") from err
        return found


class _Format(NamedTuple):
    """What reads and writes one class of records, and the version that this release knows."""

    adapter: TypeAdapter[Any]  # Any: of whichever record
    version: int


@cache
def _format(record: Any) -> _Format:  # Any: a class of records
    from pydantic import TypeAdapter

    version: Any = record.__dataclass_fields__["version"].default  # Any: of any dataclass
    return _Format(TypeAdapter(record), version)


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
