"""Where a slot lives: compile a template once, render URLs, parse them back. Pure, no storage.

The template covers the slot's folder; around it the archive puts what it alone decides::

    {root}/data/{slot folder}/{revision:06d}-{token}/{name}     payloads
    {root}/meta/{slot folder}/{revision:06d}.json               manifests, the commit marks

A site may reorder levels, add literal ones, and add an hour level. Nothing freer: so every
template stays injective, and ``parse(render(slot)) == slot`` unless a level had to be hashed.
See ADR 0002.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from platform_ops.entity import Entity, Slot
from platform_ops.errors import UrlError

__all__ = [
    "DEFAULT_TEMPLATE",
    "FIELDS",
    "KEY_LIMIT_BYTES",
    "Template",
    "decode",
    "encode",
    "file_name",
    "manifest_key",
    "payload_key",
    "template_key",
]

DEFAULT_TEMPLATE: Final = (
    "v1/{source}/{entity}/dt={date}/at={time}/team={team}/part={partition_key}/map={map_key}"
)
KEY_LIMIT_BYTES: Final = 900
"""Longest key below the root; S3 stops at 1,024 bytes, and the root needs some of them."""
SEGMENT_LIMIT_BYTES: Final = 200
"""Longest encoded level; file systems stop at 255 bytes."""

FIELDS: Final = {
    "source": "the entity's source; required",
    "entity": "the entity's name within its source; required",
    "date": "day of the slot's time, YYYY-MM-DD in UTC; required",
    "time": "time of day, HHMMSSZ, with a fraction of six digits where there is one; required",
    "hour": "hour of the slot's time, HH; optional, beside date and time",
    "team": "team of the run; left out where there is none; needs key=",
    "partition_key": "Airflow's partition key; left out where there is none; needs key=; required",
    "map_key": "key of a mapped task; left out where there is none; needs key=; required",
}
"""Every field that a template may name, and what it becomes."""

_REQUIRED = ("source", "entity", "date", "time", "partition_key", "map_key")
_NULLABLE = ("team", "partition_key", "map_key")
_TIMES = ("date", "time", "hour")  # written by us, in one way: nothing in them needs an escape
_LEVEL = re.compile(r"(?P<key>[a-z][a-z0-9_-]*=)?\{(?P<field>[a-z_]+)\}")
_LITERAL = re.compile(r"[a-z0-9][a-z0-9._-]*(?<!\.)")
_KEY_LIMIT_LETTERS = 40
"""Longest ``key=`` of a level: with a value of 200 bytes the level stays below 255."""
_NO_LETTERS = frozenset(b"0123456789._-")
_SAFE = _NO_LETTERS | frozenset(b"abcdefghijklmnopqrstuvwxyz")
_ANY_CASE = _SAFE | frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)")
_HASHED = re.compile(r"~h[0-9a-f]{32}$")


def encode(text: str) -> str:
    """One path segment for any text, injectively; the empty string becomes ``~e``.

    UTF-8, with ``%XX`` outside ``[a-z0-9._-]``, so that two texts differ on a file system that folds
    case as well; a leading or trailing dot, and the first letter of a Windows device name, are
    written as ``%XX`` too, so that no value can leave the root or name a device. A result over 200
    bytes becomes a prefix, ``~h``, and 32 hex digits of its SHA-256: that one cannot be decoded, and
    the manifest keeps the original.

    Source: RFC 3986 section 2.1; Microsoft, "Naming Files, Paths, and Namespaces".
    """
    return _encode(text, _SAFE)


def _encode(text: str, safe: frozenset[int]) -> str:
    if not text:
        return "~e"
    raw = text.encode("utf-8", "surrogatepass")
    forced = {0, len(raw) - 1} if raw[:1] == b"." or raw[-1:] == b"." else set()
    forced = {index for index in forced if raw[index] == ord(".")}
    if _DEVICE.match(text):
        forced.add(0)
    if not forced and safe.issuperset(raw):
        segment = text
    else:
        segment = "".join(
            chr(byte) if byte in safe and index not in forced else f"%{byte:02X}"
            for index, byte in enumerate(raw)
        )
    if len(segment) <= SEGMENT_LIMIT_BYTES:
        return segment
    digest = hashlib.sha256(raw).hexdigest()[:32]
    # A cut may fall inside %XX; the digest decides, the prefix is for the eye alone.
    return f"{segment[: SEGMENT_LIMIT_BYTES - 34].rstrip('.')}~h{digest}"


def decode(segment: str) -> str:
    """The text that :func:`encode` made this segment of.

    :raises UrlError: No text encodes to it, or it was hashed and cannot be inverted.
    """
    if segment == "~e":
        return ""
    if _HASHED.search(segment):
        raise UrlError(f"level {segment!r} is hashed; its original stands in the manifest")
    try:
        raw = re.sub(
            rb"%([0-9A-F]{2})", lambda hit: bytes.fromhex(hit[1].decode()), segment.encode()
        )
        text = raw.decode("utf-8", "surrogatepass")
    except UnicodeError as err:
        raise UrlError(f"level {segment!r} is not UTF-8 once decoded") from err
    if encode(text) != segment:
        raise UrlError(f"level {segment!r} is not how {text!r} is written: {encode(text)!r}")
    return text


@dataclass(frozen=True, slots=True)
class _Level:
    """One segment of a template: a literal, or a field behind an optional ``key=``."""

    key: str
    field: str | None


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled URL template.

    :param text: As the site wrote it.
    """

    text: str
    levels: tuple[_Level, ...]

    @classmethod
    @lru_cache(maxsize=64)
    def compile(cls, text: str) -> Template:
        """Check a template once, at load.

        :raises UrlError: An unknown, missing or doubled field; no literal level in front; a level
            that could be mistaken for another.
        """
        levels = tuple(_compile_level(text, segment) for segment in text.split("/"))
        named = [level.field for level in levels if level.field]
        missing = [name for name in _REQUIRED if name not in named]
        if missing:
            raise _template_error(text, f"lacks {', '.join(f'{{{name}}}' for name in missing)}")
        doubled = sorted({name for name in named if named.count(name) > 1})
        if doubled:
            raise _template_error(text, f"names {{{doubled[0]}}} twice")
        if levels[0].field:
            raise _template_error(text, "must start with a literal level, such as 'v1'")
        keys = [level.key for level in levels if level.field and level.key]
        if len(set(keys)) < len(keys):
            raise _template_error(text, "uses one key= for two fields")
        return cls(text, levels)

    @property
    def prefix(self) -> str:
        """The literal levels in front of the first field: all of the template's keys share them."""
        fields = [index for index, level in enumerate(self.levels) if level.field]
        return "/".join(level.key for level in self.levels[: fields[0]])

    def render(self, slot: Slot) -> str:
        """The slot's folder, without root and without slashes at the ends.

        :raises UrlError: The folder exceeds the key limit, or the slot has a team and the template
            no level for it.
        """
        if slot.team is not None and all(level.field != "team" for level in self.levels):
            raise UrlError(
                f"{slot}: its run belongs to team {slot.team!r}, and the URL template has no level "
                "team={team}; add it to archive.template"
            )
        values = _values(slot)
        segments = [
            level.key if level.field is None else level.key + _segment(level.field, value)
            for level in self.levels
            if (value := values[level.field] if level.field else "") is not None
        ]
        folder = "/".join(segments)
        _check_length(folder, slot)
        return folder

    def fill(self, encoded: Mapping[str, str]) -> str | None:
        """The folder of encoded levels, by field, with those of time left as ``{date}``.

        No encoded level has a brace. None where the template has no level for one of them.
        """
        if not encoded.keys() <= {level.field for level in self.levels}:
            return None
        segments = (
            level.key + (encoded.get(level.field, f"{{{level.field}}}") if level.field else "")
            for level in self.levels
            if level.field not in _NULLABLE or level.field in encoded
        )
        return "/".join(segments)

    def folder_of(self, entity: Entity) -> str:
        """The deepest folder that holds every slot of the entity, and that is known without one."""
        known = {"source": entity.source, "entity": entity.name}
        segments = []
        for level in self.levels:
            if level.field is not None and level.field not in known:
                break
            segments.append(level.key + (encode(known[level.field]) if level.field else ""))
        return "/".join(segments)

    def split(self, folder: str) -> dict[str, str] | None:
        """The folder's encoded levels by field, or None where it is not of this template."""
        found: dict[str, str] = {}
        segments = folder.split("/")
        for level in self.levels:
            if segments and _fits(level, segments[0]):
                segment = segments.pop(0)
                if level.field:
                    found[level.field] = segment.removeprefix(level.key)
            elif level.field not in _NULLABLE:
                return None
        return None if segments else found

    def parse(self, folder: str) -> Slot:
        """The slot that lives in this folder.

        :raises UrlError: The folder does not belong to this template, or a level was hashed.
        """
        found = self.split(folder)
        slot = _slot(found, folder) if found else None
        if slot is None or self.render(slot) != folder:
            raise UrlError(f"{folder!r} does not fit {self.text!r}")
        return slot


def payload_key(
    folder: str, revision: int, token: str, name: str, taken: Container[str] = ()
) -> str:
    """Key of a payload below the root; ``folder`` comes from :meth:`Template.render`.

    :param taken: File names of the revision's payloads before it, in lower case.
    """
    key = f"data/{folder}/{revision:06d}-{token}/{file_name(name, taken)}"
    _check_length(key, name)
    return key


def file_name(name: str, taken: Container[str] = ()) -> str:
    """A file's name for any text, which no file system takes for another or for more.

    It keeps its capitals, for people read it; one that differs from a name before it in capitals
    alone has every letter written as ``%XX``.

    :param taken: Names in the same folder before it, in lower case.
    """
    segment = _encode(name, _ANY_CASE)
    return segment if segment.lower() not in taken else _encode(name, _NO_LETTERS)


def manifest_key(folder: str, revision: int) -> str:
    """Key of the manifest of one revision: known before anything is written."""
    return f"meta/{folder}/{revision:06d}.json"


def template_key(text: str) -> str:
    """Key of the record that slots were written by this template: readers find old data by it."""
    return f"templates/{hashlib.sha256(text.encode()).hexdigest()[:16]}.txt"


def _compile_level(text: str, segment: str) -> _Level:
    hit = _LEVEL.fullmatch(segment)
    if hit is None:
        if not _LITERAL.fullmatch(segment):
            raise _template_error(
                text,
                f"level {segment!r} is neither a literal ([a-z0-9._-]) nor {{field}} nor key={{field}}",
            )
        if len(segment) > SEGMENT_LIMIT_BYTES:
            raise _template_error(text, f"level {segment[:20] + '…'!r} is longer than 200 bytes")
        if _DEVICE.match(segment):
            raise _template_error(text, f"level {segment!r} is a device's name on Windows")
        return _Level(segment, None)
    name, key = hit["field"], hit["key"] or ""
    if len(key) > _KEY_LIMIT_LETTERS:
        raise _template_error(text, f"level {segment!r} has a key longer than 40 letters")
    if name not in FIELDS:
        raise _template_error(text, f"unknown field {{{name}}}; the fields are {', '.join(FIELDS)}")
    if name in _NULLABLE and not key:
        raise _template_error(
            text, f"{{{name}}} may be absent, so it needs a key, as in {name}={{{name}}}"
        )
    return _Level(key, name)


def _template_error(text: str, fault: str) -> UrlError:
    return UrlError(f"URL template {text!r} {fault}; the default is {DEFAULT_TEMPLATE!r}")


def _segment(field: str, value: str) -> str:
    return value if field in _TIMES else encode(value)


def _values(slot: Slot) -> dict[str, str | None]:
    time = slot.time_utc
    fraction = f".{time.microsecond:06d}" if time.microsecond else ""
    return {
        "source": slot.entity.source,
        "entity": slot.entity.name,
        "date": f"{time.year:04d}-{time:%m-%d}",
        "time": f"{time:%H%M%S}{fraction}Z",
        "hour": f"{time:%H}",
        "team": slot.team,
        "partition_key": slot.partition_key,
        "map_key": slot.map_key,
    }


def _fits(level: _Level, segment: str) -> bool:
    if level.field is None:
        return segment == level.key
    # No encoded value holds "=", so a key can neither be forged nor overlooked.
    return segment.startswith(level.key) if level.key else "=" not in segment


def _slot(encoded: dict[str, str], folder: str) -> Slot:
    found = {
        field: segment if field in _TIMES else decode(segment) for field, segment in encoded.items()
    }
    stamp = f"{found['date']}T{found['time']}"
    layout = "%Y-%m-%dT%H%M%S.%fZ" if "." in stamp else "%Y-%m-%dT%H%M%SZ"
    try:
        time = datetime.strptime(stamp, layout).replace(tzinfo=UTC)
    except ValueError as err:
        raise UrlError(f"{folder!r} holds no time: {stamp!r}") from err
    return Slot(
        Entity(found["source"], found["entity"]),
        time,
        found.get("partition_key"),
        found.get("map_key"),
        found.get("team"),
    )


def _check_length(key: str, what: object) -> None:
    if len(key) > KEY_LIMIT_BYTES:
        raise UrlError(
            f"{what}: its key has {len(key)} bytes, and the limit is {KEY_LIMIT_BYTES}; "
            "shorten the partition key, the map key or the name"
        )
