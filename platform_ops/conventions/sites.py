"""DAGs and tasks as a file spells them out."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from platform_ops.conventions.literals import Called
from platform_ops.conventions.model import MISSING, UNKNOWN, Edit, Unset
from platform_ops.conventions.rewrite import one_more_argument

if TYPE_CHECKING:
    from platform_ops.conventions.module import Module
    from platform_ops.conventions.walk import MadeDag, MadeTask

__all__ = ["DagSite", "TaskSite"]


class _Site:
    """What a call's arguments are worth."""

    def __init__(
        self, module: Module, call: ast.Call | None, more: Sequence[ast.Call] = ()
    ) -> None:
        self.module = module
        self.call = call
        self._calls = [each for each in (call, *more) if each is not None]

    @cached_property
    def keywords(self) -> dict[str, ast.expr]:
        """Every argument that is given by name; ``**`` where more may be."""
        return {
            keyword.arg or "**": keyword.value
            for each in reversed(self._calls)
            for keyword in each.keywords
        }

    def own(self, name: str) -> Any:  # Any: literals
        """The argument itself, without defaults."""
        if name in self.keywords:
            return self.module.value(self.keywords[name])
        return UNKNOWN if "**" in self.keywords else MISSING

    def adding(self, argument: str) -> tuple[Edit, ...]:
        """The edits that add an argument to the call."""
        if self.call is None or "**" in self.keywords or not hasattr(self.call, "lineno"):
            return ()
        return one_more_argument(self.module.lines, self.call, argument)


class DagSite(_Site):
    """One DAG of a file."""

    loaded = False

    def __init__(self, module: Module, made: MadeDag) -> None:
        super().__init__(module, made.call)
        self.made = made

    @property
    def line(self) -> int:
        """Where it is made."""
        return self.made.call.lineno if self.made.call else self.made.line

    @cached_property
    def dag_id(self) -> str | Unset:
        """Its id; the function's name where a decorator is given none."""
        given = self._positional("dag_id")
        if given is MISSING and self.made.function is not None:
            return self.made.function.name
        return given if isinstance(given, str) else UNKNOWN

    def _positional(self, name: str) -> Any:  # Any: literals
        if self.call is not None and self.call.args:
            return self.module.value(self.call.args[0])
        return self.own(name)

    @property
    def docstring(self) -> str | None:
        """That of a decorated function, which Airflow takes for its ``doc_md``."""
        function = self.made.function
        return ast.get_docstring(function) if function else None

    def given(self, name: str) -> Any:  # Any: literals
        """Its argument."""
        found = self.own(name)
        return self.docstring if found is MISSING and name == "doc_md" and self.docstring else found

    @cached_property
    def tasks(self) -> Sequence[TaskSite]:
        """The tasks that are known to be in it."""
        return [each for each in self.module.tasks if each.dag is self]

    def default(self, name: str) -> Any:  # Any: literals
        """What ``default_args`` gives to its tasks."""
        found = self.own("default_args")
        if isinstance(found, Called) and found.name == "dict":
            found = found.kwargs
        if isinstance(found, dict):
            return found.get(name, UNKNOWN if "**" in found else MISSING)
        return MISSING if found is MISSING or found is None else UNKNOWN


class TaskSite(_Site):
    """One task of a file."""

    def __init__(self, module: Module, made: MadeTask, dag: DagSite | None) -> None:
        super().__init__(module, made.call, made.more)
        self.made = made
        self.dag = dag

    @property
    def line(self) -> int:
        """Where it is made."""
        return self.made.line

    @property
    def operator(self) -> str:
        """Dotted name of its class."""
        return self.made.operator

    @cached_property
    def task_id(self) -> str | Unset:
        """Its id; the function's name where a decorator is given none."""
        given = self.own("task_id")
        if given is MISSING and self.made.function is not None:
            return self.made.function.name
        return given if isinstance(given, str) else UNKNOWN

    @property
    def name(self) -> str:
        """Ids of its DAG and its own, as far as they are known."""
        dag = self.dag.dag_id if self.dag else UNKNOWN
        parts = [each for each in (dag, self.task_id) if isinstance(each, str)]
        return ".".join(parts) or self.operator.rpartition(".")[2]

    def given(self, name: str) -> Any:  # Any: literals
        """Its own argument, else the DAG's default."""
        found = self.own(name)
        if found is not MISSING:
            return found
        return self.dag.default(name) if self.dag else UNKNOWN

    def arguments(self) -> Iterator[str]:
        """Names of its own arguments."""
        return iter(self.keywords)

    def first(self) -> Any:  # Any: literals
        """Its first argument without a name."""
        return self.module.value(self.call.args[0]) if self.call and self.call.args else MISSING

    def texts(self) -> Iterator[tuple[int | None, str]]:
        """Texts among its arguments that hold a template."""
        for call in self._calls:
            for argument in (*call.args, *(each.value for each in call.keywords)):
                yield from _templates(argument)

    def parameters(self) -> Iterator[tuple[int, str]]:
        """Names that a decorated function asks Airflow's context for."""
        function = self.made.function
        if function is not None:
            arguments = function.args
            for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
                yield each.lineno, each.arg


def _templates(node: ast.expr) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.JoinedStr):
        parts = [str(each.value) if isinstance(each, ast.Constant) else "…" for each in node.values]
        if any("{{" in part or "{%" in part for part in parts):
            yield node.lineno, "".join(parts)
        return
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str) and ("{{" in node.value or "{%" in node.value):
            yield node.lineno, node.value
        return
    if isinstance(node, ast.Lambda):
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.keyword):
            yield from _templates(child.value)
        elif isinstance(child, ast.expr):
            yield from _templates(child)
