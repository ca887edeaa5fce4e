"""Which versions of a site there are: ``versions.json``, and the page that leads to the newest.

``versions.json`` is a list, newest release first, then everything that is no release:

``version``
    The name under which it was published, such as ``0.2.0`` or ``main``.
``url``
    Its folder, relative to ``versions.json``, such as ``0.2.0/``.
``is_latest``
    True for one entry at most: the newest release.
``aliases``
    Other names that lead to it, such as ``["latest", "stable"]``.
``previous``
    Folder of the build before this one, where one is kept.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from platform_ops.errors import PublishError

__all__ = [
    "INDEX",
    "LATEST",
    "LISTING",
    "NOT_FOUND",
    "STABLE",
    "Version",
    "added",
    "check_name",
    "from_json",
    "front",
    "pointed",
    "redirect",
    "removed",
    "to_json",
]

LISTING: Final = "versions.json"
INDEX: Final = "index.html"
NOT_FOUND: Final = "404.html"
LATEST: Final = "latest"
STABLE: Final = "stable"

_FOLLOWING: Final = (LATEST, STABLE)
"""Aliases that a release takes when it is the newest."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_RELEASE: Final = re.compile(r"\d+(\.\d+)*(\.?post\d+)?")
_RESERVED: Final = frozenset({INDEX, LISTING, NOT_FOUND})


@dataclass(frozen=True, slots=True)
class Version:
    """One published version, as its entry in ``versions.json`` has it.

    :param previous: Folder of the build before, where the destination keeps it beside this one.
    """

    version: str
    url: str
    is_latest: bool = False
    aliases: tuple[str, ...] = ()
    previous: str = ""

    @property
    def is_release(self) -> bool:
        """Whether it may become the newest: digits and dots alone, so neither ``1.0rc1`` nor ``main``."""
        return _RELEASE.fullmatch(self.version) is not None

    @property
    def order(self) -> tuple[bool, tuple[int, ...], str]:
        """Sorts releases by number, and after everything that is none."""
        numbers = tuple(map(int, re.findall(r"\d+", self.version))) if self.is_release else ()
        return self.is_release, numbers, self.version


def check_name(name: str) -> str:
    """Take a version or an alias as given on the command line; a tag's ``v1.2.3`` is ``1.2.3``.

    :raises PublishError: It cannot be a folder's name in every destination.
    """
    bare = name.removeprefix("v")
    name = bare if _RELEASE.fullmatch(bare) else name
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise PublishError(
            f"version or alias {name!r}: use letters, digits, '.', '_' and '-', a letter or a digit first, "
            "and at most 100 of them, such as 1.2.3, 2.0rc1 or main"
        )
    return name


def added(
    known: Sequence[Version], version: str, url: str, aliases: Sequence[str] = ()
) -> tuple[Version, ...]:
    """List the versions as they stand once this one is published, newest release first.

    An alias moves here from the version that had it.
    """
    before = {entry.version: entry for entry in known}
    others = [entry for entry in known if entry.version != version]
    names = {entry.version for entry in others} | {version}
    if clash := sorted(names & (set(_FOLLOWING) | _aliases(others) | set(aliases))):
        raise PublishError(
            f"{clash[0]!r} cannot name a version and an alias at once; choose another name"
        )
    had = before.get(version)
    replaced = had.url if had and had.url != url and "@" in had.url else ""
    own = tuple(dict.fromkeys([*(had.aliases if had else ()), *aliases]))
    entry = Version(version, url, aliases=own, previous=replaced or (had.previous if had else ""))
    kept = [
        replace(each, aliases=tuple(name for name in each.aliases if name not in set(aliases)))
        for each in others
    ]
    return _settled(
        [*kept, entry], known, {name for name in aliases if name in _FOLLOWING}, version
    )


def removed(known: Sequence[Version], version: str) -> tuple[Version, ...]:
    """List the versions as they stand once this one is gone; ``latest`` and ``stable`` find another."""
    _find(known, version)
    kept = [entry for entry in known if entry.version != version]
    if not kept:
        raise PublishError(f"{version!r} is the only version there; publish another one first")
    return _settled(kept, known, set(), "")


def pointed(known: Sequence[Version], alias: str, version: str) -> tuple[Version, ...]:
    """List the versions as they stand once an alias leads to this one, whatever it led to before."""
    _find(known, version)
    if alias == LATEST:
        raise PublishError(
            f"{LATEST!r} follows the newest release; use {STABLE!r}, or another name"
        )
    if alias in {entry.version for entry in known}:
        raise PublishError(f"{alias!r} names a version; choose another name for the alias")
    entries = []
    for entry in known:
        rest = tuple(name for name in entry.aliases if name != alias)
        mine = entry.version == version
        entries.append(replace(entry, aliases=(*rest, alias) if mine else rest))
    return _settled(entries, entries, set(), "")


def front(entries: Sequence[Version]) -> Version:
    """Where the site begins: what ``stable`` leads to, else the newest release, else the first."""
    return next((entry for entry in entries if STABLE in entry.aliases), entries[0])


def _find(known: Iterable[Version], version: str) -> Version:
    entries = {entry.version: entry for entry in known}
    if version not in entries:
        there = ", ".join(entries) or "nothing"
        raise PublishError(f"{version!r} is not published here; there is: {there}")
    return entries[version]


def _settled(
    entries: Iterable[Version], known: Sequence[Version], wanted: set[str], published: str
) -> tuple[Version, ...]:
    """Sort them, and let ``latest`` and ``stable`` follow.

    ``latest`` leads to the newest release, always. ``stable`` goes there when that release is
    published; else it stays where it is, which may be an older release that someone went back to.
    """
    ordered = sorted(entries, key=lambda entry: entry.order, reverse=True)
    newest = ordered[0].version if ordered[0].is_release else ""
    there = {entry.version for entry in ordered}
    holders = {name: entry.version for entry in known for name in entry.aliases}
    leads = {}
    for name in _FOLLOWING:
        if name in holders or name in wanted:
            stays = name == STABLE and holders.get(name) in there and published != newest
            leads[name] = holders[name] if stays else newest
    return tuple(
        replace(
            entry,
            is_latest=entry.version == newest,
            aliases=(
                *(name for name in _FOLLOWING if leads.get(name) == entry.version),
                *(name for name in entry.aliases if name not in _FOLLOWING),
            ),
        )
        for entry in ordered
    )


def _aliases(entries: Iterable[Version]) -> set[str]:
    return {alias for entry in entries for alias in entry.aliases}


def to_json(entries: Iterable[Version]) -> bytes:
    """Write ``versions.json``."""
    rows = [asdict(entry) for entry in entries]
    for row in rows:
        if not row["previous"]:
            del row["previous"]
    return (json.dumps(rows, indent=2) + "\n").encode()


def from_json(data: bytes | None, where: str) -> tuple[Version, ...]:
    """Read ``versions.json``; there is none where nothing was published yet.

    :raises PublishError: It is not of the form above; it is never overwritten then.
    """
    if data is None:
        return ()
    try:
        entries = [
            Version(
                version=check_name(entry["version"]),
                url=str(entry["url"]),
                is_latest=bool(entry["is_latest"]),
                aliases=tuple(map(check_name, entry["aliases"])),
                previous=str(entry.get("previous", "")),
            )
            for entry in json.loads(data)
        ]
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        raise PublishError(
            f"{where}: not a list of version, url, is_latest and aliases ({err}); restore it, or delete "
            "it and publish each version again"
        ) from err
    return tuple(entries)


def redirect(target: str) -> bytes:
    """Make a page that leads to a relative address, without a script."""
    address = html.escape(target, quote=True)
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f"<title>{address}</title>\n"
        f'<meta http-equiv="refresh" content="0; url={address}">\n<link rel="canonical" href="{address}">\n'
        f'<p>The documentation is at <a href="{address}">{address}</a>.</p>\n</html>\n'
    ).encode()
