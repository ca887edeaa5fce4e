"""What a module adds to Airflow besides classes: decorators, macros, listeners and policies.

Runs in the worker process alone. Listeners and policies are told by the mark that Airflow's own
``hookimpl`` leaves on a function; decorators by what the provider declares; macros by the plugin that
lists them.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Final

from platform_ops.registry.classes.classify import TASKS, dotted, kind_of
from platform_ops.registry.classes.docstrings import parse
from platform_ops.registry.classes.parameters import function_parameters
from platform_ops.registry.models.location import Source
from platform_ops.registry.models.providers import Addition

__all__ = ["additions"]

# What pluggy's markers leave on a function: the name of Airflow's project, and "_impl".
_MARKS: Final = {"airflow_impl": "listener", "airflow.policy_impl": "policy"}


def additions(
    module: ModuleType, package: str, decorators: Mapping[str, str]
) -> Iterator[Addition]:
    """Everything that a module defines, each once.

    :param decorators: Dotted path of a function to the name after ``@task.``.
    """
    for name, value in sorted(vars(module).items()):
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            if decorator := decorators.get(f"{module.__name__}.{name}"):
                yield _addition("decorator", f"task.{decorator}", value, package)
            yield from _hooks([value], package)
        elif isinstance(value, type) and value.__module__ == module.__name__:
            yield from _hooks(filter(inspect.isfunction, vars(value).values()), package)
            if kind_of(value) == "plugin":
                yield from _macros(value, package)


def _hooks(functions: Iterable[FunctionType], package: str) -> Iterator[Addition]:
    for function in functions:
        for mark, kind in _MARKS.items():
            if hasattr(function, mark):
                yield _addition(kind, function.__name__, function, package)


def _macros(plugin: type, package: str) -> Iterator[Addition]:
    listed = getattr(plugin, "macros", None) or ()
    prefix = getattr(plugin, "name", None) or plugin.__name__
    for each in listed if isinstance(listed, (list, tuple)) else ():
        if isinstance(each, FunctionType):
            yield _addition("macro", f"macros.{prefix}.{each.__name__}", each, package)


def _addition(kind: str, name: str, function: FunctionType, package: str) -> Addition:
    doc = parse(function.__doc__)
    code = function.__code__
    depth = function.__module__.count(".") + 1
    return Addition(
        kind=kind,
        name=name,
        target=f"{function.__module__}.{function.__qualname__}",
        package=package,
        source=Source("/".join(code.co_filename.split("/")[-depth:]), code.co_firstlineno),
        summary=doc.summary,
        description=doc.body,
        parameters=function_parameters(function, doc),
        operator=_operator_of(function) if kind == "decorator" else "",
        since=doc.since,
        deprecated=doc.deprecated,
    )


def _operator_of(function: FunctionType) -> str:
    """The operator that a decorator's code names; the public base of a private one."""
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, type) and kind_of(value) in TASKS:
            bases = (each for each in value.__mro__ if kind_of(each) in TASKS)
            return next((dotted(each) for each in bases if not each.__name__.startswith("_")), "")
    return ""
