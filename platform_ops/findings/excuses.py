"""Two ways to say that a finding does not count: a waiver, and a baseline.

A waiver names a rule and a place, says why, and ends on a day. A baseline is the list of what was
found when a code base began to be checked.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from platform_ops.errors import ConfigError
from platform_ops.findings.model import Finding, Place
from platform_ops.findings.report import Report

__all__ = ["Baseline", "Identity", "Waiver"]

EXCUSES: Final = "CHK"
"""Family of the rules on waivers and baselines themselves."""

BASELINE_VERSION: Final = 1
_PATTERNS: Final = ("object", "file", "message")
_FIELDS: Final = ("rule", *_PATTERNS, "reason", "until")
Identity = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Waiver:
    """A decision that a rule need not hold somewhere, for a while.

    :param object: Pattern of the place's object, with ``*`` and ``?``; the same goes for ``file`` and
        ``message``. Those that are given must all match.
    :param until: The last day on which it holds.
    :param place: Where it is written down.
    """

    rule: str
    reason: str
    until: date
    object: str = ""
    file: str = ""
    message: str = ""
    place: Place = field(default_factory=Place)

    @classmethod
    def load(cls, path: Path) -> tuple[Waiver, ...]:
        """Read the ``[[waiver]]`` tables of a TOML file.

        In ``pyproject.toml`` they stand below ``tool.platform_ops``.

        :raises ConfigError: The file is no TOML, or a waiver lacks its rule, place, reason or end.
        """
        try:
            text = path.read_text(encoding="utf-8")
            document = tomllib.loads(text)
        except (OSError, tomllib.TOMLDecodeError) as err:
            raise ConfigError(f"{path}: {err}") from err
        section = document.get("tool", {}).get("platform_ops", document)
        heads = [
            number
            for number, line in enumerate(text.splitlines(), start=1)
            if line.strip().startswith("[[") and line.strip().rstrip("]").endswith("waiver")
        ]
        tables = section.get("waiver", [])
        return tuple(
            cls._of(table, Place(f"waiver {number}", str(path), line))
            for number, (table, line) in enumerate(
                zip(tables, [*heads, *[None] * len(tables)], strict=False), start=1
            )
        )

    @classmethod
    def _of(cls, table: Mapping[str, Any], place: Place) -> Waiver:  # Any: TOML values
        unknown = [name for name in table if name not in _FIELDS]
        missing = [name for name in ("rule", "reason", "until") if not table.get(name)]
        if not any(table.get(name) for name in _PATTERNS):
            missing.append("object, file or message")
        if unknown or missing:
            faults = [f"unknown: {', '.join(unknown)}"] if unknown else []
            faults += [f"missing: {', '.join(missing)}"] if missing else []
            raise ConfigError(f"{place}: {'; '.join(faults)}; a waiver has {', '.join(_FIELDS)}")
        until = table["until"]
        if not isinstance(until, date) or isinstance(until, datetime):
            raise ConfigError(
                f"{place}: until is {until!r}; write a day such as 2027-03-31, unquoted"
            )
        texts = {name: str(value) for name, value in table.items() if name != "until"}
        return cls(until=until, place=place, **texts)

    def covers(self, finding: Finding) -> bool:
        """Whether it is about this finding, ended or not."""
        told = {
            "message": finding.message,
            "object": finding.place.object,
            "file": finding.place.file,
        }
        return self.rule == finding.rule.id and all(
            fnmatchcase(told[name], pattern)
            for name in _PATTERNS
            if (pattern := getattr(self, name))
        )


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was found before, by what does not change when lines move.

    :param path: The file that it was read from.
    """

    known: Mapping[Identity, int] = field(default_factory=dict)
    path: str = ""

    @classmethod
    def load(cls, path: Path) -> Baseline:
        """Read a baseline back.

        :raises ConfigError: It is none, or of a newer format than this release knows.
        """
        try:
            document = json.loads(path.read_bytes())
            if document["version"] > BASELINE_VERSION:
                raise ConfigError(
                    f"{path}: baseline format {document['version']} is newer than "
                    f"{BASELINE_VERSION}; upgrade platform-ops"
                )
            known = {
                (each["rule"], each["object"], each["file"], each["message"]): int(each["count"])
                for each in document["findings"]
            }
        except (OSError, ValueError, KeyError, TypeError) as err:
            raise ConfigError(
                f"{path}: no baseline ({err}); make one with --write-baseline"
            ) from err
        return cls(known, str(path))

    @staticmethod
    def text(report: Report) -> str:
        """The baseline that covers all that a report found, waived findings left out."""
        known = [each.finding for each in report.excused if each.by == "baseline"]
        counted = Counter(
            each.identity
            for each in (*report.findings, *known)
            if each.rule.family != EXCUSES  # what is wrong with an excuse cannot be excused
        )
        rows = [
            dict(zip(("rule", "object", "file", "message"), identity, strict=True), count=count)
            for identity, count in sorted(counted.items())
        ]
        document = {"version": BASELINE_VERSION, "findings": rows}
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
