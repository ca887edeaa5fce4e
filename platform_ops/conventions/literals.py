"""What an expression in a DAG file is worth, without running it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from platform_ops.conventions.model import UNKNOWN

__all__ = ["Called", "Named", "value_of"]


class Named(str):
    """A dotted name that stands for something elsewhere, such as a class or an imported constant."""

    __slots__ = ()


class Called:
    """What a call makes, where only its name and arguments are known.

    :param name: Dotted name of what is called.
    """

    __slots__ = ("kwargs", "name", "node")

    def __init__(self, name: str, node: ast.Call, kwargs: Mapping[str, Any]) -> None:  # Any: values
        self.name = name
        self.node = node
        self.kwargs = kwargs


_SPANS: Final = {"timedelta", "duration"}
_DEPTH: Final = 8
_LONG: Final = {"months": 30, "years": 365}

Look = Callable[[str], ast.expr | None]
Resolve = Callable[[ast.expr], str]


def value_of(node: ast.expr, look: Look, resolve: Resolve, depth: int = 0) -> Any:  # Any: literals
    """The value of an expression; :data:`UNKNOWN` where running the file alone would tell.

    :param look: What a name was bound to, where it was bound once, in this file.
    :param resolve: The dotted name of a name or attribute.
    """
    if isinstance(node, ast.Constant):
        return node.value
    if depth > _DEPTH:
        return UNKNOWN

    def below(each: ast.expr) -> Any:  # Any: as above
        return value_of(each, look, resolve, depth + 1)

    if isinstance(node, ast.Name) and (bound := look(node.id)) is not None:
        return below(bound)
    if isinstance(node, (ast.Name, ast.Attribute)):
        return _named(resolve(node))
    if isinstance(node, ast.Call):
        return _call(node, below, resolve)
    return _compound(node, below)


def _compound(node: ast.expr, below: Callable[[ast.expr], Any]) -> Any:  # Any: literals
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return [below(each) for each in node.elts]
    if isinstance(node, ast.Dict):
        return _dict(node, below)
    if isinstance(node, ast.BinOp):
        return _arithmetic(node, below)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = below(node.operand)
        return -inner if isinstance(inner, (int, float, timedelta)) else UNKNOWN
    return UNKNOWN


def _named(name: str) -> Any:  # Any: a name, or unknown
    return Named(name) if "." in name else UNKNOWN


def _dict(node: ast.Dict, below: Callable[[ast.expr], Any]) -> Any:  # Any: literals
    found: dict[Any, Any] = {}  # Any: literals
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            inner = below(value)
            found.update(inner if isinstance(inner, dict) else {"**": UNKNOWN})
        else:
            name = below(key)
            found[name if isinstance(name, (str, int)) else "**"] = below(value)
    return found


def _arithmetic(node: ast.BinOp, below: Callable[[ast.expr], Any]) -> Any:  # Any: literals
    left, right = below(node.left), below(node.right)
    numbers = (int, float)
    if isinstance(node.op, ast.Mult) and (
        isinstance(left, (*numbers, timedelta)) and isinstance(right, numbers)
    ):
        return left * right
    if (
        isinstance(node.op, ast.Add)
        and isinstance(left, (*numbers, str))
        and isinstance(right, type(left))
    ):
        return left + right  # type: ignore[operator]  # of one type, by the line above
    return UNKNOWN


def _call(
    node: ast.Call, below: Callable[[ast.expr], Any], resolve: Resolve
) -> Any:  # Any: literals
    name = resolve(node.func)
    kwargs = {each.arg or "**": below(each.value) for each in node.keywords}
    if name.rpartition(".")[2] in _SPANS:
        values = list(kwargs.values())
        if not node.args and values and all(isinstance(each, (int, float)) for each in values):
            days = sum(kwargs.pop(unit, 0) * length for unit, length in _LONG.items())
            try:
                return timedelta(**kwargs) + timedelta(days=days)
            except (TypeError, OverflowError):
                return UNKNOWN
        if (
            len(node.args) == 1
            and not kwargs
            and isinstance(days := below(node.args[0]), (int, float))
        ):
            return timedelta(days=days)
        return UNKNOWN
    return Called(name, node, kwargs)
