"""Words that a setting, an operator or a session may be given: a DAG file needs them without the model."""

from __future__ import annotations

from typing import Final, Literal

__all__ = [
    "KINDS",
    "SEVERITIES",
    "Codec",
    "Encryption",
    "Kind",
    "Mode",
    "OnExisting",
    "Reaction",
    "Severity",
]

OnExisting = Literal["revise", "reuse", "fail"]
Mode = Literal["auto", "refetch", "replay"]
Codec = Literal["none", "gzip", "zstd"]
Reaction = Literal["fail", "warn", "skip", "accept"]
Encryption = Literal["AES256", "aws:kms", "aws:kms:dsse"]
Kind = Literal["success", "failure", "critical", "recovered", "late", "volume-anomaly"]
Severity = Literal["info", "warning", "error", "critical"]

KINDS: Final[dict[Kind, tuple[Severity, str]]] = {
    "success": ("info", "A task or a run succeeded."),
    "failure": ("error", "A task failed for good, or a run failed."),
    "critical": ("critical", "It failed several times in a row, or it is marked as critical."),
    "recovered": ("info", "What had failed, or was late, works again."),
    "late": ("warning", "A slot is overdue, by the schedule of its entity."),
    "volume-anomaly": ("warning", "A delivery is far smaller or larger than those before it."),
}
"""Every kind of message, how severe it is, and what it says."""
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "error", "critical")
