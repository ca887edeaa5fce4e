"""What of a report counts: the rules that were chosen, less what is waived or was there before.

An excuse that no longer fits what is found is a finding itself: left in place, it would hide the next
real fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from platform_ops.errors import ConfigError
from platform_ops.findings.excuses import Baseline, Waiver
from platform_ops.findings.model import Finding, Place, Rule
from platform_ops.findings.report import Excused, Report

__all__ = ["BASELINE", "RULES", "WAIVERS", "Policy"]

WAIVERS: Final = "waivers.toml"
BASELINE: Final = "baseline.json"
_OPTIONS: Final = ("select", "ignore", "waivers", "baseline")

EXPIRED: Final = Rule(
    "CHK001",
    "Waiver has ended",
    "It was granted until a day that has passed; what it covered counts again.",
    fix="mend what it covers, or give it a later end and the reason for that",
)
STALE: Final = Rule(
    "CHK002",
    "Waiver covers nothing",
    "What it excused is mended or was renamed; left in place, it would hide the next fault there.",
    fix="remove it",
)
MENDED: Final = Rule(
    "CHK003",
    "Baseline lists what is no longer found",
    "A baseline may only shrink; left in place, the same fault could come back unseen.",
    fix="write the baseline again with --write-baseline",
)
RULES: Final = (EXPIRED, STALE, MENDED)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a site chose to count.

    :param select: Ids of rules, or what they begin with; all of them where empty.
    :param ignore: The same, taken away again.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    baseline: Baseline = field(default_factory=Baseline)

    @classmethod
    def load(
        cls,
        *,
        waivers: Path | None = None,
        baseline: Path | None = None,
        select: Iterable[str] = (),
        ignore: Iterable[str] = (),
    ) -> Policy:
        """Read the files of a site.

        :raises ConfigError: One of them is not what it should be.
        """
        return cls(
            tuple(select),
            tuple(ignore),
            Waiver.load(waivers) if waivers else (),
            Baseline.load(baseline) if baseline else Baseline(),
        )

    @classmethod
    def beside(cls, folder: Path, chosen: Mapping[str, Any]) -> Policy:  # Any: options, conf.py
        """The policy of a site, from the files that lie in its folder unless others are named.

        :param chosen: ``select`` and ``ignore``, lists of ids; ``waivers`` and ``baseline``, paths.
        :raises ConfigError: A file is not what it should be, or an option has another name.
        """
        for name in chosen:
            if name not in _OPTIONS:
                raise ConfigError(f"unknown option {name!r} of the check; known are {_OPTIONS}")
        files = {
            name: Path(folder, chosen.get(name) or default)
            for name, default in (("waivers", WAIVERS), ("baseline", BASELINE))
        }
        return cls.load(
            **{name: path for name, path in files.items() if chosen.get(name) or path.is_file()},
            select=chosen.get("select", ()),
            ignore=chosen.get("ignore", ()),
        )

    def apply(self, report: Report, today: date | None = None) -> Report:
        """Take out of a report what does not count, and add what is wrong with the excuses.

        :param today: The day that waivers must not have ended before; today, in UTC, where unset.
        :raises ConfigError: No rule that was checked has an id that was chosen or ignored.
        """
        day = today or datetime.now(UTC).date()
        chosen = self._chosen(report.checked)
        ids = {rule.id for rule in chosen}
        findings = [each for each in report.findings if each.rule.id in ids]
        # An excuse is judged only where its rule was looked at in this very run.
        skipped = {rule.id for rule in report.checked} - ids
        families = {rule.family for rule in chosen}

        def judged(rule: str) -> bool:
            return rule.rstrip("0123456789") in families and rule not in skipped

        waivers = [each for each in self.waivers if judged(each.rule)]
        faults = [*_waiver_faults(waivers, findings, day)]
        in_force = [each for each in waivers if each.until >= day]
        left, waived = _waive(findings, in_force)
        left, known, mended = self._compare(left)
        faults += [each for rule, each in mended if judged(rule)]
        counted = Report.of([*left, *faults], checked=[*chosen, *RULES], subjects=report.subjects)
        return replace(counted, excused=(*report.excused, *waived, *known))

    def _chosen(self, checked: Sequence[Rule]) -> tuple[Rule, ...]:
        for prefix in (*self.select, *self.ignore):
            if not any(rule.id.startswith(prefix) for rule in checked):
                known = ", ".join(rule.id for rule in checked)
                raise ConfigError(f"no rule is called {prefix!r}, or begins so; there are {known}")
        return tuple(
            rule
            for rule in checked
            if (not self.select or rule.id.startswith(self.select))
            and not rule.id.startswith(self.ignore or ("\0",))
        )

    def _compare(
        self, findings: Sequence[Finding]
    ) -> tuple[list[Finding], list[Excused], list[tuple[str, Finding]]]:
        """What is new, what the baseline knows, and what it lists in vain, by rule."""
        open_ = Counter(self.baseline.known)
        new: list[Finding] = []
        known: list[Excused] = []
        for each in findings:
            if open_[each.identity] > 0:
                open_[each.identity] -= 1
                known.append(Excused(each, "baseline", "it was there before"))
            else:
                new.append(each)
        place = Place("baseline", self.baseline.path)
        mended = [
            (rule, MENDED.at(place, f"{rule} {Place(thing, file)}: {message}"))
            for (rule, thing, file, message), count in sorted(open_.items())
            if count > 0
        ]
        return new, known, mended


def _waive(
    findings: Iterable[Finding], waivers: Sequence[Waiver]
) -> tuple[list[Finding], list[Excused]]:
    left: list[Finding] = []
    waived: list[Excused] = []
    for each in findings:
        waiver = next((waiver for waiver in waivers if waiver.covers(each)), None)
        if waiver is None:
            left.append(each)
        else:
            reason = f"{waiver.reason} (until {waiver.until})"
            waived.append(Excused(each, "waiver", reason))
    return left, waived


def _waiver_faults(
    waivers: Iterable[Waiver], findings: Sequence[Finding], day: date
) -> Iterator[Finding]:
    for each in waivers:
        about = f"{each.rule} {' '.join(filter(None, (each.object, each.file, each.message)))}"
        if each.until < day:
            yield EXPIRED.at(each.place, f"{about}: ended on {each.until}; {each.reason}")
        elif not any(each.covers(finding) for finding in findings):
            yield STALE.at(each.place, f"{about}: nothing is found there")
