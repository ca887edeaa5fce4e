"""The one engine for checks: a rule says what must hold, a finding says where it does not.

The site's completeness check, the doctor and the conventions all report through here, so that a
finding reads the same, is excused the same and decides an exit code the same everywhere::

    UNDOCUMENTED = Rule("DOC102", "Parameter without description", why="…")
    report = Report.of([UNDOCUMENTED.at("platform_ops.X.endpoint", "no :param endpoint: field")])
    report = Policy.load(waivers=Path("waivers.toml")).apply(report)
    report.print(console)
    sys.exit(report.exit_code)
"""

from platform_ops.findings.excuses import Baseline, Waiver
from platform_ops.findings.formats import FORMATS, rendered
from platform_ops.findings.model import Finding, Place, Rule, Severity
from platform_ops.findings.policy import Policy
from platform_ops.findings.report import Excused, Report, Score

__all__ = [
    "FORMATS",
    "Baseline",
    "Excused",
    "Finding",
    "Place",
    "Policy",
    "Report",
    "Rule",
    "Score",
    "Severity",
    "Waiver",
    "rendered",
]
