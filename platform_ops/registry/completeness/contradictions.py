"""What a docstring says of a parameter's type and default, held against the signature.

Only what leaves no doubt is told: types that both sides name by builtin names, and defaults that both
sides write as literals. A docstring says much that is true in other words.
"""

from __future__ import annotations

import ast
import re
from typing import Final

from platform_ops.registry.models.catalog import Parameter

__all__ = ["default_fault", "type_fault"]

_SAME: Final = {
    "boolean": "bool", "callable": "Callable", "collection": "list", "dictionary": "dict",
    "integer": "int", "iterable": "list", "mapping": "dict", "mutablemapping": "dict",
    "sequence": "list", "string": "str", "tuple": "list", "set": "list", "frozenset": "list",
}  # fmt: skip
_PLAIN: Final = frozenset({"bool", "bytes", "dict", "float", "int", "list", "str"})
_BRACKETS: Final = re.compile(r"\[[^\[\]]*\]")
_OPTIONAL: Final = re.compile(r"\b(?:Optional|Union|Annotated)\b|[\[\]]")
_OR: Final = re.compile(r"\s*(?:\||,|\bor\b|\band\b)\s*")
_DEFAULT: Final = re.compile(
    r"\bdefault(?:s|ed)?(?: value)?(?: is| to|:|=)\s*"
    r"(?P<text>``[^`]+``|\"[^\"]*\"|'[^']*'|-?\d+(?:\.\d+)?|True|False|None|true|false)"
    r"(?=\s*(?:$|[.,;)\]]))",
    re.IGNORECASE | re.MULTILINE,
)
_WORDS: Final = {"true": "True", "false": "False", "none": "None"}


def type_fault(parameter: Parameter) -> str:
    """Which type the docstring names in vain; empty where it names none, or the right one."""
    said, real = _names(parameter.documented_type), _names(parameter.type)
    if not said or not real or not said | real <= _PLAIN or said <= real:
        return ""
    if said <= {"int", "float"} and real <= {"int", "float"}:
        return ""
    return f"{parameter.name!r} is {parameter.type}, and described as {parameter.documented_type}"


def default_fault(parameter: Parameter) -> str:
    """Which default the docstring names in vain; empty where it names none, or the right one."""
    hit = _DEFAULT.search(parameter.description)
    if hit is None:
        return ""
    said = hit["text"].strip("`")
    if not parameter.required and _same(said, parameter.default or ""):
        return ""
    real = "is required" if parameter.required else f"defaults to {parameter.default}"
    return f"{parameter.name!r} {real}, and is described with the default {said}"


def _names(text: str) -> set[str]:
    """The types in a text by their bare names; arguments in brackets and None left out."""
    text = _OPTIONAL.sub(" ", text) if "Optional" in text or "Union" in text else text
    while (shorter := _BRACKETS.sub("", text)) != text:
        text = shorter
    names = (each.strip(" `~.:").rpartition(".")[2] for each in _OR.split(text))
    found = {_SAME.get(name.lower(), name) for name in names}
    return found - {"", "None", "optional"}


def _same(said: str, real: str) -> bool:
    try:
        meant = ast.literal_eval(_WORDS.get(said.lower(), said))
        value = ast.literal_eval(real)
    except (ValueError, SyntaxError):
        return True  # one of them is no literal, so nobody can tell
    # None often stands for what is worked out later, and the docstring then says what that is.
    return meant == value or value is None or said == str(value)
