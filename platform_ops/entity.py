"""The values that travel through the platform: all frozen, none knows Airflow or a store.

An :class:`Entity` names what arrives, a :class:`Slot` says which capture of it should exist, a
:class:`Part` is one payload as it comes in, a :class:`Payload` the same one as committed, and a
:class:`Manifest` the commit itself. A :class:`Reference` is what travels by XCom instead of bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol
from urllib.parse import quote

from platform_ops.errors import ArchiveCorrupt, UrlError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = [
    "MANIFEST_VERSION",
    "Blob",
    "Entity",
    "Manifest",
    "Members",
    "Origin",
    "Part",
    "Payload",
    "Reference",
    "RunIdentity",
    "Slot",
    "Stored",
    "content_digest",
    "digest_line",
    "manifest_schema",
]

MANIFEST_VERSION: Final = 1
"""The manifest format that this release writes. A reader refuses a newer one by name."""


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """What arrives from outside, named ``source.name``, for instance ``weather.forecast``.

    :param source: The system that it comes from; has no dot.
    :param name: What that system calls it; may contain further dots.
    :raises UrlError: A part is empty, or the source has a dot.
    """

    source: str
    name: str

    def __post_init__(self) -> None:
        if not self.source or not self.name or "." in self.source:
            raise UrlError(
                f"entity {f'{self.source}.{self.name}'!r}: source {self.source!r} and name "
                f"{self.name!r} must not be empty, and the source has no dot"
            )

    @classmethod
    def parse(cls, text: str | Entity) -> Entity:
        """Split ``source.name`` at its first dot.

        :raises UrlError: There is no dot, or nothing on one side of it.
        """
        if isinstance(text, Entity):
            return text
        source, dot, name = text.partition(".")
        if not (source and dot and name):
            raise UrlError(
                f"entity {text!r}: write it as source.name, for instance 'weather.forecast'"
            )
        return cls(source, name)

    @property
    def uri(self) -> str:
        """The URI of the entity's Airflow asset; it does not depend on where the archive is."""
        source, name = (
            quote(part, safe="", errors="surrogatepass") for part in (self.source, self.name)
        )
        return f"platform-ops://{source}/{name}"

    def __str__(self) -> str:
        return f"{self.source}.{self.name}"


@dataclass(frozen=True, slots=True)
class Slot:
    """What should exist: one entity, at one time, for one partition and map key.

    :param time_utc: The partition's date, else the start of the data interval, else
        ``dag_run.run_after``; never the wall clock. Stored in UTC.
    :param partition_key: Airflow's partition key, which need not be a date.
    :param map_key: The rendered key of a mapped task.
    :param team: The team that owns the run, on a multi-team site.
    :raises UrlError: ``time_utc`` has no time zone.
    """

    entity: Entity
    time_utc: datetime
    partition_key: str | None = None
    map_key: str | None = None
    team: str | None = None

    def __post_init__(self) -> None:
        if self.time_utc.tzinfo is None:
            raise UrlError(f"slot of {self.entity}: {self.time_utc!r} has no time zone; add one")
        object.__setattr__(self, "time_utc", self.time_utc.astimezone(UTC))

    def __str__(self) -> str:
        keys = [f"part={self.partition_key}"] if self.partition_key is not None else []
        keys += [f"map={self.map_key}"] if self.map_key is not None else []
        return " ".join([str(self.entity), f"{self.time_utc:%Y-%m-%dT%H:%M:%SZ}", *keys])


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Which try of which task wrote a revision; it stands in the manifest, never in the path."""

    dag_id: str
    task_id: str
    run_id: str
    map_index: int = -1
    try_number: int = 1
    max_tries: int = 0
    team: str | None = None
    interval_start_utc: datetime | None = None
    interval_end_utc: datetime | None = None

    def is_retry_of(self, other: RunIdentity) -> bool:
        """Whether both are tries of one task instance with no clear between them.

        Airflow raises ``max_tries`` when a task is cleared, and only then.
        """

        def key(run: RunIdentity) -> tuple[str, str, str, int, int]:
            return (run.dag_id, run.task_id, run.run_id, run.map_index, run.max_tries)

        return key(self) == key(other)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a payload came from, as the source told it, with every secret already left out.

    :param url: Redacted URL or address; user, password and signed parameters never enter.
    :param method: Verb or statement kind, such as ``GET``.
    :param fingerprint: SHA-256 in hex over what was asked for; equal requests have equal ones.
    :param status: Answer code of the protocol, where it has one.
    :param headers: The answer's headers that are on the allowlist, names in lower case.
    :param fetched_at_utc: When the first byte arrived.
    """

    url: str
    method: str = "GET"
    fingerprint: str | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    fetched_at_utc: datetime | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One payload on its way in.

    :param name: File name below the revision's folder, such as ``page-0001.json``.
    :param body: Shape ``(chunks,)``, read once and lazily; each chunk up to 64 MiB.
    :param media_type: RFC 6838 type of the bytes as they came.
    :param codec: Content coding that the bytes still carry (``gzip``), if any.
    :param size_bytes: Length that the source announced; another length is an error.
    :param rows: Records in the body, where the source knows; or what tells it once the body was read.
    :param schema_sha256: Digest of the columns' names and types, likewise.
    """

    name: str
    body: Iterable[bytes]
    origin: Origin
    media_type: str = "application/octet-stream"
    codec: str | None = None
    size_bytes: int | None = None
    rows: int | Callable[[], int | None] | None = None
    schema_sha256: str | Callable[[], str | None] | None = None

    def rows_read(self) -> int | None:
        """The records that the body held, now that it was read."""
        return self.rows() if callable(self.rows) else self.rows

    def schema_read(self) -> str | None:
        """The digest of its columns, now that it was read."""
        return self.schema_sha256() if callable(self.schema_sha256) else self.schema_sha256


@dataclass(frozen=True, slots=True)
class Blob:
    """One object that a manifest commits to, as it lies in the store."""

    key: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Stored:
    """How a payload lies in the store, where it is not kept as it came.

    :param codec: ``gzip`` or ``zstd`` where the archive compressed it, ``zip`` for a pack.
    :param sha256: Hex digest of the object as it is stored.
    """

    codec: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Members:
    """The list of a pack's bodies: an object beside the pack, JSON lines in gzip (ADR 0008).

    :param count: Bodies in the pack.
    :param first: The lowest of their names, and ``last`` the highest: which pack to look into.
    """

    key: str
    size_bytes: int
    sha256: str
    count: int
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Payload:
    """One payload as committed: a body, or a pack of many small ones.

    :param key: Key below the archive's root; revisions with equal bytes share one.
    :param size_bytes: Length of the bytes as they came; of a pack's bodies together.
    :param sha256: Hex digest of the bytes as they came; of a pack what ``sha256sum * | sha256sum``
        prints where its bodies lie. It does not depend on how they are stored.
    :param codec: Content coding that the bytes as they came still carry.
    :param stored: How it is stored, where that differs; ``key`` then holds those bytes.
    :param members: Where a pack lists its bodies; None for a body alone.
    """

    key: str
    name: str
    size_bytes: int
    sha256: str
    media_type: str
    origin: Origin
    codec: str | None = None
    rows: int | None = None
    schema_sha256: str | None = None
    stored: Stored | None = None
    members: Members | None = None

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """Every object that holds a part of it: what must be there, kept, and left as it is."""
        held = self.stored or self
        body = Blob(self.key, held.size_bytes, held.sha256)
        listed = self.members
        if listed is None:
            return (body,)
        return (body, Blob(listed.key, listed.size_bytes, listed.sha256))


class _Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...


def content_digest(bodies: Iterable[_Named]) -> str:
    """SHA-256 over the lines ``<sha256>  <name>`` of all bodies, in order.

    It is what ``sha256sum * | sha256sum`` prints in a folder that holds these bodies alone under
    their names, so that anyone can check it with stock tools.
    """
    digest = hashlib.sha256()
    for each in bodies:
        digest.update(digest_line(each.name, each.sha256))
    return digest.hexdigest()


def digest_line(name: str, sha256: str) -> bytes:
    """One body's line, as GNU ``sha256sum`` writes it."""
    # A name that could end the line is escaped, and the line marked.
    escaped = name.replace("\\", r"\\").replace("\n", r"\n").replace("\r", r"\r")
    mark = "" if escaped == name else "\\"
    return f"{mark}{sha256}  {escaped}\n".encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One committed revision of a slot: the only thing that makes its payloads visible.

    :param revision: Counts from 1 within the slot.
    :param previous_sha256: Digest of the manifest before this one, which makes a chain.
    :param token: Distinguishes writers; part of the payload folder's name.
    :param template: The URL template in force at the commit.
    :param sha256: :func:`content_digest` of the payloads.
    :param redacted: How many values each field path of the site took out of the bodies.
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
    encryption: str | None = None
    retention_days: int | None = None
    hold: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)
    version: int = MANIFEST_VERSION

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

    def to_json(self) -> bytes:
        """Canonical JSON, sealed: the bytes that are stored."""
        from platform_ops import sealed  # a DAG file that only names an entity needs no pydantic

        return sealed.to_json(_adapter(), self)

    @classmethod
    def from_json(cls, data: bytes, url: str) -> Manifest:
        """Read a manifest back, strictly.

        :param url: Where the bytes came from, for the message.
        :raises ArchiveCorrupt: Not JSON, not a manifest, or of a newer version.
        """
        from platform_ops import sealed

        found: Manifest = sealed.from_json(_adapter(), data, url, "manifest", MANIFEST_VERSION)
        return found


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
    schema = _adapter().json_schema(mode=mode)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"]["seal"] = {
        "description": "SHA-256 in hex of the same text without this field.",
        "pattern": "^[0-9a-f]{64}$",
        "title": "Seal",
        "type": "string",
    }
    schema["required"].append("seal")
    return schema


@cache
def _adapter() -> TypeAdapter[Manifest]:
    # Inside the function: a DAG file that only names an entity pays nothing for pydantic.
    from pydantic import TypeAdapter

    return TypeAdapter(Manifest)


def _outline(value: object) -> str:
    """What came instead of a reference, without its values."""
    if isinstance(value, Mapping):
        return ", ".join(map(str, value)) or "nothing"
    return type(value).__name__
