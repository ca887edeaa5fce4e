"""What a class is, by its bases alone; Airflow itself need not be imported for that."""

from __future__ import annotations

__all__ = ["KINDS", "dotted", "kind_of"]

# Nearest first: a sensor is an operator too.
_ROOTS = {
    "airflow.sdk.bases.sensor.BaseSensorOperator": "sensor",
    "airflow.sdk.bases.operator.BaseOperator": "operator",
    "airflow.sdk.bases.hook.BaseHook": "hook",
    "airflow.triggers.base.BaseTrigger": "trigger",
    "airflow.sdk.bases.notifier.BaseNotifier": "notifier",
}

KINDS = ("operator", "sensor", "hook", "trigger", "notifier")
"""The kinds of class that the catalogue keeps."""


def dotted(cls: type) -> str:
    """Module and qualified name of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def kind_of(cls: type) -> str:
    """The kind of a class, or the empty string where Airflow has no name for it."""
    for base in cls.__mro__:
        if kind := _ROOTS.get(dotted(base)):
            return kind
    return ""
