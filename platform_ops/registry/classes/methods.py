"""The public methods of a class, with what a page says of each; runs in the worker process alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from platform_ops.registry.classes.docstrings import parse
from platform_ops.registry.classes.parameters import show_default, type_text
from platform_ops.registry.models.methods import Described, Method

__all__ = ["methods"]

_STARS: Final[Mapping[object, str]] = {
    inspect.Parameter.VAR_POSITIONAL: "*",
    inspect.Parameter.VAR_KEYWORD: "**",
}


def methods(cls: type) -> tuple[Method, ...]:
    """Those that the class defines itself and that carry a docstring, in the order of its source."""
    return tuple(
        _method(cls, name, value, function)
        for name, value in vars(cls).items()
        if not name.startswith("_")
        and inspect.isfunction(function := inspect.unwrap(getattr(value, "__func__", value)))
        and (getattr(value, "__doc__", "") or "").strip()
    )


def _method(cls: type, name: str, value: object, function: Callable[..., Any]) -> Method:
    """One method. ``Any``: whatever it takes and returns."""
    doc = parse(value.__doc__)
    signature = inspect.signature(function)
    taken = list(signature.parameters.values())
    if not isinstance(value, staticmethod):
        taken = taken[1:]  # self, or the class
    return Method(
        name=name,
        modifier=_modifier(value, function),
        arguments=tuple(_arguments(taken, cls)),
        result=type_text(signature.return_annotation, cls),
        summary=doc.summary,
        description=doc.body,
        parameters=tuple(Described(*each) for each in doc.parameters.items()),
        returns=doc.returns,
        raises=tuple(Described(*each) for each in doc.raises),
        since=doc.since,
        deprecated=doc.deprecated,
    )


def _modifier(value: object, function: Callable[..., Any]) -> str:  # Any: as above
    if isinstance(value, classmethod):
        return "classmethod"
    if isinstance(value, staticmethod):
        return "staticmethod"
    coroutine = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    return "async" if coroutine else ""


def _arguments(taken: list[inspect.Parameter], cls: type) -> Iterator[str]:
    """Each as its author would write it, with the marks between the kinds."""
    starred = False
    for number, each in enumerate(taken):
        if each.kind is inspect.Parameter.KEYWORD_ONLY and not starred:
            yield "*"
        starred |= each.kind in (
            inspect.Parameter.KEYWORD_ONLY,
            inspect.Parameter.VAR_POSITIONAL,
        )
        yield _argument(each, cls)
        positional = each.kind is inspect.Parameter.POSITIONAL_ONLY
        following = taken[number + 1].kind if number + 1 < len(taken) else None
        if positional and following is not inspect.Parameter.POSITIONAL_ONLY:
            yield "/"


def _argument(argument: inspect.Parameter, cls: type) -> str:
    text = f"{_STARS.get(argument.kind, '')}{argument.name}"
    annotation = type_text(argument.annotation, cls)
    if annotation:
        text += f": {annotation}"
    if argument.default is inspect.Parameter.empty:
        return text
    return f"{text}{' = ' if annotation else '='}{show_default(argument.default)}"
