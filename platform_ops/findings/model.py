"""Rules, and the places where they do not hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

__all__ = ["Finding", "Place", "Rule", "Severity"]


class Severity(StrEnum):
    """How much a finding matters; only an error makes a check fail."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """Smaller is worse, for sorting."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Place:
    """What a finding is about: an object, a file, or both.

    :param object: Dotted name, URL, setting or connection, whatever names the thing best.
    :param file: Path as a reader would type it, relative where that is possible.
    :param line: One-based line in the file.
    """

    object: str = ""
    file: str = ""
    line: int | None = None

    def __str__(self) -> str:
        spot = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return f"{spot} {self.object}".strip()


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold, and why; its id is stable, since waivers and dashboards name it.

    :param id: Letters of the family and a number, for instance ``DOC102``. A check runs a family
        as a whole, so that a waiver which matches nothing there is known to be stale.
    :param title: The fault in a few words, as a heading.
    :param why: What goes wrong for whom when it does not hold.
    :param bad: Code that breaks it, where that tells more than words.
    :param good: The same code mended.
    :param fix: What to do wherever a finding does not say it itself, as an instruction.
    """

    id: str
    title: str
    why: str
    severity: Severity = Severity.ERROR
    bad: str = ""
    good: str = ""
    fix: str = ""

    @property
    def family(self) -> str:
        """The letters of its id."""
        return self.id.rstrip("0123456789")

    def as_dict(self) -> dict[str, str]:
        """The rule as JSON values; what a kind of rules has besides is not told."""
        return {each.name: str(getattr(self, each.name)) for each in fields(Rule)}

    def at(self, place: Place | str, message: str, fix: str = "") -> Finding:
        """One fault against this rule.

        :param place: A bare string names an object.
        :param message: What is wrong at this place, without repeating the rule's title.
        :param fix: What to do about it, as an instruction; the rule's own where unset.
        """
        where = Place(object=place) if isinstance(place, str) else place
        return Finding(self, where, message, fix or self.fix)


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where one rule does not hold."""

    rule: Rule
    place: Place
    message: str
    fix: str = ""

    @property
    def sort_key(self) -> tuple[object, ...]:
        """Worst first, then by place, so that two runs print the same report."""
        place = self.place
        return (
            self.rule.severity.rank, place.file, place.line or 0, place.object,
            self.rule.id, self.message,
        )  # fmt: skip

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What stays the same when lines above it come and go."""
        return (self.rule.id, self.place.object, self.place.file, self.message)

    def as_dict(self) -> dict[str, Any]:  # Any: JSON values
        """The finding as JSON values; the rule by id, since the report lists rules once."""
        return {
            "rule": self.rule.id,
            "severity": str(self.rule.severity),
            "place": asdict(self.place),
            "message": self.message,
            "fix": self.fix,
        }
