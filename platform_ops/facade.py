"""What a class is imported as: the facade that exports it, or its own module."""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType

__all__ = ["public_name"]


def public_name(cls: type) -> str:
    """The shortest dotted name under which a loaded package exports a class."""
    for facade in _packages_above(cls.__module__):
        if (
            cls.__name__ in (getattr(facade, "__all__", None) or ())
            and getattr(facade, cls.__name__, None) is cls
        ):
            return f"{facade.__name__}.{cls.__name__}"
    return f"{cls.__module__}.{cls.__qualname__}"


@cache
def _packages_above(module: str) -> tuple[ModuleType, ...]:
    """The loaded packages above a module, outermost first."""
    steps = module.split(".")
    names = [".".join(steps[:end]) for end in range(1, len(steps))]
    return tuple(found for name in names if (found := sys.modules.get(name)) is not None)
