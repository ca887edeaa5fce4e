"""A report for machines: JSON, SARIF, JUnit, GitHub's annotations, and a badge.

Sources: `SARIF 2.1.0 <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>`__,
`workflow commands <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>`__.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import quote
from xml.etree import ElementTree

from platform_ops.findings.badge import badge
from platform_ops.findings.model import Finding, Rule, Severity
from platform_ops.findings.report import Excused, Report

__all__ = ["FORMATS", "rendered", "to_json"]

REPORT_VERSION: Final = 2
"""2: what is excused, and the scores, stand in the report."""

_SARIF_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_ANNOTATIONS: Final = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.NOTE: "notice",
}

# Messages quote what other people's code raised; XML has no way to write these at all.
_NOT_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def rendered(report: Report, form: str, tool: str = "platform-ops") -> str:
    """The whole text of a report in one format.

    :param form: One of :data:`FORMATS`.
    :param tool: Who found it, for formats that name their maker.
    """
    return FORMATS[form](report, tool)


def to_json(report: Report, tool: str = "platform-ops") -> str:
    """One JSON document, versioned, rules listed once."""
    document = {
        "version": REPORT_VERSION,
        "tool": tool,
        "summary": {str(severity): report.count(severity) for severity in Severity},
        "scores": {
            each.package: asdict(each) | {"percent": each.percent} for each in report.scores
        },
        "rules": [rule.as_dict() for rule in report.rules],
        "findings": [finding.as_dict() for finding in report.findings],
        "excused": [
            {**each.finding.as_dict(), "by": each.by, "reason": each.reason}
            for each in report.excused
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _sarif(report: Report, tool: str) -> str:
    from importlib.metadata import version

    rules = sorted({*report.checked, *report.rules}, key=lambda rule: rule.id)
    numbers = {rule.id: number for number, rule in enumerate(rules)}
    driver = {
        "name": tool,
        "version": version("platform-ops"),
        "rules": [_sarif_rule(rule) for rule in rules],
    }
    results = [_sarif_result(each, numbers) for each in report.findings]
    results += [_sarif_excused(each, numbers) for each in report.excused]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    document = {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _sarif_rule(rule: Rule) -> dict[str, Any]:  # Any: JSON values
    samples = (("Bad", rule.bad), ("Good", rule.good))
    blocks = [f"{title}:\n\n```python\n{code}\n```" for title, code in samples if code]
    advice = [rule.fix[0].upper() + rule.fix[1:] + "."] if rule.fix else []
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {
            "text": "\n".join([rule.why, *advice]),
            "markdown": "\n\n".join([rule.why, *advice, *blocks]),
        },
        "defaultConfiguration": {"level": str(rule.severity)},
    }


def _sarif_result(finding: Finding, numbers: dict[str, int]) -> dict[str, Any]:  # Any: JSON values
    place = finding.place
    location: dict[str, Any] = {}  # Any: JSON values
    if place.file:
        location["physicalLocation"] = {"artifactLocation": {"uri": quote(place.file)}}
        if place.line:
            location["physicalLocation"]["region"] = {"startLine": place.line}
    if place.object:
        location["logicalLocations"] = [{"fullyQualifiedName": place.object}]
    text = f"{finding.message}. {finding.fix}" if finding.fix else finding.message
    mark = hashlib.blake2b("\0".join(finding.identity).encode(), digest_size=12).hexdigest()
    return {
        "ruleId": finding.rule.id,
        "ruleIndex": numbers[finding.rule.id],
        "level": str(finding.rule.severity),
        "message": {"text": f"{place.object}: {text}" if place.object else text},
        "locations": [location] if location else [],
        "partialFingerprints": {"identity/v1": mark},
    }


def _sarif_excused(excused: Excused, numbers: dict[str, int]) -> dict[str, Any]:  # Any: JSON values
    result = _sarif_result(excused.finding, numbers)
    if excused.by == "baseline":
        return {**result, "baselineState": "unchanged"}
    kind = "inSource" if excused.by == "noqa" else "external"
    return {
        **result,
        "suppressions": [{"kind": kind, "status": "accepted", "justification": excused.reason}],
    }


def _junit(report: Report, tool: str) -> str:
    """One case for each rule that holds, and for each finding one that fails or is skipped."""
    broken = {each.id for each in report.rules} | {each.finding.rule.id for each in report.excused}
    holding = [rule for rule in report.checked if rule.id not in broken]
    suite = ElementTree.Element(
        "testsuite",
        name=tool,
        tests=str(len(report) + len(report.excused) + len(holding)),
        failures=str(len(report)),
        errors="0",
        skipped=str(len(report.excused)),
    )
    for rule in holding:
        ElementTree.SubElement(suite, "testcase", classname=rule.id, name=rule.title)
    for finding in report.findings:
        case = _junit_case(suite, finding)
        told = ElementTree.SubElement(
            case, "failure", type=str(finding.rule.severity), message=finding.message
        )
        told.text = "\n".join(filter(None, [str(finding.place), finding.fix, finding.rule.why]))
    for excused in report.excused:
        case = _junit_case(suite, excused.finding)
        ElementTree.SubElement(case, "skipped", message=f"{excused.by}: {excused.reason}")
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    body = _NOT_XML.sub("�", ElementTree.tostring(suites, encoding="unicode"))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def _junit_case(suite: ElementTree.Element, finding: Finding) -> ElementTree.Element:
    named = {"file": finding.place.file} if finding.place.file else {}
    if finding.place.line:
        named["line"] = str(finding.place.line)
    name = f"{finding.place.object or finding.place.file}: {finding.message}"
    return ElementTree.SubElement(
        suite, "testcase", {"classname": finding.rule.id, "name": name, **named}
    )


def _github(report: Report, tool: str) -> str:  # noqa: ARG001  all formats are called alike
    return "".join(f"{line}\n" for line in _annotations(report))


def _annotations(report: Report) -> Iterator[str]:
    for each in report.findings:
        place = each.place
        named = {"file": place.file, "line": str(place.line or "") if place.file else ""}
        named["title"] = f"{each.rule.id} {each.rule.title}"
        told = ",".join(f"{name}={_escaped(text, ':,')}" for name, text in named.items() if text)
        text = "\n".join(filter(None, [f"{place.object}: {each.message}".lstrip(": "), each.fix]))
        yield f"::{_ANNOTATIONS[each.rule.severity]} {told}::{_escaped(text)}"


def _escaped(text: str, marks: str = "") -> str:
    for mark in ("%", "\r", "\n", *marks):
        text = text.replace(mark, f"%{ord(mark):02X}")
    return text


def _text(report: Report, tool: str) -> str:  # noqa: ARG001  all formats are called alike
    import io

    from rich.console import Console

    out = io.StringIO()
    report.print(Console(file=out, width=10_000, color_system=None, highlight=False, markup=False))
    return out.getvalue()


FORMATS: Final[dict[str, Callable[[Report, str], str]]] = {
    "text": _text,
    "json": to_json,
    "sarif": _sarif,
    "junit": _junit,
    "github": _github,
    "badge": lambda report, _: badge("documented", report.score.percent),
}
"""Every format by its name."""
