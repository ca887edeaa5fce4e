"""Facades: packages whose names load when they are first used, and what a class is imported as."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache
from types import ModuleType
from typing import Any

__all__ = ["deferred", "public_name"]


def deferred(
    package: str, homes: Mapping[str, tuple[str, ...]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:  # Any: whatever a facade exports
    """A package's ``__getattr__`` and ``__dir__``: each name loads its home when it is first used.

    Every task process parses its DAG file again, and uses little of what a facade names. A name must
    not be a submodule's too: whichever was loaded last would take the other's place.

    :param homes: The names that the facade exports, by the module that has them. A package that exports
        a submodule itself has it under its own name.

    Source: PEP 562.
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def load(name: str) -> Any:  # Any: as above
        home = home_of.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        __import__(home)  # not import_module: python -X importtime does not see what that loads
        module = sys.modules[home]
        value = module if home == f"{package}.{name}" else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    return load, lambda: sorted(home_of)


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
