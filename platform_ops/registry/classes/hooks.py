"""Which hook a class works through, as its attributes and annotations say."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from functools import cache
from pathlib import Path

from platform_ops.registry.classes.classify import kind_of

__all__ = ["hook_of"]


def hook_of(cls: type) -> type | str | None:
    """The hook that a class says it works through: by an attribute, or by an annotation."""
    for owner in cls.__mro__:
        members = vars(owner)
        for value in members.values():
            if isinstance(value, type) and kind_of(value) == "hook":
                return value
        for name in ("hook", "_hook", "get_hook", "get_db_hook"):
            member = members.get(name)
            function = getattr(member, "fget", None) or getattr(member, "func", None) or member
            if inspect.isfunction(function) and (found := _returned(function, owner)):
                return found
    return None


def _returned(function: object, owner: type) -> type | str | None:
    annotation = getattr(function, "__annotations__", {}).get("return")
    if isinstance(annotation, str):
        name = annotation.strip("'\"")
        annotation = vars(sys.modules[owner.__module__]).get(name) or _imported_for_types(
            owner.__module__, name
        )
    if isinstance(annotation, type) and kind_of(annotation) != "hook":
        return None
    return annotation if isinstance(annotation, (type, str)) else None


@cache
def _imported_for_types(module: str, name: str) -> type | str | None:
    """What a name means that is imported under ``TYPE_CHECKING`` only."""
    path = getattr(sys.modules[module], "__file__", None)
    if not path:
        return None
    for node in ast.walk(ast.parse(Path(path).read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _loaded(node.module, alias.name)
    return None


def _loaded(module: str, name: str) -> type | str | None:
    try:
        found = getattr(importlib.import_module(module), name, None)
    except (Exception, SystemExit):  # noqa: BLE001  an optional dependency of the hook
        return f"{module}.{name}"
    return found if isinstance(found, type) else None
