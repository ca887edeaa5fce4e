"""What a site's people agreed on about their DAGs, as code.

One definition serves three places: ``platform-ops lint``, Airflow's cluster policies, and a hook of
pre-commit. A package adds rules of its own by the entry point ``platform_ops.rules``::

    from platform_ops.conventions import Convention, Hit

    def _check(dag, agreed):
        if dag.given("max_active_runs") not in (1, MISSING):
            yield Hit(dag.line, str(dag.dag_id), "may run twice at once")

    RULES = [Convention(id="SH101", title="…", why="…", on_dag=_check)]
"""

from platform_ops.conventions.catalogue import GROUP, META, chosen, installed
from platform_ops.conventions.lint import Linted, agreed_by, fix, lint
from platform_ops.conventions.model import (
    MISSING,
    UNKNOWN,
    Agreed,
    Convention,
    DagFacts,
    Edit,
    Hit,
    TaskFacts,
    Told,
    Write,
)
from platform_ops.conventions.module import Module
from platform_ops.conventions.rules import CONVENTIONS

__all__ = [
    "CONVENTIONS",
    "GROUP",
    "META",
    "MISSING",
    "UNKNOWN",
    "Agreed",
    "Convention",
    "DagFacts",
    "Edit",
    "Hit",
    "Linted",
    "Module",
    "TaskFacts",
    "Told",
    "Write",
    "agreed_by",
    "chosen",
    "fix",
    "installed",
    "lint",
]
