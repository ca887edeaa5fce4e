"""Classes as catalogue entries, by importing them; runs in the worker process alone."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

from platform_ops.facade import public_name
from platform_ops.registry.classes.additions import additions
from platform_ops.registry.classes.classify import TASKS, dotted, kind_of
from platform_ops.registry.classes.docstrings import parse
from platform_ops.registry.classes.hooks import hook_of
from platform_ops.registry.classes.looks import durable, extra_links
from platform_ops.registry.classes.methods import methods
from platform_ops.registry.classes.parameters import own_docstring, parameters, strings_of
from platform_ops.registry.classes.static import read_statically
from platform_ops.registry.models.catalog import ClassEntry, Parameter, Problem, Raises, Source
from platform_ops.registry.models.providers import Addition
from platform_ops.registry.providers import Declared

__all__ = ["AS_LIBRARY", "Introspector", "ModuleResult"]

AS_LIBRARY: Final = "_AIRFLOW__AS_LIBRARY"
"""Airflow's own variable: where it is set, importing Airflow initialises nothing."""

_STDLIB = sysconfig.get_path("stdlib") + "/"
_CLASS_LINE = re.compile(r"^\s*class\s+(\w+)")


@dataclass(slots=True)
class ModuleResult:
    """What one module holds.

    :param files: Every file that its entries depend on.
    :param bases: Entries of classes elsewhere that its classes inherit from.
    """

    classes: list[ClassEntry] = field(default_factory=list)
    bases: list[ClassEntry] = field(default_factory=list)
    additions: list[Addition] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


class Introspector:
    """Describes classes, each once, however many others inherit from it.

    :param packages: All walked packages; a class outside them is described as a base.
    :param declared: What providers say of their classes.
    """

    def __init__(self, packages: Iterable[str], declared: Declared | None = None) -> None:
        self._packages = tuple(packages)
        self._declared = declared or Declared()
        self._entries: dict[type, ClassEntry] = {}

    def module(self, name: str, path: str, package: str) -> ModuleResult:
        """Import one module and describe the classes that it defines.

        :param path: Its file, known before it is imported.
        :param package: The walked package that it belongs to.
        """
        result = ModuleResult(files=[path])
        try:
            loaded = _imported(name)
        except (Exception, SystemExit) as err:  # noqa: BLE001  foreign code may raise anything
            result.problems.append(Problem("module", name, f"{type(err).__name__}: {err}"))
            result.classes += read_statically(name, path, package)
            return result
        files = {path}
        result.additions += additions(loaded, package, self._declared.decorators)
        for cls in self._defined(loaded):
            try:
                entry = self._entry(cls, package)
                bases = [self._entry(each, _top(each)) for each in self._outside(cls)]
            except Exception as err:  # noqa: BLE001  one odd class must not hide the others
                problem = Problem("class", dotted(cls), f"{type(err).__name__}: {err}")
                result.problems.append(problem)
                continue
            result.classes.append(entry)
            result.bases += bases
            files.update(_files(cls, entry))
        result.files = sorted(files)
        return result

    def _entry(self, cls: type, package: str) -> ClassEntry:
        if cls not in self._entries:
            outside = [dotted(each) for each in self._outside(cls)]
            kind = kind_of(cls, self._declared.kinds)
            entry = _describe(cls, kind, package, outside, base=not self._walked(cls))
            system = self._declared.systems.get(cls.__module__, "")
            self._entries[cls] = replace(entry, system=system)
        return self._entries[cls]

    def _defined(self, module: ModuleType) -> Iterator[type]:
        for name, value in sorted(vars(module).items()):
            if (
                isinstance(value, type)
                and value.__module__ == module.__name__
                and value.__name__ == name
                and not name.startswith("_")
                and kind_of(value, self._declared.kinds)
            ):
                yield value

    def _outside(self, cls: type) -> list[type]:
        """Bases of a kind that lie in no walked package."""
        return [each for each in cls.__mro__[1:] if kind_of(each) and not self._walked(each)]

    def _walked(self, cls: type) -> bool:
        module = cls.__module__
        return any(module == each or module.startswith(f"{each}.") for each in self._packages)


def _imported(name: str) -> ModuleType:
    """A module; of those that want all of Airflow set up when they are imported, after that."""
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit):  # foreign code may raise anything
        if not os.environ.pop(AS_LIBRARY, "") or "airflow" not in sys.modules:
            raise
    importlib.import_module("airflow.settings").initialize()
    return importlib.import_module(name)


def _top(cls: type) -> str:
    return cls.__module__.partition(".")[0]


def _describe(cls: type, kind: str, package: str, outside: list[str], *, base: bool) -> ClassEntry:
    doc = own_docstring(cls)
    hook = None if kind == "hook" else hook_of(cls)
    arguments = parameters(cls)
    names = {each.name for each in arguments}
    return ClassEntry(
        kind=kind,
        name=dotted(cls),
        public=public_name(cls),
        package=package,
        summary=doc.summary,
        description=doc.body,
        source=_source(cls),
        parameters=tuple(each for each in arguments if not _plainly_inherited(each, outside)),
        inherits=tuple(outside),
        mro=tuple(dotted(each) for each in cls.__mro__[1:] if each is not object),
        methods=methods(cls),
        template_fields=strings_of(cls, "template_fields"),
        template_ext=strings_of(cls, "template_ext"),
        deferrable="deferrable" in names or (kind in TASKS and _defers(cls)),
        abstract=inspect.isabstract(cls),
        base=base,
        hook=dotted(hook) if isinstance(hook, type) else hook or "",
        conn_type=_conn_type(cls if kind == "hook" else hook),
        conn_name_attr=_text(getattr(cls, "conn_name_attr", "")) if kind == "hook" else "",
        default_conn_name=_text(getattr(cls, "default_conn_name", "")) if kind == "hook" else "",
        stray_fields=tuple(sorted(doc.parameters.keys() - names)),
        raises=_raises(cls),
        references=doc.references,
        since=doc.since,
        deprecated=doc.deprecated or _text(vars(cls).get("__deprecated__", "")),
        durable=kind in TASKS and durable(cls),
        triggers=tuple(_triggers(cls)) if kind in TASKS and not base else (),
        links=extra_links(cls) if kind in TASKS else (),
        ui_color=_text(getattr(cls, "ui_color", "")) if kind in TASKS else "",
        ui_fgcolor=_text(getattr(cls, "ui_fgcolor", "")) if kind in TASKS else "",
    )


def _plainly_inherited(parameter: Parameter, outside: list[str]) -> bool:
    """Whether the base's own entry says all there is to say about this parameter."""
    return (
        parameter.declared_by in outside
        and parameter.documented_by in (*outside, "")
        and not parameter.templated
    )


def _raises(cls: type) -> tuple[Raises, ...]:
    top = _top(cls)
    found: dict[str, str] = {}
    for owner in cls.__mro__:
        if _top(owner) != top:
            continue
        for name, text in own_docstring(owner).raises:
            found.setdefault(name, text)
        for name, value in vars(owner).items():
            if inspect.isfunction(value) and not name.startswith("_"):
                for error, text in parse(value.__doc__).raises:
                    found.setdefault(error, text)
    return tuple(Raises(name, text) for name, text in found.items())


def _defers(cls: type) -> bool:
    """Whether a method of its own, or of a base that is no root of Airflow's, defers."""
    return any(
        "defer" in inspect.unwrap(value).__code__.co_names  # Airflow wraps execute
        for owner in cls.__mro__
        if not owner.__module__.startswith("airflow.sdk.")
        for value in vars(owner).values()
        if inspect.isfunction(value)
    )


def _triggers(cls: type) -> Iterator[str]:
    """Triggers that the code of its methods names."""
    found: dict[str, None] = {}
    for owner in cls.__mro__:
        if owner.__module__.startswith("airflow.sdk."):
            continue
        known = vars(sys.modules[owner.__module__])
        for value in vars(owner).values():
            if inspect.isfunction(value):
                for name in inspect.unwrap(value).__code__.co_names:
                    meant = known.get(name)
                    if isinstance(meant, type) and kind_of(meant) == "trigger":
                        found[dotted(meant)] = None
    yield from found


def _conn_type(hook: object) -> str:
    return _text(getattr(hook, "conn_type", "")) if isinstance(hook, type) else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _files(cls: type, entry: ClassEntry) -> Iterator[str]:
    modules = [owner.__module__ for owner in cls.__mro__]
    modules.append(entry.public.rpartition(".")[0])  # a facade may come to export it, or cease to
    for module in modules:
        path = getattr(sys.modules.get(module), "__file__", None)
        if path and ("site-packages" in path or not path.startswith(_STDLIB)):
            yield path


def _source(cls: type) -> Source:
    module = sys.modules[cls.__module__]
    path = Path(getattr(module, "__file__", None) or "")
    steps = cls.__module__.split(".")
    depth = len(steps) + 1 if path.name == "__init__.py" else len(steps)
    return Source("/".join(path.parts[-depth:]), _lines(path).get(cls.__name__, 1))


@cache
def _lines(path: Path) -> dict[str, int]:
    """Line of each class in a file, read once; ``inspect`` would parse the file for each class."""
    found: dict[str, int] = {}
    if path.is_file():
        text = path.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            if hit := _CLASS_LINE.match(line):
                found.setdefault(hit[1], number)
    return found
