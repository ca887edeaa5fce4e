"""The parameters of a class: its constructor's, and those that its bases take from ``**kwargs``."""

from __future__ import annotations

import datetime
import enum
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from types import FunctionType
from typing import Any, Final, Literal, get_args, get_origin

from platform_ops.registry.classes.classify import dotted
from platform_ops.registry.classes.docstrings import Docstring, parse
from platform_ops.registry.models.providers import Parameter

__all__ = [
    "function_parameters",
    "own_docstring",
    "parameters",
    "show_default",
    "strings_of",
    "type_text",
]

_OPERATOR: Final = "airflow.sdk.bases.operator.BaseOperator"

_PLAIN = (bool, int, float, str, bytes, type(None), datetime.timedelta, datetime.datetime)
_NAME: Final = re.compile(r"(?<![\w.\"'])[A-Z]\w*(?![\w.\"'\[])")
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def parameters(cls: type) -> tuple[Parameter, ...]:
    """Every argument that the class takes, its own first, then those of each base in turn."""
    templated = frozenset(strings_of(cls, "template_fields"))
    renderers = getattr(cls, "template_fields_renderers", None)
    shown = renderers if isinstance(renderers, Mapping) else {}
    everyones = _of_every_operator(cls)
    found: dict[str, Parameter] = {}
    for owner, argument in _arguments(cls):
        if argument.name not in found:
            text, documented_by, said = _description(cls, argument.name)
            found[argument.name] = replace(
                _parameter(argument, owner),
                description=text,
                documented_by=documented_by,
                documented_type=said,
                templated=argument.name in templated,
                renderer=str(shown.get(argument.name, "")),
                mappable=everyones is not None and argument.name not in everyones,
            )
    return tuple(found.values())


def function_parameters(function: FunctionType, doc: Docstring) -> tuple[Parameter, ...]:
    """Every argument that a function takes by name."""
    found = (
        _parameter(each, function)
        for each in inspect.signature(function).parameters.values()
        if each.kind not in _VARIADIC
    )
    return tuple(
        replace(each, description=text, documented_by=each.declared_by)
        if (text := doc.parameters.get(each.name))
        else each
        for each in found
    )


def _parameter(argument: inspect.Parameter, owner: type | FunctionType) -> Parameter:
    required = argument.default is inspect.Parameter.empty
    return Parameter(
        name=argument.name,
        type=type_text(argument.annotation, owner),
        default=None if required else show_default(argument.default),
        required=required,
        keyword_only=argument.kind is inspect.Parameter.KEYWORD_ONLY,
        declared_by=f"{owner.__module__}.{owner.__qualname__}",
    )


def _of_every_operator(cls: type) -> frozenset[str] | None:
    """What ``partial()`` takes for every operator; None for other classes.

    The scheduler acts on these before a task is unmapped: they are one value for all of its maps.
    """
    root = next((each for each in cls.__mro__ if dotted(each) == _OPERATOR), None)
    return None if root is None else _names_taken(root)


@cache
def _names_taken(cls: type) -> frozenset[str]:
    return frozenset(inspect.signature(vars(cls)["__init__"]).parameters)


@cache
def own_docstring(cls: type) -> Docstring:
    """The docstring that stands on this very class, with the fields of its constructor's."""
    own = parse(_text(cls))
    constructor = parse(_text(vars(cls).get("__init__")))
    return Docstring(
        own.summary or constructor.summary,
        own.body,
        {**constructor.parameters, **own.parameters},
        own.raises + constructor.raises,
        own.references,
        own.since,
        own.deprecated,
        types={**constructor.types, **own.types},
    )


def show_default(value: object) -> str:
    """A default as a reader would type it; never an address in memory."""
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, _PLAIN):
        return repr(value).replace("datetime.", "")
    if isinstance(value, (list, tuple, set, frozenset, dict)):
        text = repr(value)
        return text if " at 0x" not in text and len(text) <= 200 else f"{type(value).__name__}(…)"
    if isinstance(value, type):
        return value.__qualname__
    if inspect.isroutine(value):
        return f"{value.__module__}.{value.__qualname__}"
    name = getattr(value, "__name__", None) or type(value).__name__
    return "not set" if "notset" in str(name).lower() else f"{name}(…)"


def _arguments(cls: type) -> Iterator[tuple[type, inspect.Parameter]]:
    for owner in cls.__mro__:
        constructor = vars(owner).get("__init__")
        if constructor is None or owner is object:
            continue
        try:
            signature = inspect.signature(constructor)
        except (ValueError, TypeError):  # built-in constructors have no signature to read
            return
        arguments = list(signature.parameters.values())[1:]  # the first is self
        yield from ((owner, each) for each in arguments if each.kind not in _VARIADIC)
        if not any(each.kind is inspect.Parameter.VAR_KEYWORD for each in arguments):
            return


def _description(cls: type, name: str) -> tuple[str, str, str]:
    """What the nearest docstring says of an argument, whose it is, and the type that it names."""
    for owner in cls.__mro__:
        if owner is not object and (text := own_docstring(owner).parameters.get(name)):
            return text, dotted(owner), own_docstring(owner).types.get(name, "")
    return "", "", ""


def type_text(annotation: Any, owner: type | FunctionType) -> str:  # Any: whatever stands there
    """An annotation as a reader would write it, with the values of a literal type spelled out."""
    if annotation is inspect.Parameter.empty:
        return ""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = " ".join(text.split()).replace("typing.", "").replace("collections.abc.", "")
    return _NAME.sub(lambda hit: _spelled_out(hit[0], owner.__module__), text)


def _spelled_out(name: str, module: str) -> str:
    """A name for a few literal values tells a reader less than the values."""
    meant = getattr(sys.modules.get(module), name, None)
    if get_origin(meant) is not Literal:
        return name
    return " | ".join(repr(value) for value in get_args(meant))


def strings_of(cls: type, name: str) -> tuple[str, ...]:
    """A class attribute that holds strings, such as ``template_fields``."""
    value = getattr(cls, name, ())
    if isinstance(value, str):
        return (value,)
    if isinstance(value, set | frozenset):  # which has another order in each process
        value = sorted(value)
    try:
        return tuple(str(each) for each in value)
    except TypeError:  # a property: only an instance could say
        return ()


def _text(thing: object) -> str | None:
    if thing is None:
        return None
    text = vars(thing).get("__doc__") if isinstance(thing, type) else getattr(thing, "__doc__", "")
    return text if isinstance(text, str) else None
