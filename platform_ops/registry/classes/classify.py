"""What a class is, by its bases alone; Airflow itself need not be imported for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["DECLARED", "KINDS", "TASKS", "dotted", "kind_of"]

# Nearest first: a sensor is an operator too.
_ROOTS: Final = {
    "airflow.sdk.bases.sensor.BaseSensorOperator": "sensor",
    "airflow.sdk.bases.operator.BaseOperator": "operator",
    "airflow.sdk.bases.hook.BaseHook": "hook",
    "airflow.triggers.base.BaseTrigger": "trigger",
    "airflow.sdk.bases.notifier.BaseNotifier": "notifier",
    "airflow.sdk.bases.secrets_backend.BaseSecretsBackend": "secrets-backend",
    "airflow.secrets.base_secrets.BaseSecretsBackend": "secrets-backend",
    "airflow.sdk.bases.operatorlink.BaseOperatorLink": "extra-link",
    "airflow.sdk.bases.timetable.BaseTimetable": "timetable",
    "airflow.timetables.base.Timetable": "timetable",
    "airflow.sdk._shared.plugins_manager.plugins_manager.AirflowPlugin": "plugin",
    "airflow._shared.plugins_manager.plugins_manager.AirflowPlugin": "plugin",
    "airflow.executors.base_executor.BaseExecutor": "executor",
    "airflow.dag_processing.bundles.base.BaseDagBundle": "bundle",
    "airflow.api_fastapi.auth.managers.base_auth_manager.BaseAuthManager": "auth-manager",
    "pydantic_ai.toolsets.abstract.AbstractToolset": "toolset",
}

DECLARED: Final = {
    "transfers": "transfer",
    "notifications": "notifier",
    "secrets-backends": "secrets-backend",
    "extra-links": "extra-link",
    "executors": "executor",
    "bundles": "bundle",
    "auth-managers": "auth-manager",
    "logging": "log-handler",
}
"""Sections of a provider's description, and the kind of the classes that they list.

They tell what no base does: whether an operator moves data between two systems, and which class
writes logs. Where a base tells, it is asked first.
"""

KINDS: Final = tuple(dict.fromkeys([*_ROOTS.values(), *DECLARED.values()]))
"""The kinds of class that the catalogue keeps."""

TASKS: Final = ("operator", "sensor", "transfer")
"""Those that a task can be."""


def dotted(cls: type) -> str:
    """Module and qualified name of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def kind_of(cls: type, declared: Mapping[str, str] | None = None) -> str:
    """The kind of a class, or the empty string where Airflow has no name for it.

    :param declared: What providers say: dotted name of a class, or of its module, to its kind.
    """
    said = declared or {}
    for base in cls.__mro__:
        if kind := _ROOTS.get(dotted(base)):
            moves = kind == "operator" and said.get(cls.__module__) == "transfer"
            return "transfer" if moves else kind
    return said.get(dotted(cls), "")
