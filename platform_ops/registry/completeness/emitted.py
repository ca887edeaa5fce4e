"""Metrics that code emits and no table declares, found without running any of it.

What a call that emits or declares looks like is learned from the table itself: a call that names a
declared metric first is one, and so is every other call of the same function. The methods of Airflow's
and statsd's clients are known from the start.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from platform_ops.findings import Finding, Place
from platform_ops.registry.completeness.rules import UNDECLARED
from platform_ops.registry.config import CatalogConfig
from platform_ops.registry.discover import folder_of, source_files
from platform_ops.registry.models.catalog import Catalog

__all__ = ["check"]

_CLIENTS: Final = frozenset({"stats", "statsd"})
_METHODS: Final = frozenset({"incr", "decr", "gauge", "timing", "timer"})
_NAME: Final = re.compile(r"[A-Za-z]\w*(\.[\w*-]+)+")
_PART: Final = "*"  # in place of what an f-string fills in


@dataclass(frozen=True, slots=True)
class _Call:
    function: str
    name: str
    file: str
    line: int


def check(catalog: Catalog, config: CatalogConfig) -> Iterator[Finding]:
    """Names that the walked packages emit and the table of metrics lacks.

    Without a table there is nothing to hold them against.
    """
    declared = {each.name for each in catalog.metrics}
    if not declared:
        return
    calls = [call for name in config.packages for call in _calls_of(name)]
    learned = {each.function for each in calls if each.name in declared}
    for call in calls:
        emits = call.function in learned or _is_client(call.function)
        if emits and not _matches(call.name, declared):
            place = Place(f"metric {call.name}", call.file, call.line)
            yield UNDECLARED.at(place, f"{call.function}() names it")


def _calls_of(package: str) -> Iterator[_Call]:
    folder = folder_of(package)
    root = folder.parents[package.count(".")]
    for path in source_files(folder):
        try:
            tree = ast.parse(path.read_bytes())
        except SyntaxError:  # importing it says so, where it matters
            continue
        yield from _calls(tree, path.relative_to(root))


def _calls(tree: ast.AST, file: Path) -> Iterator[_Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := _first_text(node)) and _NAME.fullmatch(name):
            yield _Call(ast.unparse(node.func), name, file.as_posix(), node.lineno)


def _first_text(call: ast.Call) -> str:
    named = (each.value for each in call.keywords if each.arg in ("name", "stat", "metric_name"))
    first = call.args[0] if call.args else next(named, None)
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value
    if isinstance(first, ast.JoinedStr):
        return "".join(
            str(each.value) if isinstance(each, ast.Constant) else _PART for each in first.values
        )
    return ""


def _is_client(function: str) -> bool:
    owner, _, method = function.rpartition(".")
    return method in _METHODS and owner.rpartition(".")[2].lower() in _CLIENTS


def _matches(name: str, declared: Iterable[str]) -> bool:
    if _PART not in name:
        return name in declared
    pattern = re.compile(".+".join(map(re.escape, name.split(_PART))))
    return any(pattern.fullmatch(each) for each in declared)
