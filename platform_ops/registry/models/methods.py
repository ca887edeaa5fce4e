"""What the catalogue knows of a method."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Described", "Method"]


@dataclass(frozen=True, slots=True)
class Described:
    """A name, and what a docstring says of it."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Method:
    """One public method of a class.

    :param modifier: ``async``, ``classmethod`` or ``staticmethod``, if it is one.
    :param arguments: Each as its author wrote it, type and default and all; ``*`` and ``/`` between.
    :param result: The annotation of what it returns.
    :param parameters: What its docstring says of arguments.
    """

    name: str
    modifier: str = ""
    arguments: tuple[str, ...] = ()
    result: str = ""
    summary: str = ""
    description: str = ""
    parameters: tuple[Described, ...] = ()
    returns: str = ""
    raises: tuple[Described, ...] = ()
    since: str = ""
    deprecated: str = ""
