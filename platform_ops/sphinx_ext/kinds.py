"""The kinds of object in the domain: one row each, from which everything else is made.

A row gives a role, a directive, an index page, entries of ``objects.inv`` and, for kinds whose objects
have pages, those pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["ADDITION_KINDS", "CLASS_KINDS", "KINDS", "Kind", "Shape"]


class Shape(StrEnum):
    """How the objects of a kind are shown."""

    CLASS = "class"  # a page each, built from a class's entry
    PAGE = "page"  # a page each, built by a directive of the kind's own
    ROWS = "rows"  # a row each, on one page


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object.

    :param name: Of its role and, for kinds with pages, of its directive.
    :param plural: Of its index page and, for kinds with pages, their folder.
    :param lead: What its generated index page says first.
    :param index: The directive that lists the kind; ``{name}-index`` unless it has a name of its own.
    """

    name: str
    plural: str
    title: str
    shape: Shape
    lead: str
    index: str = ""

    @property
    def paged(self) -> bool:
        """Whether each object has a page of its own."""
        return self.shape is not Shape.ROWS

    @property
    def index_directive(self) -> str:
        """The directive that lists the kind."""
        return self.index or f"{self.name}-index"


_CLASSES = (
    ("operator", "operators", "Operators", "What a task can be."),
    ("sensor", "sensors", "Sensors", "What a task can wait for."),
    ("transfer", "transfers", "Transfers", "What moves data from one system to another."),
    ("hook", "hooks", "Hooks", "How tasks talk to other systems."),
    ("trigger", "triggers", "Triggers", "What deferred tasks wait on."),
    ("notifier", "notifiers", "Notifiers", "How people are told."),
    ("secrets-backend", "secrets-backends", "Secrets backends", "Where secrets come from."),
    ("extra-link", "extra-links", "Extra links", "Buttons on a task's page."),
    ("timetable", "timetables", "Timetables", "When DAGs run."),
    ("executor", "executors", "Executors", "What runs tasks."),
    ("bundle", "bundles", "DAG bundles", "Where DAG files come from."),
    ("log-handler", "log-handlers", "Log handlers", "Where logs of tasks go."),
    ("auth-manager", "auth-managers", "Auth managers", "Who may do what."),
    ("plugin", "plugins", "Plugins", "What is added to Airflow itself."),
    ("toolset", "toolsets", "Toolsets", "What agents may use."),
)
_ADDITIONS = (
    ("decorator", "decorators", "Task decorators", "What makes a function a task."),
    ("macro", "macros", "Macros", "What templates can call."),
    ("listener", "listeners", "Listeners", "What is told when Airflow does something."),
    ("policy", "policies", "Policies", "What every task and DAG must keep to."),
)
_ROWS = (
    ("connection", "connections", "Connections", "Connection types and their forms.", ""),
    ("option", "options", "Airflow options", "What can be set in Airflow's configuration.", ""),
    ("metric", "metrics", "Metrics", "What is counted and timed.", "metrics"),
    ("setting", "settings", "Settings", "What a site can set.", "settings"),
    ("error", "errors", "Errors", "What is raised, and whether a retry can help.", "errors"),
    ("rule", "rules", "Rules", "What checks look for, and why.", ""),
)
_PAGES = (
    ("provider", "providers", "Packages", "What is installed, and what each package brings."),
    ("dag", "dags", "DAGs", "What runs, when, and made of what."),
    ("source", "sources", "Sources", "The systems that data comes from."),
    ("entity", "entities", "Entities", "What arrives from them, and what was agreed on it."),
    ("asset", "assets", "Assets", "What DAGs tell each other about."),
)

CLASS_KINDS: Final = tuple(row[0] for row in _CLASSES)
"""Kinds of class that have pages."""

ADDITION_KINDS: Final = tuple(row[0] for row in _ADDITIONS)
"""Kinds of function that packages add to Airflow."""

KINDS: Final = {
    kind.name: kind
    for kind in (
        *(Kind(name, plural, title, Shape.CLASS, lead) for name, plural, title, lead in _CLASSES),
        *(Kind(name, plural, title, Shape.ROWS, lead) for name, plural, title, lead in _ADDITIONS),
        *(
            Kind(name, plural, title, Shape.ROWS, lead, own)
            for name, plural, title, lead, own in _ROWS
        ),
        *(Kind(name, plural, title, Shape.PAGE, lead) for name, plural, title, lead in _PAGES),
    )
}
