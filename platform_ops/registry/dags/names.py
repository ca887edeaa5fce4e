"""Which connections and variables a DAG names, without running it.

Three places are read: the arguments of its tasks, the templates among them, and the calls in its
file. What a library that it imports looks up by itself is not seen.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from platform_ops.registry.models.dags import Named

__all__ = ["Names", "file_names", "names_of"]

Names = tuple[tuple[Named, ...], tuple[Named, ...]]
"""Connections, then variables."""

_BLOCK = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_VARIABLE = re.compile(r"""\bvar\.(?:value|json)\.(?:get\(\s*["']([^"']+)["']|(\w+))""")
_CONNECTION = re.compile(r"""\bconn\.(?:get\(\s*["']([^"']+)["']|(\w+))""")
_TEMPLATE: Final = "a template"
_LOOKED_UP: Final = {"get_connection", "get_hook", "aget_connection"}


def names_of(tasks: Iterable[Any], path: Path) -> Names:  # Any: operators and mapped ones
    """What the tasks of one DAG name; its file adds only names that no task has.

    :param path: The file that the DAG is defined in.
    """
    connections: set[Named] = set()
    variables: set[Named] = set()
    for task in tasks:
        of_task, in_templates = _task_names(task)
        connections |= of_task
        variables |= in_templates
    in_file, looked_up = file_names(path)
    known = {each.name for each in connections}
    connections |= {each for each in in_file if each.name not in known}
    return tuple(sorted(connections)), tuple(sorted(variables | set(looked_up)))


def _task_names(task: Any) -> tuple[set[Named], set[Named]]:  # Any: as above
    arguments = _arguments(task)
    connections = {
        Named(value, task.task_id, name)
        for name, value in arguments.items()
        if name.endswith("conn_id") and isinstance(value, str) and value
    }
    variables: set[Named] = set()
    for name in getattr(task, "template_fields", ()):
        for text in _texts(arguments.get(name), 0):
            for block in _BLOCK.findall(text):
                connections |= {
                    Named(each, task.task_id, _TEMPLATE) for each in _hits(_CONNECTION, block)
                }
                variables |= {
                    Named(each, task.task_id, _TEMPLATE) for each in _hits(_VARIABLE, block)
                }
    return connections, variables


def _arguments(task: Any) -> Mapping[str, Any]:  # Any: as above
    """What its author passed, and the defaults of what was left out."""
    if not getattr(task, "is_mapped", False):
        return dict(vars(task))
    mapped = getattr(getattr(task, "expand_input", None), "value", None)
    if isinstance(mapped, Mapping):
        expanded = dict(mapped)
    else:
        rows = mapped if isinstance(mapped, (list, tuple)) else ()
        expanded = {"expanded": rows}
        for row in rows:
            expanded.update(row if isinstance(row, Mapping) else {})
    return {**task.partial_kwargs, **expanded}


def _texts(value: Any, depth: int) -> Iterator[str]:  # Any: whatever an author passes
    if isinstance(value, str):
        yield value
    elif depth < 8 and isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each, depth + 1)
    elif depth < 8 and isinstance(value, (list, tuple, set)):
        for each in value:
            yield from _texts(each, depth + 1)


def _hits(pattern: re.Pattern[str], text: str) -> set[str]:
    return {quoted or bare for quoted, bare in pattern.findall(text)} - {"get"}


def file_names(path: Path) -> Names:
    """What the calls in a file name; nothing where it is no Python."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return (), ()
    connections: set[Named] = set()
    variables: set[Named] = set()
    for call in ast.walk(tree):
        if isinstance(call, ast.Call):
            connections |= set(_connections(call, path.name))
            variables |= set(_variables(call, path.name))
    return tuple(sorted(connections)), tuple(sorted(variables))


def _connections(call: ast.Call, where: str) -> Iterator[Named]:
    owner, name = _called(call.func)
    if name in _LOOKED_UP or (owner, name) == ("Connection", "get"):
        if found := _first_text(call, "conn_id"):
            yield Named(found, where, f"{owner}.{name}" if owner else name)
        return
    for keyword in call.keywords:
        if (keyword.arg or "").endswith("conn_id") and (found := _text(keyword.value)):
            yield Named(found, where, str(keyword.arg))


def _variables(call: ast.Call, where: str) -> Iterator[Named]:
    if _called(call.func) == ("Variable", "get") and (found := _first_text(call, "key")):
        yield Named(found, where, "Variable.get")


def _called(function: ast.expr) -> tuple[str, str]:
    """The last two steps of what is called, such as ``Variable`` and ``get``."""
    if isinstance(function, ast.Name):
        return "", function.id
    if not isinstance(function, ast.Attribute):
        return "", ""
    owner = function.value
    if isinstance(owner, ast.Attribute):
        return owner.attr, function.attr
    return (owner.id if isinstance(owner, ast.Name) else ""), function.attr


def _first_text(call: ast.Call, keyword: str) -> str:
    named = next((each.value for each in call.keywords if each.arg == keyword), None)
    value = named or (call.args[0] if call.args else None)
    return _text(value) if value is not None else ""


def _text(value: ast.expr) -> str:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""
