"""DAGs and tasks as Airflow has built them, told to rules in the same words as those from source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from platform_ops.conventions.model import MISSING, Edit

__all__ = ["LoadedDag", "LoadedTask"]


class LoadedDag:
    """One DAG.

    :param dag: Airflow's own.
    """

    loaded = True
    line: int | None = None

    def __init__(self, dag: Any) -> None:  # Any: Airflow's DAG, which rules never name
        self._dag = dag

    @property
    def dag_id(self) -> str:
        """Its id."""
        return str(self._dag.dag_id)

    @cached_property
    def tasks(self) -> Sequence[LoadedTask]:
        """Its tasks."""
        return [LoadedTask(each, self) for each in self._dag.task_dict.values()]

    def given(self, name: str) -> Any:  # Any: whatever it holds
        """What it was given, or Airflow's default."""
        return getattr(self._dag, name, MISSING)

    def adding(self, argument: str) -> tuple[Edit, ...]:  # noqa: ARG002  there is no text to edit
        """Nothing."""
        return ()


class LoadedTask:
    """One task, mapped or not.

    :param task: Airflow's operator.
    :param dag: What it is in; looked up where unset.
    """

    line: int | None = None

    def __init__(self, task: Any, dag: LoadedDag | None) -> None:  # Any: an operator
        self._task = task
        self._dag = dag
        self._partial = getattr(task, "partial_kwargs", None)

    @property
    def dag(self) -> LoadedDag | None:
        """The DAG that it is in."""
        if self._dag is None and self._task.has_dag():
            self._dag = LoadedDag(self._task.dag)
        return self._dag

    @property
    def task_id(self) -> str:
        """Its id, with those of its groups."""
        return str(self._task.task_id)

    @property
    def name(self) -> str:
        """Ids of its DAG and its own."""
        return f"{self.dag.dag_id}.{self.task_id}" if self.dag else self.task_id

    @cached_property
    def operator(self) -> str:
        """Dotted name of its class; ``task`` and what follows the dot for a decorated function."""
        cls = getattr(self._task, "operator_class", None)
        cls = cls if isinstance(cls, type) else type(self._task)
        decorated = getattr(cls, "custom_operator_name", "")
        if isinstance(decorated, str) and decorated.startswith("@task"):
            return decorated[1:]
        return f"{cls.__module__}.{cls.__qualname__}"

    def given(self, name: str) -> Any:  # Any: whatever it holds
        """What it was given, or its default."""
        if self._partial is not None and name in self._partial:
            return self._partial[name]
        return getattr(self._task, name, MISSING)

    def arguments(self) -> Iterator[str]:
        """Names of what it holds."""
        yield from self._partial if self._partial is not None else vars(self._task)

    def texts(self) -> Iterator[tuple[int | None, str]]:
        """Texts in its template fields, which by now hold the content of template files."""
        return iter(self._rendered)

    @cached_property
    def _rendered(self) -> list[tuple[int | None, str]]:
        fields = self._task.template_fields or ()
        return [(None, each) for name in fields for each in _texts(self.given(name))]

    def adding(self, argument: str) -> tuple[Edit, ...]:  # noqa: ARG002  there is no text to edit
        """Nothing."""
        return ()


def _texts(value: Any) -> Iterator[str]:  # Any: whatever a field holds
    if isinstance(value, str):
        if "{{" in value or "{%" in value:
            yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)
