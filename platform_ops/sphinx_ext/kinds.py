"""The kinds of object in the domain: one row each, from which everything else is made."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CLASS_KINDS", "KINDS", "Kind"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object.

    :param name: Of its role and directive.
    :param plural: Of its index page and, for kinds with pages, their folder.
    :param paged: Whether each object has a page of its own.
    :param lead: What its generated index page says first.
    """

    name: str
    plural: str
    title: str
    paged: bool
    lead: str


CLASS_KINDS = ("operator", "sensor", "hook", "trigger", "notifier")

KINDS = {
    kind.name: kind
    for kind in (
        Kind("operator", "operators", "Operators", True, "What a task can be."),
        Kind("sensor", "sensors", "Sensors", True, "What a task can wait for."),
        Kind("hook", "hooks", "Hooks", True, "How tasks talk to other systems."),
        Kind("trigger", "triggers", "Triggers", True, "What deferred tasks wait on."),
        Kind("notifier", "notifiers", "Notifiers", True, "How people are told."),
        Kind(
            "connection", "connections", "Connections", False, "Connection types and their forms."
        ),
        Kind("metric", "metrics", "Metrics", False, "What is counted and timed."),
        Kind("setting", "settings", "Settings", False, "What a site can set."),
        Kind("error", "errors", "Errors", False, "What is raised, and whether a retry can help."),
        Kind("dag", "dags", "DAGs", True, "What runs, when, and made of what."),
    )
}
