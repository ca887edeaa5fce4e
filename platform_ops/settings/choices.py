"""Words that a setting, an operator or a session may be given: a DAG file needs them without the model."""

from __future__ import annotations

from typing import Final, Literal, get_args

from platform_ops.errors import ConfigError

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
    "one_of",
    "require_known",
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


def one_of(choices: object) -> str:
    """The values of a ``Literal``, for a message."""
    return ", ".join(repr(each) for each in get_args(choices))


def require_known(**given: tuple[object, object]) -> None:
    """Refuse an argument whose value does not exist, when the DAG file is parsed.

    :param given: By the argument's name its value, and the ``Literal`` that has it.
    :raises ConfigError: The message lists the right ones.
    """
    for name, (value, choices) in given.items():
        if value not in get_args(choices):
            raise ConfigError(f"{name}={value!r} does not exist; right are: {one_of(choices)}")
