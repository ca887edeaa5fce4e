"""What a convention is, and what it is asked about: DAGs and tasks, read from source or loaded."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol

from platform_ops.findings import Rule, Severity

if TYPE_CHECKING:
    from platform_ops.conventions.module import Module
    from platform_ops.settings import ConventionSettings

__all__ = [
    "MISSING",
    "UNKNOWN",
    "Agreed",
    "Convention",
    "DagFacts",
    "Edit",
    "Hit",
    "TaskFacts",
    "Told",
    "Unset",
    "Write",
]


class Unset(Enum):
    """Why a value is not there."""

    MISSING = "missing"
    UNKNOWN = "unknown"


MISSING: Final = Unset.MISSING
"""It was not given, here or in ``default_args``."""
UNKNOWN: Final = Unset.UNKNOWN
"""It was given, and only running the file would tell what it is."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a file's text that is safe to make unseen.

    :param line: One-based line; ``column`` counts characters from 0.
    :param length: Characters that go, all of them in that line.
    """

    line: int
    column: int
    length: int
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One place that breaks a rule.

    :param line: One-based; None where it is known to be in the file and no more.
    :param object: DAG, DAG and task, or whatever else names the thing.
    :param message: What is wrong there; never a secret's value.
    :param fix: What to do, where the rule's own advice can be made more exact.
    :param edits: The changes that mend it, where that is safe.
    """

    line: int | None
    object: str
    message: str
    fix: str = ""
    edits: tuple[Edit, ...] = ()


class TaskFacts(Protocol):
    """One task, from source or loaded; what is asked for by name is an argument of its operator."""

    @property
    def name(self) -> str:
        """Id of the DAG and of the task, as far as they are known."""
        ...

    @property
    def task_id(self) -> str | Unset:
        """Its id, with those of the groups around it where they are known."""
        ...

    @property
    def operator(self) -> str:
        """Dotted name of its class; ``task`` and what follows the dot for a decorated function."""
        ...

    @property
    def line(self) -> int | None:
        """Where it is made."""
        ...

    @property
    def dag(self) -> DagFacts | None:
        """The DAG that it is in, where that is known."""
        ...

    def given(self, name: str) -> Any:  # Any: whatever the argument holds
        """Its own argument, else that of ``default_args``, else :data:`MISSING`."""
        ...

    def arguments(self) -> Iterator[str]:
        """Names of the arguments that it was given."""
        ...

    def texts(self) -> Iterator[tuple[int | None, str]]:
        """Every text that Airflow may render as a template, with its line."""
        ...

    def adding(self, argument: str) -> tuple[Edit, ...]:
        """The edits that give it one more argument; none where that cannot be done safely."""
        ...


class DagFacts(Protocol):
    """One DAG, from source or loaded."""

    @property
    def dag_id(self) -> str | Unset:
        """Its id."""
        ...

    @property
    def line(self) -> int | None:
        """Where it is made."""
        ...

    @property
    def tasks(self) -> Sequence[TaskFacts]:
        """Its tasks, as far as they can be told."""
        ...

    @property
    def loaded(self) -> bool:
        """Whether Airflow has built it, so that what was left to defaults shows as their values."""
        ...

    def given(self, name: str) -> Any:  # Any: whatever the argument holds
        """Its argument, else :data:`MISSING`."""
        ...

    def adding(self, argument: str) -> tuple[Edit, ...]:
        """The edits that give it one more argument; none where that cannot be done safely."""
        ...


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a rule may know of the site.

    :param settings: The table ``[conventions]``.
    :param entities: Names of the entities that are declared; None where the site declares none.
    """

    settings: ConventionSettings
    entities: frozenset[str] | None = None

    def options(self, rule: str) -> Mapping[str, Any]:  # Any: as in the file
        """What the site set for a rule of its own."""
        found = self.settings.rules.get(rule)
        return found.options if found else {}


@dataclass(frozen=True, slots=True)
class Write:
    """What one DAG says about a name that several DAGs may share.

    :param kind: ``entity`` or ``asset`` that it writes, ``waits`` for an asset, or ``computed`` assets.
    """

    kind: str
    name: str
    dag: str
    line: int
    file: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A hit of a rule that looks at all files together, with its file."""

    file: str
    hit: Hit


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention(Rule):
    """A rule on DAGs, with what finds where it does not hold; at least one of these is given.

    :param source: ``(module, agreed)``: hits in the source of one file.
    :param on_dag: ``(dag, agreed)``: hits of one DAG, from source or loaded.
    :param on_task: ``(task, agreed)``: hits of one task, from source or loaded.
    :param across: ``(writes, agreed)``: hits over all files together, as :class:`Told`.
    :param on_template: ``(path, text)``: hits in a pod template file.
    :param mend_dag: ``(dag, agreed)``: changes a DAG that Airflow has loaded.
    :param mend_task: ``(task, agreed)``: changes a task that Airflow has loaded.
    :param goes_by: Fields of ``[conventions]`` that it asks.
    :param hides: Its lines hold what a log of CI must not show: no report quotes them.
    """

    source: Callable[[Module, Agreed], Iterable[Hit]] | None = field(default=None, compare=False)
    on_dag: Callable[[DagFacts, Agreed], Iterable[Hit]] | None = field(default=None, compare=False)
    on_task: Callable[[TaskFacts, Agreed], Iterable[Hit]] | None = field(
        default=None, compare=False
    )
    across: Callable[[Sequence[Write], Agreed], Iterable[Told]] | None = field(
        default=None, compare=False
    )
    on_template: Callable[[str, str], Iterable[Hit]] | None = field(default=None, compare=False)
    mend_dag: Callable[[Any, Agreed], None] | None = field(  # Any: Airflow's DAG
        default=None, compare=False
    )
    mend_task: Callable[[Any, Agreed], None] | None = field(  # Any: an operator, mapped or not
        default=None, compare=False
    )

    goes_by: tuple[str, ...] = field(default=(), compare=False)
    hides: bool = field(default=False, compare=False)

    @property
    def options(self) -> str:
        """How a site sets it, as the part of ``platform.toml`` that holds where nothing is set."""
        from platform_ops.settings import ConventionSettings

        agreed = ConventionSettings()
        asked = [f"{name} = {_toml(getattr(agreed, name))}" for name in self.goes_by]
        policies = ["error", "warn", *(["mutate"] if self.mend_dag or self.mend_task else [])]
        severities = [each.value for each in Severity if each is not self.severity]
        lines = [
            f"[conventions.rules.{self.id}]",
            f'severity = "{self.severity}"  # or {_listed([*severities, "off"])}',
        ]
        if self.in_policy:
            lines.append(f'policy = "off"  # or {_listed(policies)}: what Airflow does by it')
        head = ["[conventions]", *asked, ""] if asked else []
        return "\n".join([*head, *lines])

    @property
    def in_policy(self) -> bool:
        """Whether Airflow's cluster policies can hold a loaded DAG against it."""
        return self.on_dag is not None or self.on_task is not None


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f'"{each}"' for each in words)


def _toml(value: Any) -> str:  # Any: a setting's value
    """A default as TOML writes it; a table that is empty is shown by what it could hold."""
    if isinstance(value, tuple):
        text = json.dumps(list(value))
        inner = textwrap.indent(textwrap.fill(text[1:-1], 80, break_long_words=False), "    ")
        return text if len(text) <= 80 else f"[\n{inner},\n]"
    if isinstance(value, dict):
        return "{}  # connection = pool"
    return json.dumps(value)
