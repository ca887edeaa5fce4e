"""What a docstring says of a parameter's default, held against the signature.

Only what leaves no doubt is told: defaults that both sides write as literals. A docstring says much
that is true in other words.
"""

from __future__ import annotations

import ast
import re
from typing import Final

from platform_ops.registry.model import Parameter

__all__ = ["default_fault"]

_DEFAULT: Final = re.compile(
    r"\bdefault(?:s|ed)?(?: value)?(?: is| to|:|=)\s*"
    r"(?P<text>``[^`]+``|\"[^\"]*\"|'[^']*'|-?\d+(?:\.\d+)?|True|False|None|true|false)"
    r"(?=\s*(?:$|[.,;)\]]))",
    re.IGNORECASE | re.MULTILINE,
)
_WORDS: Final = {"true": "True", "false": "False", "none": "None"}


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


def _same(said: str, real: str) -> bool:
    try:
        meant = ast.literal_eval(_WORDS.get(said.lower(), said))
        value = ast.literal_eval(real)
    except (ValueError, SyntaxError):
        return True  # one of them is no literal, so nobody can tell
    # None often stands for what is worked out later, and the docstring then says what that is.
    return meant == value or value is None or said == str(value)
