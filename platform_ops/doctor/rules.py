"""What the doctor holds a site against."""

from __future__ import annotations

from typing import Final

from platform_ops.findings import Rule, Severity

__all__ = ["RULES"]

NO_SETTINGS: Final = Rule(
    "PD101",
    "No platform.toml",
    "The defaults hold where the environment sets nothing else, and no entity has an owner.",
    Severity.NOTE,
)
SETTINGS_MISSING: Final = Rule(
    "PD102",
    "The settings file that is named is not there",
    "Every task that archives fails before it asks its source.",
)
SETTINGS_WRONG: Final = Rule(
    "PD103",
    "The settings are wrong",
    "Every task that archives fails before it asks its source.",
)

ROOT_OF_ONE_MACHINE: Final = Rule(
    "PD201",
    "A local root under a remote executor",
    "Tasks run on several machines, and each would archive to a disk that the others do not see.",
)
ROOT_TO_BE_SHARED: Final = Rule(
    "PD202",
    "A network mount under a remote executor",
    "It serves only where every worker mounts the same share at the same place.",
    Severity.WARNING,
)
UNWRITABLE: Final = Rule(
    "PD203", "The root cannot be written", "No task can archive, and so none can succeed."
)
UNREACHABLE: Final = Rule(
    "PD204", "The root cannot be reached", "No task can archive, and so none can succeed."
)
NO_LINKS: Final = Rule(
    "PD205",
    "No hard links below the root",
    "A commit is a link that never replaces a file; without links two writers can lose a revision.",
)
OVERWRITES: Final = Rule(
    "PD206",
    "The store overwrites what it was told to create",
    "The guarantee that nothing archived is ever overwritten stands on create-only writes.",
)
NO_FSYNC: Final = Rule(
    "PD207",
    "The file system does not sync",
    "A revision that was reported as committed may be gone after a power cut.",
)
FOLDS_CASE: Final = Rule(
    "PD208",
    "The file system folds case",
    "Two entities or keys that differ in case alone meet in one slot; the second one then fails.",
    Severity.WARNING,
)

TEMPLATE_CHANGED: Final = Rule(
    "PD301",
    "The URL template was changed over data",
    "Old slots stay readable, but new revisions start under another prefix: a slot from before is "
    "not continued, and who works out its URL by the new template looks in the wrong place.",
    Severity.WARNING,
)
UNDECLARED: Final = Rule(
    "PD302",
    "An archived entity is not declared",
    "Nobody answers for it, and it is kept for ever.",
    Severity.NOTE,
)
REFUSED: Final = Rule(
    "PD303",
    "An archived entity is no longer declared, and undeclared ones are refused",
    "Its DAG fails on its next run.",
    Severity.WARNING,
)
DAMAGED: Final = Rule(
    "PD304", "The archive is damaged", "What a manifest says can no longer be trusted."
)

AIRFLOW_BROKEN: Final = Rule(
    "PD401", "Airflow cannot start", "No DAG runs, and nothing of Airflow can be examined."
)
AIRFLOW_OLD: Final = Rule(
    "PD402",
    "Airflow is too old",
    "Partition keys and the task SDK's metrics came with Airflow 3.3.",
)
NOT_A_PROVIDER: Final = Rule(
    "PD403",
    "Airflow does not know this provider",
    "Connection types and the option [platform_ops] config are missing from Airflow.",
)
CONNECTION_UNSEEN: Final = Rule(
    "PD404",
    "A connection that the settings name is not to be seen from here",
    "Without it no task reaches the archive. From a terminal only the environment and secrets "
    "backends can be seen; a connection in Airflow's database may still serve tasks.",
    Severity.WARNING,
)
METRICS_OFF: Final = Rule(
    "PD405",
    "Airflow emits no metrics",
    "What was archived, how much and how slowly is counted, and then dropped.",
    Severity.NOTE,
)

METRICS_UNTAGGED: Final = Rule(
    "PD406",
    "Metrics lose their tags",
    "Plain statsd has none, so that all sources and entities become one series.",
    Severity.WARNING,
)
METRICS_CUMULATIVE: Final = Rule(
    "PD407",
    "Metrics of OpenTelemetry are not sent as deltas",
    "Each task is a process of its own: cumulative, the default, begins a new series at zero for each.",
    Severity.WARNING,
)
COLLECTOR_HOLDS: Final = Rule(
    "PD408",
    "A silent collector holds every task's process",
    "Airflow's client sends what is left when a task's process ends, after the task's state is known. A "
    "collector that takes connections and never answers holds the process, and so its slot, for the whole "
    "time that the client waits.",
    Severity.WARNING,
)

CHANNEL_UNSEEN: Final = Rule(
    "PD501",
    "A channel whose connection is not to be seen from here",
    "Without it no message leaves over this channel. From a terminal only the environment and secrets "
    "backends can be seen; a connection in Airflow's database may still serve tasks.",
    Severity.WARNING,
)
CHANNEL_WRONG: Final = Rule(
    "PD502",
    "A channel that can send nothing",
    "Its connection is of another type or lacks what is needed, or a library is not installed: people "
    "are told nothing, and no task fails by it.",
)
CHANNEL_SILENT: Final = Rule(
    "PD503",
    "A channel whose host takes no connection",
    "Messages are given up after [notify] timeout_s, and people are told nothing.",
)
NOBODY_TOLD: Final = Rule(
    "PD504",
    "Failures that nobody is told of",
    "The site tells people, and the routes leave these to no channel.",
    Severity.WARNING,
)

RULES: Final = (
    NO_SETTINGS,
    SETTINGS_MISSING,
    SETTINGS_WRONG,
    ROOT_OF_ONE_MACHINE,
    ROOT_TO_BE_SHARED,
    UNWRITABLE,
    UNREACHABLE,
    NO_LINKS,
    OVERWRITES,
    NO_FSYNC,
    FOLDS_CASE,
    TEMPLATE_CHANGED,
    UNDECLARED,
    REFUSED,
    DAMAGED,
    AIRFLOW_BROKEN,
    AIRFLOW_OLD,
    NOT_A_PROVIDER,
    CONNECTION_UNSEEN,
    METRICS_OFF,
    METRICS_UNTAGGED,
    METRICS_CUMULATIVE,
    COLLECTOR_HOLDS,
    CHANNEL_UNSEEN,
    CHANNEL_WRONG,
    CHANNEL_SILENT,
    NOBODY_TOLD,
)
"""All of them, by id."""
