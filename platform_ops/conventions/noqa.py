"""``# noqa: PO101 reason``: one exception, in the line that it is about."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from platform_ops.conventions.model import Edit

__all__ = ["Noqa", "exceptions"]

_COMMENT: Final = re.compile(
    r"#\s*noqa\s*:\s*(?P<codes>[A-Z]+[0-9]+(?:\s*,\s*[A-Z]+[0-9]+|\s+[A-Z]+[0-9]+)*)(?P<reason>.*)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Noqa:
    """One comment.

    :param codes: Ids of ours; those of other linters are theirs.
    :param alone: Whether it names no other linter's rules, so that it can go as a whole.
    """

    line: int
    column: int
    length: int
    codes: tuple[str, ...]
    reason: str
    alone: bool

    @property
    def removal(self) -> tuple[Edit, ...]:
        """The edit that takes it away."""
        return (Edit(self.line, self.column, self.length, ""),) if self.alone else ()


def exceptions(text: str, families: Collection[str]) -> Iterator[Noqa]:
    """The comments that name rules of these families."""
    if "noqa" not in text.lower():
        return
    try:
        comments = [
            each
            for each in tokenize.generate_tokens(io.StringIO(text).readline)
            if each.type == tokenize.COMMENT
        ]
    except (tokenize.TokenError, SyntaxError):
        return
    for each in comments:
        if found := _COMMENT.search(each.string):
            named = re.findall(r"[A-Z]+[0-9]+", found["codes"].upper())
            ours = tuple(name for name in named if name.rstrip("0123456789") in families)
            if ours:
                line, column = each.start
                before = each.line[:column]
                start = len(before.rstrip()) if before.strip() else column
                alone = len(ours) == len(named) and each.string.startswith(found[0])
                length = column + len(each.string) - start
                reason = found["reason"].strip(" \t:;-–—")
                yield Noqa(line, start, length, ours, reason, alone)
