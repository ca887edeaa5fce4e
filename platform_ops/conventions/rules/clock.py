"""Names of calls that tell the time of the wall, or something else that differs each time."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from platform_ops.conventions.module import Module

__all__ = ["CLOCK", "clock_calls", "differs"]

CLOCK: Final = re.compile(
    r"datetime\.datetime\.(now|utcnow|today)|datetime\.date\.today"
    r"|pendulum\.(now|today|yesterday|tomorrow|DateTime\.(now|utcnow|today))"
    r"|airflow\.(sdk\.|utils\.|_shared\.)?timezone(s\.timezone)?\.utcnow|airflow\.sdk\.timezone\.utcnow"
    r"|airflow\.utils\.dates\.days_ago"
)
_CHANCE: Final = re.compile(
    r"random\.(random|randint|choice|choices|sample|shuffle|uniform|randrange)|uuid\.uuid[14]"
    r"|secrets\.token_\w+"
)


def clock_calls(module: Module, node: ast.AST) -> Iterator[ast.Call]:
    """Calls somewhere in an expression that tell the time."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and CLOCK.fullmatch(module.resolve(each.func)):
            yield each


def differs(name: str) -> bool:
    """Whether a call of that name gives another result each time."""
    return bool(CLOCK.fullmatch(name) or _CHANCE.fullmatch(name))
