"""What is wrong in the file, told by file, line and field, with what would be right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args, get_origin

from platform_ops.settings.model import Settings, toml_key
from platform_ops.settings.section import Section

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

__all__ = ["OVERRIDE_PREFIX", "explain"]

OVERRIDE_PREFIX: Final = "PLATFORM_OPS__"


def explain(
    err: ValidationError,
    path: Path | None,
    text: str,
    overrides: tuple[str, ...],
    within: tuple[str, ...] = (),
) -> str:
    """One line for each fault.

    :param overrides: Environment variables that changed a field: a fault may be theirs.
    :param within: The table that the whole of the text is.
    """
    lines = []
    for fault in err.errors():
        location = [str(step) for step in fault["loc"] if step != "[key]"]
        variable = OVERRIDE_PREFIX + "__".join(location).upper()
        if variable in overrides:
            where = f"${variable}"
        else:
            field = f": {'.'.join(location)}" if location else ""
            where = f"{path}:{_line_of(text, location)}{field}"
        lines.append(f"{where}: {_advice(fault['type'], fault['msg'], [*within, *location])}")
    return "\n".join(lines)


def _advice(kind: str, message: str, location: list[str]) -> str:
    if kind == "extra_forbidden":
        return f"unknown field; right here are: {', '.join(_fields_at(location[:-1]))}"
    if kind in ("model_type", "dict_type"):
        return f"must be a table; write [{'.'.join(map(toml_key, location))}] and its fields below"
    return message.removeprefix("Value error, ")


def _fields_at(location: list[str]) -> list[str]:
    """Names of the fields that a table has; a step into a dictionary is a name that the site gave."""
    model: type[BaseModel] = Settings
    steps = iter(location)
    for step in steps:
        kind = model.model_fields[step].annotation
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
            next(steps, None)
        if not isinstance(kind, type) or not issubclass(kind, Section):
            break
        model = kind
    return list(model.model_fields)


def _line_of(text: str, location: list[str]) -> int:
    """Line of the deepest part of ``location`` that the text spells out; 1 when none does."""
    table: list[str] = []
    best, depth = 1, 0
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if header := re.match(r"\[\[?([^\]]+)\]", stripped):
            table = _dotted(header[1])
            spelled = table
        elif key := re.match(r"([^=#]+?)\s*=", stripped):
            spelled = table + _dotted(key[1])
        else:
            continue
        common = 0
        while common < min(len(spelled), len(location)) and spelled[common] == location[common]:
            common += 1
        if common == len(spelled) and common > depth:
            best, depth = number, common
    return best


def _dotted(text: str) -> list[str]:
    return [bare or quoted for quoted, bare in re.findall(r"""["']([^"']*)["']|([^.\s]+)""", text)]
