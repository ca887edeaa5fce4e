"""The one engine for checks: a rule says what must hold, a finding says where it does not.

The site's completeness check, the doctor and the conventions all report through here, so that a
finding reads the same, is listed the same as JSON, and decides an exit code the same everywhere::

    UNDOCUMENTED = Rule("DOC102", "Parameter without description", why="…")
    report = Report.of([UNDOCUMENTED.at("platform_ops.X.endpoint", "no :param endpoint: field")])
    report.print(console)
    sys.exit(report.exit_code)
"""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Finding", "Place", "Report", "Rule", "Severity"]

REPORT_VERSION: Final = 1


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

    :param id: Letters of the family and a number, for instance ``DOC102``.
    :param title: The fault in a few words, as a heading.
    :param why: What goes wrong for whom when it does not hold.
    """

    id: str
    title: str
    why: str
    severity: Severity = Severity.ERROR

    def at(self, place: Place | str, message: str, fix: str = "") -> Finding:
        """One fault against this rule.

        :param place: A bare string names an object.
        :param message: What is wrong at this place, without repeating the rule's title.
        :param fix: What to do about it, as an instruction.
        """
        where = Place(object=place) if isinstance(place, str) else place
        return Finding(self, where, message, fix)


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

    def as_dict(self) -> dict[str, Any]:  # Any: JSON values
        """The finding as JSON values; the rule by id, since the report lists rules once."""
        return {
            "rule": self.rule.id,
            "severity": str(self.rule.severity),
            "place": asdict(self.place),
            "message": self.message,
            "fix": self.fix,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Findings in a stable order, and what they mean for an exit code."""

    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Self:
        """Sort them once, and drop exact repeats."""
        return cls(tuple(sorted(set(findings), key=lambda finding: finding.sort_key)))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __add__(self, other: Report) -> Report:
        return Report.of((*self.findings, *other.findings))

    def count(self, severity: Severity) -> int:
        """How many findings are of this severity."""
        return sum(finding.rule.severity is severity for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """1 where there is an error, else 0."""
        return int(self.count(Severity.ERROR) > 0)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Each rule that was broken, once, by id."""
        return tuple(sorted({each.rule for each in self.findings}, key=lambda rule: rule.id))

    def summary(self) -> str:
        """One line: ``2 errors, 1 warning``, or ``nothing found``."""
        counts = Counter(finding.rule.severity for finding in self.findings)
        parts = [
            f"{counts[severity]} {severity}{'s' if counts[severity] > 1 else ''}"
            for severity in Severity
            if counts[severity]
        ]
        return ", ".join(parts) or "nothing found"

    def to_json(self) -> str:
        """The report as one JSON document, versioned, rules listed once."""
        document = {
            "version": REPORT_VERSION,
            "summary": {str(severity): self.count(severity) for severity in Severity},
            "rules": [asdict(rule) for rule in self.rules],
            "findings": [finding.as_dict() for finding in self.findings],
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    def print(self, console: Console) -> None:
        """Write the findings for a person, grouped by rule, each with what to do about it."""
        from rich.text import Text

        for rule in sorted(self.rules, key=lambda rule: (rule.severity.rank, rule.id)):
            style = _STYLES[rule.severity]
            console.print(Text.assemble((f"{rule.id} ", f"bold {style}"), (rule.title, "bold")))
            _print_wrapped(console, rule.why, "  ", "dim")
            for finding in self.findings:
                if finding.rule == rule:
                    _print_wrapped(console, str(finding.place), "    ", "cyan")
                    _print_wrapped(console, finding.message, "      ")
                    _print_wrapped(console, finding.fix, "    → ", "green")
            console.print()
        worst = min((each.rule.severity for each in self), key=lambda it: it.rank, default=None)
        console.print(Text(self.summary(), style=f"bold {_STYLES[worst] if worst else 'green'}"))


def _print_wrapped(console: Console, text: str, indent: str, style: str = "") -> None:
    """Words wrap, and a URL stays whole: one that is broken over two lines cannot be copied."""
    from rich.text import Text

    for line in text.splitlines():
        wrapped = textwrap.fill(
            line,
            console.width,
            initial_indent=indent,
            subsequent_indent=" " * len(indent),
            break_long_words=False,
            break_on_hyphens=False,
        )
        console.print(Text(wrapped, style=style), soft_wrap=True)


_STYLES: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "blue"}
