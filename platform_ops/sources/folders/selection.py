"""Which files of a folder are meant: by a name, a mask, a glob over subfolders, or a regular expression."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from platform_ops.errors import ConfigError
from platform_ops.sources.folders import Folder, RemoteFile

__all__ = ["Selection", "safe_name"]

_MAGIC: Final = re.compile(r"[*?\[]")
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Selection:
    """The files that are meant.

    :param folder: Whole path, or prefix of keys.
    :param files: A name, or a pattern as in a shell: ``*`` and ``?`` stay within a name and pass over
        hidden files, ``**`` crosses folders.
    :param regex: Instead of ``files``: what a path below the folder must match as a whole.
    :raises ConfigError: The expression does not compile.
    """

    folder: str
    files: str = "*"
    regex: str | None = None

    def __post_init__(self) -> None:
        try:
            re.compile(self.regex or "")
        except re.error as err:
            raise ConfigError(f"regex={self.regex!r} does not compile: {err}") from err

    def relative(self, path: str) -> str:
        """A path as it is called below the folder."""
        return path.removeprefix(self.folder).lstrip("/")

    def found(self, folder: Folder) -> Iterator[RemoteFile]:
        """The files that are there, in any order."""
        if self.regex is None and not _MAGIC.search(self.files):
            one = folder.stat(self._below(self.files))
            yield from [one] if one else []
            return
        for file in folder.files(self._below(self._plain_folders), deep=self._deep):
            if self._pattern.fullmatch(self.relative(file.path)):
                yield file

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(
            self.regex if self.regex is not None else _translated(self.files), re.DOTALL
        )

    @cached_property
    def _deep(self) -> bool:
        pattern = self.regex if self.regex is not None else self.files
        rest = pattern.removeprefix(self._plain_folders).lstrip("/")
        return "/" in rest or "**" in rest

    @cached_property
    def _plain_folders(self) -> str:
        """The folders that a pattern begins with and that need no search."""
        if self.regex is not None:
            return ""
        steps = self.files.split("/")[:-1]
        magic = (place for place, step in enumerate(steps) if _MAGIC.search(step))
        return "/".join(steps[: next(magic, len(steps))])

    def _below(self, path: str) -> str:
        return "/".join(filter(None, [self.folder.rstrip("/"), path])) or self.folder


def _translated(pattern: str) -> str:
    """A shell's pattern as a regular expression over a whole path."""
    steps = pattern.split("/")
    last = len(steps) - 1
    parts = []
    for place, step in enumerate(steps):
        if step == "**":
            parts.append(r"(?:[^/.][^/]*/)*" + ("" if place < last else r"[^/.][^/]*"))
        else:
            parts.append(_translated_step(step) + ("/" if place < last else ""))
    return "".join(parts)


def _translated_step(step: str) -> str:
    # As in a shell: what is hidden, such as an upload under way, is meant only where it is named.
    found, place = "" if step.startswith(".") else r"(?!\.)", 0
    while place < len(step):
        letter, place = step[place], place + 1
        end = step.find("]", place + 1)
        if letter == "*":
            found += "[^/]*"
        elif letter == "?":
            found += "[^/]"
        elif letter == "[" and end > 0:
            among = step[place:end].replace("\\", r"\\").replace("[", r"\[")
            found += f"(?!/)[{'^' + among[1:] if among[0] in '!^' else among}]"
            place = end + 1
        else:
            found += re.escape(letter)
    return found


def safe_name(name: str) -> str:
    """A name for a log and a manifest: one line of valid text; what is not stands as ``%XX``."""
    return _UNSAFE.sub(
        lambda hit: "".join(f"%{byte:02X}" for byte in hit[0].encode("utf-8", "surrogateescape")),
        name,
    )
