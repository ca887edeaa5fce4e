"""What changed between two revisions: payload by payload, and inside of those that can be read as text."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from platform_ops.archive.payloads import content
from platform_ops.archive.payloads.content import Body
from platform_ops.archive.stores.store import Store
from platform_ops.entity import Manifest

__all__ = ["LARGEST_TEXT_BYTES", "Change", "Kind", "changes", "diff"]

Kind = Literal["same", "changed", "added", "removed"]

LARGEST_TEXT_BYTES: Final = 8 << 20
"""Bodies past this size are compared by digest alone."""
_LINES: Final = {
    "text/csv",
    "application/x-ndjson",
    "application/jsonl",
    "text/tab-separated-values",
}
_TEXTS: Final = {
    "application/json",
    "application/xml",
    "application/javascript",
    "application/yaml",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One body in two revisions.

    :param headers: What the source's headers said before and now, of those that differ.
    :param rows_added: Lines that are there now and were not, where each line is a row; None elsewhere.
    :param text: A unified diff, line by line; empty where the body is no text, or too large.
    """

    name: str
    kind: Kind
    size_before: int | None
    size_after: int | None
    sha256_before: str | None
    sha256_after: str | None
    headers: Mapping[str, tuple[str | None, str | None]]
    rows_added: int | None = None
    rows_removed: int | None = None
    text: tuple[str, ...] = ()


def changes(before: Manifest | None, after: Manifest) -> Counter[Kind]:
    """How many payloads are the same, changed, added and removed, by their digests alone."""
    old = {each.name: each.sha256 for each in before.payloads} if before else {}
    new = {each.name: each.sha256 for each in after.payloads}
    return Counter(_kind(old.get(name), new.get(name)) for name in {**old, **new})


def diff(
    store: Store, before: Manifest, after: Manifest, *, lines: int | None = None
) -> Iterator[Change]:
    """Every body of either revision, in the order of the newer one.

    :param lines: Lines of a unified diff at most; all of them where None, none are read where 0.
    :raises ArchiveCorrupt: A body is not what was committed.
    """
    old = {each.name: each for each in content.bodies(store, before)}
    new = {each.name: each for each in content.bodies(store, after)}
    for name in {**new, **old}:
        yield _compared(name, old.get(name), new.get(name), lines)


def _compared(name: str, before: Body | None, after: Body | None, lines: int | None) -> Change:
    kind = _kind(before.sha256 if before else None, after.sha256 if after else None)
    rows: tuple[int | None, int | None] = (None, None)
    text: tuple[str, ...] = ()
    if before and after and kind == "changed" and lines != 0:
        old, new = _lines(before), _lines(after)
        if old is not None and new is not None:
            text = tuple(_unified(name, old, new))[:lines]
            rows = _rows(old, new) if _media_type(after) in _LINES else rows
    return Change(
        name,
        kind,
        before.size_bytes if before else None,
        after.size_bytes if after else None,
        before.sha256 if before else None,
        after.sha256 if after else None,
        _headers(before, after),
        *rows,
        text,
    )


def _kind(before: str | None, after: str | None) -> Kind:
    if before is None:
        return "added"
    if after is None:
        return "removed"
    return "same" if before == after else "changed"


def _headers(before: Body | None, after: Body | None) -> dict[str, tuple[str | None, str | None]]:
    if before is None or after is None:
        return {}
    old, new = before.origin.headers, after.origin.headers
    pairs = {name: (old.get(name), new.get(name)) for name in sorted({**old, **new})}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _rows(before: list[str], after: list[str]) -> tuple[int, int]:
    old, new = Counter(before), Counter(after)
    return (new - old).total(), (old - new).total()


def _lines(body: Body) -> list[str] | None:
    """The body's lines; None where it is no text."""
    media_type = _media_type(body)
    texts = media_type.startswith("text/") or media_type in _LINES | _TEXTS
    structured = media_type.endswith(("+json", "+xml"))
    if body.codec or body.size_bytes > LARGEST_TEXT_BYTES or not (texts or structured):
        return None
    try:
        text = body.read().decode()
    except UnicodeDecodeError:
        return None
    if media_type == "application/json" or media_type.endswith("+json"):
        # Sources write JSON in one line: a difference shows once every value has its own.
        with suppress(ValueError):
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return text.splitlines()


def _media_type(body: Body) -> str:
    return body.media_type.partition(";")[0].strip().lower()


def _unified(name: str, before: list[str], after: list[str]) -> Iterable[str]:
    return difflib.unified_diff(before, after, f"before/{name}", f"after/{name}", lineterm="")
