"""Findings in a stable order, what they mean for an exit code, and how complete each package is."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Self

from platform_ops.findings.model import Finding, Place, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

__all__ = ["Excused", "Report", "Score"]


@dataclass(frozen=True, slots=True)
class Excused:
    """A finding that does not count.

    :param by: ``waiver``: somebody decided so, and said why. ``baseline``: it was there before.
        ``noqa``: a comment in its line says why.
    """

    finding: Finding
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Score:
    """How many of a package's subjects are without fault.

    :param clean: Subjects without an error or warning, waived ones counted as clean.
    """

    package: str
    clean: int
    total: int

    @property
    def percent(self) -> int:
        """Rounded down: only what is complete shows 100."""
        return 100 * self.clean // self.total if self.total else 100


@dataclass(frozen=True, slots=True)
class Report:
    """Findings in a stable order.

    :param excused: Findings that a waiver or the baseline covers.
    :param checked: Rules that were held against the subjects, broken or not.
    :param subjects: Every object that was looked at, to the package that it belongs to.
    """

    findings: tuple[Finding, ...] = ()
    excused: tuple[Excused, ...] = ()
    checked: tuple[Rule, ...] = ()
    subjects: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        findings: Iterable[Finding],
        *,
        checked: Iterable[Rule] = (),
        subjects: Mapping[str, str] | None = None,
    ) -> Self:
        """Sort them once, and drop exact repeats."""
        return cls(
            tuple(sorted(set(findings), key=lambda finding: finding.sort_key)),
            checked=tuple(sorted(set(checked), key=lambda rule: rule.id)),
            subjects=subjects or {},
        )

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __add__(self, other: Report) -> Report:
        both = Report.of(
            (*self.findings, *other.findings),
            checked=(*self.checked, *other.checked),
            subjects={**self.subjects, **other.subjects},
        )
        return replace(both, excused=(*self.excused, *other.excused))

    def placed(self, where: Callable[[Place], Place]) -> Report:
        """The same report with every place told in another way."""
        moved = (replace(each, place=where(each.place)) for each in self.findings)
        return replace(self, findings=Report.of(moved).findings)

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

    @property
    def scores(self) -> tuple[Score, ...]:
        """One for each package, by name."""
        known = [each.finding for each in self.excused if each.by == "baseline"]
        faulty = {
            each.place.object
            for each in (*self.findings, *known)
            if each.rule.severity is not Severity.NOTE
        }
        total = Counter(self.subjects.values())
        clean = Counter(package for name, package in self.subjects.items() if name not in faulty)
        return tuple(Score(name, clean[name], total[name]) for name in sorted(total))

    @property
    def score(self) -> Score:
        """All packages as one."""
        parts = self.scores
        return Score("", sum(each.clean for each in parts), sum(each.total for each in parts))

    def summary(self) -> str:
        """One line: ``2 errors, 1 warning``, or ``nothing found``; and what was excused."""
        counts = Counter(finding.rule.severity for finding in self.findings)
        parts = [
            f"{counts[severity]} {severity}{'s' if counts[severity] > 1 else ''}"
            for severity in Severity
            if counts[severity]
        ]
        found = ", ".join(parts) or "nothing found"
        excused = Counter(each.by for each in self.excused)
        aside = [f"{count} {words}" for by, words in _ASIDE if (count := excused[by])]
        return f"{found} ({', '.join(aside)})" if aside else found

    def to_json(self) -> str:
        """The report as one JSON document, versioned, rules listed once."""
        from platform_ops.findings.formats import to_json

        return to_json(self)

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
        for score in self.scores:
            console.print(
                Text(f"{score.percent:3} %  {score.package}, {score.clean} of {score.total}")
            )
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


_ASIDE: Final = (
    ("noqa", "excused in the code"),
    ("waiver", "waived"),
    ("baseline", "in the baseline"),
)
_STYLES: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "blue"}
