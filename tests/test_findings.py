"""Reports: the same order, the same words and the same exit code every time."""

from __future__ import annotations

import io
import json

from rich.console import Console

from platform_ops.findings import Place, Report, Rule, Severity

_BAD = Rule("T001", "A fault", "Somebody gets hurt.")
_ODD = Rule("T002", "An oddity", "Somebody wonders.", Severity.WARNING)


def report() -> Report:
    """Two faults, one of them said twice, and an oddity."""
    return Report.of(
        [
            _ODD.at("x", "looks odd"),
            _BAD.at(Place("b", "b.py", 2), "is broken", "mend it"),
            _BAD.at(Place("a", "a.py", 10), "is broken"),
            _BAD.at(Place("a", "a.py", 10), "is broken"),
        ]
    )


def test_findings_come_worst_first_then_by_place_and_once() -> None:
    assert [str(each.place) for each in report()] == ["a.py:10 a", "b.py:2 b", "x"]


def test_only_errors_fail() -> None:
    assert report().exit_code == 1
    assert Report.of([_ODD.at("x", "looks odd")]).exit_code == 0
    assert Report().exit_code == 0


def test_a_line_sums_it_up() -> None:
    assert report().summary() == "2 errors, 1 warning"
    assert Report().summary() == "nothing found"


def test_reports_add_up() -> None:
    assert report() + report() == report()


def test_json_lists_rules_once_and_findings_by_rule() -> None:
    found = json.loads(report().to_json())
    assert found["summary"] == {"error": 2, "warning": 1, "note": 0}
    assert [each["id"] for each in found["rules"]] == ["T001", "T002"]
    assert found["findings"][1] == {
        "rule": "T001",
        "severity": "error",
        "place": {"object": "b", "file": "b.py", "line": 2},
        "message": "is broken",
        "fix": "mend it",
    }


def test_people_read_what_is_wrong_where_and_what_to_do() -> None:
    out = io.StringIO()
    report().print(Console(file=out, width=100, color_system=None))
    assert out.getvalue().splitlines() == [
        "T001 A fault",
        "  Somebody gets hurt.",
        "    a.py:10 a",
        "      is broken",
        "    b.py:2 b",
        "      is broken",
        "    → mend it",
        "",
        "T002 An oddity",
        "  Somebody wonders.",
        "    x",
        "      looks odd",
        "",
        "2 errors, 1 warning",
    ]
