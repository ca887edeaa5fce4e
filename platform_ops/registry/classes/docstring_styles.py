"""Docstrings in the styles of Google and NumPy, taken apart by griffe's parsers.

Source: https://mkdocstrings.github.io/griffe/reference/docstrings/
"""

from __future__ import annotations

import inspect
import re
import textwrap
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal

from platform_ops.registry.classes.docstrings import Docstring, parse_rest

if TYPE_CHECKING:
    from griffe import DocstringSection

__all__ = ["parse_styled", "style_of"]

Style = Literal["google", "numpy"]

_HEADED: Final = (
    r"Args|Arguments|Parameters|Params|Keyword Args|Other Parameters|Raises|Returns|Attributes"
)
_GOOGLE: Final = re.compile(rf"^(?:{_HEADED}):[ \t]*\n(?=[ \t]+\S)", re.MULTILINE)
_NUMPY: Final = re.compile(rf"^(?:{_HEADED}|Notes|Examples)[ \t]*\n-{{3,}}[ \t]*$", re.MULTILINE)
_REST: Final = re.compile(r"^:(?:param|raises?|return|type)\b", re.MULTILINE)
_TAKEN: Final = ("parameters", "other parameters", "keyword arguments")


def style_of(text: str) -> Style | None:
    """The style that a docstring, already dedented, is written in; None for reStructuredText.

    None as well where griffe, which comes with the extra ``docs``, is not installed: it is prose then.
    """
    if _REST.search(text):
        return None
    style: Style | None = "google" if _GOOGLE.search(text) else None
    if _NUMPY.search(text):
        style = "numpy"
    return style if style and _installed() else None


@cache
def _installed() -> bool:
    return find_spec("griffe") is not None


def parse_styled(text: str, style: Style) -> Docstring:
    """Take a docstring apart that is written in one of these styles.

    Its prose may hold directives of reStructuredText all the same, such as ``versionadded``.
    """
    import griffe

    read = griffe.parse_numpy if style == "numpy" else griffe.parse_google
    sections = read(griffe.Docstring(inspect.cleandoc(text)), warnings=False)
    prose: list[str] = []
    parameters: dict[str, str] = {}
    raises: list[tuple[str, str]] = []
    returns: list[str] = []
    for section in sections:
        kind = section.kind.value
        if kind in _TAKEN:
            parameters.update((each.name.lstrip("*"), each.description) for each in section.value)
        elif kind == "raises":
            raises += ((str(each.annotation), each.description) for each in section.value)
        elif kind == "returns":
            returns += (each.description for each in section.value)
        else:
            prose.append(_as_prose(section))
    rest = parse_rest("\n\n".join(prose))
    return replace(
        rest,
        parameters={**rest.parameters, **parameters},
        raises=rest.raises + tuple(raises),
        returns="\n".join(returns) or rest.returns,
    )


def _as_prose(section: DocstringSection) -> str:
    """Text as it stands; any other section under its title in bold."""
    value: Any = section.value  # Any: griffe gives each kind of section a shape of its own
    kind = section.kind.value
    if kind == "text":
        return str(value)
    if kind == "deprecated":
        return f".. deprecated:: {value.version}\n{textwrap.indent(value.description, '   ')}"
    title = section.title or kind.capitalize()
    if kind == "examples":
        body = "\n\n".join(text for _, text in value)
    elif isinstance(value, list):
        body = "\n".join(
            f"* ``{each.name or each.annotation}``: {_on_one_line(each.description)}"
            for each in value
        )
    else:
        body = str(value.description)
    return f"**{title}**\n\n{body}"


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
