"""Reports: the same order, the same words and the same exit code every time."""

from __future__ import annotations

import io
import json
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
from rich.console import Console

from platform_ops.errors import ConfigError
from platform_ops.findings import (
    FORMATS,
    Baseline,
    Place,
    Policy,
    Report,
    Rule,
    Severity,
    Waiver,
    rendered,
)
from tests.findings_schema import SARIF

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


_TODAY = date(2026, 3, 1)
_WAIVED = """
# Why: see below.
[[waiver]]
rule = "T001"
object = "a*"
file = "?.py"
reason = "A rewrite is under way."
until = 2026-03-01
"""


def checked(subjects: dict[str, str] | None = None) -> Report:
    """The report of a run that held both rules."""
    return Report.of(report().findings, checked=[_BAD, _ODD], subjects=subjects)


def waivers(tmp_path: Path, text: str = _WAIVED) -> Path:
    """A file with waivers."""
    path = tmp_path / "waivers.toml"
    path.write_text(text, encoding="utf-8")
    return path


def told(found: Report) -> list[tuple[str, str]]:
    """Rule and object of each finding that counts."""
    return [(each.rule.id, each.place.object) for each in found]


def test_a_waiver_excuses_what_it_names_until_its_last_day(tmp_path: Path) -> None:
    policy = Policy.load(waivers=waivers(tmp_path))
    found = policy.apply(checked(), _TODAY)
    assert told(found) == [("T001", "b"), ("T002", "x")]
    (excused,) = found.excused
    assert (excused.finding.place.object, excused.by) == ("a", "waiver")
    assert excused.reason == "A rewrite is under way. (until 2026-03-01)"
    assert found.summary() == "1 error, 1 warning (1 waived)"


def test_a_waiver_that_has_ended_is_a_fault_and_so_is_what_it_covered(tmp_path: Path) -> None:
    path = waivers(tmp_path)
    found = Policy.load(waivers=path).apply(checked(), date(2026, 3, 2))
    assert told(found)[1:] == [("T001", "a"), ("T001", "b"), ("T002", "x")]
    fault = found.findings[0]
    assert (fault.rule.id, str(fault.place)) == ("CHK001", f"{path}:3 waiver 1")
    assert fault.message == "T001 a* ?.py: ended on 2026-03-01; A rewrite is under way."


def test_a_waiver_that_covers_nothing_fails(tmp_path: Path) -> None:
    path = waivers(tmp_path, _WAIVED.replace("a*", "nobody"))
    found = Policy.load(waivers=path).apply(checked(), _TODAY)
    assert ("CHK002", "waiver 1") in told(found)
    assert found.exit_code == 1


def test_waivers_of_rules_that_were_not_looked_at_are_left_alone(tmp_path: Path) -> None:
    path = waivers(tmp_path)
    ignored = Policy.load(waivers=path, ignore=["T001"]).apply(checked(), date(2027, 1, 1))
    other = Rule("X001", "Of another check", "…")
    elsewhere = Policy.load(waivers=path).apply(Report.of([], checked=[other]), date(2027, 1, 1))
    assert (told(ignored), told(elsewhere)) == ([("T002", "x")], [])


def test_waivers_may_stand_in_pyproject(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(_WAIVED.replace("[[waiver]]", "[[tool.platform_ops.waiver]]"))
    (found,) = Waiver.load(path)
    assert (found.rule, found.object, found.until) == ("T001", "a*", date(2026, 3, 1))
    assert found.place.line == 3


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('reason = "A rewrite is under way."', "", "missing: reason"),
        ("until = 2026-03-01", "", "missing: until"),
        ("until = 2026-03-01", 'until = "2026-03-01"', "write a day such as 2027-03-31, unquoted"),
        ('object = "a*"\nfile = "?.py"', "", "missing: object, file or message"),
        ("reason", "raeson", "unknown: raeson; missing: reason; a waiver has rule, object, file"),
        ("[[waiver]]", "[[waiver]", "Expected ']]'"),
    ],
)
def test_a_waiver_without_reason_or_end_is_refused(
    tmp_path: Path, old: str, new: str, fault: str
) -> None:
    text = _WAIVED.replace(old, new)
    with pytest.raises(ConfigError) as refused:
        Waiver.load(waivers(tmp_path, text))
    assert fault in str(refused.value)
    assert "waivers.toml" in str(refused.value)


def test_a_baseline_lets_an_old_code_base_start_and_only_improve(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(Baseline.text(checked()))
    policy = Policy.load(baseline=path)

    start = policy.apply(checked())
    assert (told(start), start.summary()) == ([], "nothing found (3 in the baseline)")

    moved = [_BAD.at(Place("a", "a.py", 99), "is broken"), _BAD.at(Place("c", "c.py"), "is broken")]
    later = policy.apply(Report.of(moved, checked=[_BAD, _ODD]))
    assert told(later) == [("CHK003", "baseline"), ("CHK003", "baseline"), ("T001", "c")]
    assert [each.message for each in later if each.rule.id == "CHK003"] == [
        "T001 b.py b: is broken",
        "T002 x: looks odd",
    ]

    path.write_text(Baseline.text(later))
    again = Policy.load(baseline=path).apply(Report.of(moved, checked=[_BAD, _ODD]))
    assert told(again) == []


def test_a_baseline_counts_what_is_found_twice_at_one_place(tmp_path: Path) -> None:
    def lines(*numbers: int) -> Report:
        return Report.of(
            (_BAD.at(Place("", "a.py", each), "teh") for each in numbers), checked=[_BAD]
        )

    path = tmp_path / "baseline.json"
    path.write_text(Baseline.text(lines(1, 2)))
    assert len(Policy.load(baseline=path).apply(lines(5, 6))) == 0
    assert len(Policy.load(baseline=path).apply(lines(5, 6, 7))) == 1


def test_what_is_no_baseline_says_how_to_make_one(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_text("[]")
    with pytest.raises(ConfigError, match="--write-baseline"):
        Baseline.load(path)


def test_rules_are_chosen_by_what_their_ids_begin_with() -> None:
    assert told(Policy(select=("T002",)).apply(checked())) == [("T002", "x")]
    assert told(Policy(select=("T",), ignore=("T001",)).apply(checked())) == [("T002", "x")]
    with pytest.raises(ConfigError, match=r"'T9'.*there are T001, T002"):
        Policy(select=("T9",)).apply(checked())


def test_a_score_counts_subjects_without_fault(tmp_path: Path) -> None:
    whole = {"a": "one", "b": "one", "c": "one", "x": "two"}
    found = checked(subjects=whole)
    assert [(each.package, each.clean, each.total, each.percent) for each in found.scores] == [
        ("one", 1, 3, 33),
        ("two", 0, 1, 0),
    ]
    assert found.score.percent == 25
    waived = Policy.load(waivers=waivers(tmp_path)).apply(found, _TODAY)
    assert waived.scores[0].clean == 2
    path = tmp_path / "baseline.json"
    path.write_text(Baseline.text(found))
    assert Policy.load(baseline=path).apply(found).scores == found.scores


def excused(tmp_path: Path) -> Report:
    """One finding that counts, one waived, one of the baseline."""
    path = tmp_path / "baseline.json"
    path.write_text(Baseline.text(Report.of([_ODD.at("x", "looks odd")])))
    return Policy.load(waivers=waivers(tmp_path), baseline=path).apply(checked(), _TODAY)


def test_sarif_is_what_its_schema_asks_for(tmp_path: Path) -> None:
    document = json.loads(rendered(excused(tmp_path), "sarif", "a check"))
    jsonschema.validate(document, SARIF)
    (run,) = document["runs"]
    assert run["tool"]["driver"]["name"] == "a check"
    rules = [each["id"] for each in run["tool"]["driver"]["rules"]]
    assert rules == ["CHK001", "CHK002", "CHK003", "T001", "T002"]
    new, *others = run["results"]
    assert rules[new["ruleIndex"]] == new["ruleId"] == "T001"
    assert new["message"] == {"text": "b: is broken. mend it"}
    assert new["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "b.py"},
                "region": {"startLine": 2},
            },
            "logicalLocations": [{"fullyQualifiedName": "b"}],
        }
    ]
    assert {
        each["ruleId"]: each.get("baselineState") or each["suppressions"] for each in others
    } == {
        "T001": [
            {
                "kind": "external",
                "status": "accepted",
                "justification": "A rewrite is under way. (until 2026-03-01)",
            }
        ],
        "T002": "unchanged",
    }


def test_a_sarif_fingerprint_outlives_lines_that_move() -> None:
    def mark(line: int) -> object:
        found = Report.of([_BAD.at(Place("a", "a b.py", line), "is broken")])
        (result,) = json.loads(rendered(found, "sarif"))["runs"][0]["results"]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b.py"
        return result["partialFingerprints"]

    assert mark(1) == mark(2)


def test_junit_has_a_case_for_each_rule_that_holds_and_each_finding(tmp_path: Path) -> None:
    (suite,) = ElementTree.fromstring(rendered(excused(tmp_path), "junit"))
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped")} == {
        "tests": "6",
        "failures": "1",
        "skipped": "2",
    }
    cases = [
        (each.get("classname"), each.get("name"), [part.tag for part in each]) for each in suite
    ]
    assert cases[:3] == [
        ("CHK001", "Waiver has ended", []),
        ("CHK002", "Waiver covers nothing", []),
        ("CHK003", "Baseline lists what is no longer found", []),
    ]
    assert cases[3:] == [
        ("T001", "b: is broken", ["failure"]),
        ("T001", "a: is broken", ["skipped"]),
        ("T002", "x: looks odd", ["skipped"]),
    ]


def test_junit_stays_xml_whatever_was_raised() -> None:
    found = Report.of([_BAD.at("x", "said \x00 & <b>\ud800")])
    ((case,),) = ElementTree.fromstring(rendered(found, "junit"))
    assert case.get("name") == "x: said � & <b>�"


def test_github_shows_each_finding_at_its_line() -> None:
    shown = rendered(
        Report.of([_BAD.at(Place("b", "a,b.py", 2), "50% is\nbroken", "mend it")]), "github"
    )
    assert shown == (
        "::error file=a%2Cb.py,line=2,title=T001 A fault::b: 50%25 is%0Abroken%0Amend it\n"
    )
    assert rendered(Report.of([_ODD.at("x", "odd")]), "github") == (
        "::warning title=T002 An oddity::x: odd\n"
    )


def test_a_badge_is_a_picture_that_says_its_score() -> None:
    half = Report.of([_ODD.at("x", "odd")], subjects={"x": "one", "y": "one"})
    picture = ElementTree.fromstring(rendered(half, "badge"))
    assert picture.get("aria-label") == "documented: 50 %"
    colours = {rendered(each, "badge").count("#1a7f37") for each in (half, Report())}
    assert colours == {0, 1}


def test_every_format_writes_a_report_of_nothing() -> None:
    assert {form for form in FORMATS if not rendered(Report(), form)} == {"github"}
    assert rendered(Report(), "text") == "nothing found\n"
