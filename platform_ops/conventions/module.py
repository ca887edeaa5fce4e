"""One DAG file, parsed once: its imports, calls, functions, DAGs and tasks. Nothing of it is run."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from platform_ops.conventions.literals import value_of
from platform_ops.conventions.rewrite import lines_of
from platform_ops.conventions.sites import DagSite, TaskSite
from platform_ops.conventions.walk import Call, Function, Scope, Walk

__all__ = ["Call", "Function", "Module", "Scope"]


@dataclass(frozen=True, eq=False)
class Module:
    """What rules ask of one file.

    :param path: As findings tell it.
    """

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def parse(cls, path: str, text: str) -> Module:
        """Parse a file once, for all rules.

        :raises SyntaxError: It is no Python.
        """
        return cls(path, text, ast.parse(text, path))

    @cached_property
    def lines(self) -> list[str]:
        """The file's lines, with their ends."""
        return lines_of(self.text)

    @cached_property
    def walk(self) -> Walk:
        """Everything that one pass over the tree collects."""
        return Walk(self.tree)

    @property
    def calls(self) -> list[Call]:
        """Every call, in the order of the source."""
        return self.walk.calls

    def resolve(self, node: ast.expr) -> str:
        """The dotted name of what an expression refers to; empty where it has none."""
        return self.walk.resolve(node)

    def value(self, node: ast.expr) -> Any:  # Any: literals
        """What an expression is worth, as far as that can be told without running it."""
        return value_of(node, self.walk.bound_once, self.walk.resolve)

    @cached_property
    def dags(self) -> list[DagSite]:
        """Every DAG that the file spells out."""
        return [DagSite(self, each) for each in self.walk.dags]

    @cached_property
    def tasks(self) -> list[TaskSite]:
        """Every task that the file spells out, those of no known DAG as well."""
        sites = {each.made: each for each in self.dags}
        only = self.dags[0] if len(self.dags) == 1 else None
        return [
            TaskSite(self, each, sites.get(each.dag) if each.dag else only)
            for each in self.walk.tasks
        ]

    @cached_property
    def runs_at_parse(self) -> set[Scope]:
        """Where code runs each time that the file is parsed: its top, DAG functions, what these call."""
        return self._reached(
            {None, *(each.node for each in self.walk.functions.values() if each.builds)},
            {each.node for each in self.walk.functions.values() if each.is_task},
        )

    @cached_property
    def runs_in_task(self) -> set[Scope]:
        """Where code runs in a task: decorated functions, callables of operators, what these call."""
        named = {
            keyword.value.id
            for task in self.walk.tasks
            for keyword in task.call.keywords
            if keyword.arg == "python_callable" and isinstance(keyword.value, ast.Name)
        }
        found = {
            each.node for name, each in self.walk.functions.items() if each.is_task or name in named
        }
        return self._reached(set(found), set()) - self.runs_at_parse

    def _reached(self, start: set[Scope], but: set[Scope]) -> set[Scope]:
        """These scopes, and the functions of the file that they call by name, however far."""
        called: dict[Scope, set[str]] = defaultdict(set)
        for call in self.calls:
            if isinstance(call.node.func, ast.Name):
                called[call.scope].add(call.node.func.id)
        reached, waiting = set(start), list(start)
        while waiting:
            for name in called[waiting.pop()]:
                function = self.walk.functions.get(name)
                if function and function.node not in reached and function.node not in but:
                    reached.add(function.node)
                    waiting.append(function.node)
        return reached

    def parse_time_calls(self) -> Iterator[Call]:
        """Calls that are made each time that the file is parsed."""
        return (each for each in self.calls if each.scope in self.runs_at_parse)

    def task_time_calls(self) -> Iterator[Call]:
        """Calls that a task makes."""
        return (each for each in self.calls if each.scope in self.runs_in_task)
