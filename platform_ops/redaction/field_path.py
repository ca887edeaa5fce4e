"""A JSON Pointer with wildcards, followed one level at a time.

Source: RFC 6901 (JSON Pointer).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["FieldPath"]


@dataclass(frozen=True, slots=True)
class FieldPath:
    """Which values of a document are meant.

    :param text: A JSON Pointer whose steps may be ``*`` (any member or element) or ``**`` (any
        depth, none included), such as ``/customers/*/email`` or ``/**/password``.
    """

    text: str
    steps: tuple[str, ...]

    @classmethod
    def compile(cls, text: str) -> FieldPath:
        """Check a path once, at load.

        :raises ValueError: It names no field; the message gives examples.
        """
        steps = text.split("/")
        if len(steps) < 2 or steps[0] or steps[-1] == "**" or re.search(r"~(?![01])", text):
            raise ValueError(
                f"{text!r} names no field; write a JSON Pointer such as '/customer/email', "
                "'/customers/*/email' or '/**/email'"
            )
        return cls(text, tuple(step.replace("~1", "/").replace("~0", "~") for step in steps[1:]))

    @property
    def start(self) -> frozenset[int]:
        """How many steps lie behind the top of a document, in every way to read the path."""
        return self._past_depths({0})

    def descend(self, behind: frozenset[int], name: str) -> frozenset[int]:
        """The same at a member, or at an element by its number, one level further down."""
        taken = {step + 1 for step in behind if self._takes(step, name)}
        return self._past_depths(
            taken | {step for step in behind if self.steps[step : step + 1] == ("**",)}
        )

    def next_steps(self, behind: frozenset[int]) -> Iterator[str]:
        """Names that the path takes here; ``*`` among them stands for every one."""
        for step in behind:
            if step < len(self.steps) and self.steps[step] != "**":
                yield self.steps[step]

    def reached(self, behind: frozenset[int]) -> bool:
        """Whether the value here is meant."""
        return len(self.steps) in behind

    def _takes(self, step: int, name: str) -> bool:
        wanted = self.steps[step] if step < len(self.steps) else "**"
        return wanted != "**" and wanted in ("*", name)

    def _past_depths(self, behind: set[int]) -> frozenset[int]:
        found = set(behind)
        for step in behind:
            further = step
            while self.steps[further : further + 1] == ("**",):
                further += 1
                found.add(further)
        return frozenset(found)
