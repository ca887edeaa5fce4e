"""Which versions of a site there are: ``versions.json``, and the page that leads to the newest.

``versions.json`` is a list, newest release first, then everything that is no release:

``version``
    The name under which it was published, such as ``0.2.0`` or ``main``.
``url``
    Its folder, relative to ``versions.json``, such as ``0.2.0/``.
``is_latest``
    True for one entry at most: the newest release.
``aliases``
    Other names that lead to it, such as ``["latest"]``.
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
    "Version",
    "added",
    "check_name",
    "from_json",
    "redirect",
    "to_json",
]

LISTING: Final = "versions.json"
INDEX: Final = "index.html"
LATEST: Final = "latest"
"""The one alias with a rule of its own: it follows the newest release, whichever is published."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_RELEASE: Final = re.compile(r"\d+(\.\d+)*(\.?post\d+)?")
_RESERVED: Final = frozenset({INDEX, LISTING})


@dataclass(frozen=True, slots=True)
class Version:
    """One published version, as its entry in ``versions.json`` has it."""

    version: str
    url: str
    is_latest: bool = False
    aliases: tuple[str, ...] = ()

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
    others = [entry for entry in known if entry.version != version]
    kept = [alias for entry in known if entry.version == version for alias in entry.aliases]
    names = {entry.version for entry in others} | {version}
    if clash := sorted(names & ({LATEST} | _aliases(others) | set(aliases))):
        raise PublishError(
            f"{clash[0]!r} cannot name a version and an alias at once; choose another name"
        )
    has_latest = LATEST in _aliases(known) or LATEST in aliases
    moved = set(aliases) | {LATEST}
    entries = [
        replace(
            entry,
            is_latest=False,
            aliases=tuple(name for name in entry.aliases if name not in moved),
        )
        for entry in others
    ]
    own = tuple(name for name in dict.fromkeys([*kept, *aliases]) if name != LATEST)
    entries.append(Version(version, url, aliases=own))
    entries.sort(key=lambda entry: entry.order, reverse=True)
    newest = entries[0]
    if newest.is_release:
        latest = (LATEST,) if has_latest else ()
        entries[0] = replace(newest, is_latest=True, aliases=(*latest, *newest.aliases))
    return tuple(entries)


def _aliases(entries: Iterable[Version]) -> set[str]:
    return {alias for entry in entries for alias in entry.aliases}


def to_json(entries: Iterable[Version]) -> bytes:
    """Write ``versions.json``."""
    return (json.dumps([asdict(entry) for entry in entries], indent=2) + "\n").encode()


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
