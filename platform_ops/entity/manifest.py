"""The commit itself, and what travels by XCom in the place of its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final, Literal

from platform_ops.entity.payload import Payload
from platform_ops.entity.slot import RunIdentity, Slot
from platform_ops.errors import ArchiveCorrupt
from platform_ops.sealed import Record

__all__ = ["MANIFEST_VERSION", "CheckKind", "Manifest", "Reference", "Remark", "manifest_schema"]

MANIFEST_VERSION: Final = 1
"""The manifest format that this release writes. A reader refuses a newer one by name."""


CheckKind = Literal["empty", "truncated", "unparsable", "small", "large"]
"""What can be wrong with a delivery."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What a check found of a delivery that was taken all the same.

    :param policy: By which it was taken: ``warn``, or ``accept``.
    :param message: What was found, in words.
    :param body: Name of the body; None where it is the delivery as a whole.
    """

    check: CheckKind
    policy: str
    message: str
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest(Record):
    """One committed revision of a slot: the only thing that makes its payloads visible.

    :param revision: Counts from 1 within the slot.
    :param previous_sha256: Digest of the manifest before this one, which makes a chain.
    :param token: Distinguishes writers; part of the payload folder's name.
    :param template: The URL template in force at the commit.
    :param sha256: :func:`content_digest` of the payloads.
    :param redacted: How many values each field path of the site took out of the bodies.
    :param watermark: How far the source was read, in its own terms; what the next capture goes on from.
    :param remarks: What the site's checks found, and its policies let pass.
    :param encryption: What the store was told to encrypt by, such as ``aws:kms`` and a key's name.
    """

    slot: Slot
    revision: int
    token: str
    run: RunIdentity
    template: str
    payloads: tuple[Payload, ...]
    sha256: str
    started_at_utc: datetime
    committed_at_utc: datetime
    previous_sha256: str | None = None
    redacted: Mapping[str, int] = field(default_factory=dict)
    watermark: str | None = None
    remarks: tuple[Remark, ...] = ()
    encryption: str | None = None
    retention_days: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    version: int = MANIFEST_VERSION
    kind: ClassVar[str] = "manifest"

    @property
    def bodies(self) -> int:
        """How many bodies came; a pack holds many."""
        return sum(each.members.count if each.members else 1 for each in self.payloads)

    @property
    def size_bytes(self) -> int:
        """Bytes of all payloads together, as they came."""
        return sum(payload.size_bytes for payload in self.payloads)

    @property
    def rows(self) -> int | None:
        """Rows of all payloads together; None when any payload does not know."""
        counts = [payload.rows for payload in self.payloads]
        known = [count for count in counts if count is not None]
        return sum(known) if known and len(known) == len(counts) else None


@dataclass(frozen=True, slots=True)
class Reference:
    """What travels by XCom and asset event instead of the bytes.

    :param manifest_url: URL of the commit mark.
    :param sha256: :func:`content_digest` of the payloads.
    :param manifest_sha256: Digest of the manifest's own bytes; readers check it.
    """

    entity: str
    revision: int
    manifest_url: str
    manifest_sha256: str
    sha256: str
    size_bytes: int
    rows: int | None
    payload_urls: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:  # Any: JSON values of four types
        """The plain dictionary that enters XCom; :meth:`from_dict` reads it back."""
        names = Reference.__dataclass_fields__
        plain = {name: getattr(self, name) for name in names}
        return {**plain, "payload_urls": list(self.payload_urls)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Reference:  # Any: JSON values of four types
        """Read a reference back from XCom.

        :raises ArchiveCorrupt: A field is missing or unknown.
        """
        try:
            return cls(**{**plain, "payload_urls": tuple(plain["payload_urls"])})
        except (KeyError, TypeError) as err:
            raise ArchiveCorrupt(
                f"not a reference of the archive: got {_outline(plain)}; "
                f"its fields are {', '.join(Reference.__dataclass_fields__)}"
            ) from err


def manifest_schema(
    mode: Literal["validation", "serialization"] = "serialization",
) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the manifest, as published on the site."""
    # Inside the function: a DAG file that only names an entity pays nothing for pydantic.
    from pydantic import TypeAdapter

    schema = TypeAdapter(Manifest).json_schema(mode=mode)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"]["seal"] = {
        "description": "SHA-256 in hex of the same text without this field.",
        "pattern": "^[0-9a-f]{64}$",
        "title": "Seal",
        "type": "string",
    }
    schema["required"].append("seal")
    return schema


def _outline(value: object) -> str:
    """What came instead of a reference, without its values."""
    if isinstance(value, Mapping):
        return ", ".join(map(str, value)) or "nothing"
    return type(value).__name__
