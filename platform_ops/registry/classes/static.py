"""Classes of a module that cannot be imported, read from its source by griffe.

What Python would compute stays unknown: template fields that are calls, defaults that are names. The
bases that can be imported are asked what they are; the others are looked up in their own source.

Source: https://mkdocstrings.github.io/griffe/reference/api/loaders/
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from platform_ops.errors import ConfigError
from platform_ops.registry.classes.classify import TASKS, dotted, kind_of
from platform_ops.registry.classes.docstrings import Docstring, parse
from platform_ops.registry.classes.parameters import parameters, strings_of
from platform_ops.registry.discover import folder_of
from platform_ops.registry.models.catalog import ClassEntry, Raises
from platform_ops.registry.models.location import Source
from platform_ops.registry.models.providers import Parameter

if TYPE_CHECKING:
    import griffe

__all__ = ["read_statically"]

_PLACES: Final = {
    "operators": "airflow.sdk.BaseOperator",
    "transfers": "airflow.sdk.BaseOperator",
    "sensors": "airflow.sdk.BaseSensorOperator",
    "hooks": "airflow.sdk.BaseHook",
    "triggers": "airflow.triggers.base.BaseTrigger",
    "notifications": "airflow.sdk.BaseNotifier",
}


def read_statically(module: str, path: str, package: str) -> list[ClassEntry]:
    """Entries of the public classes whose bases say what they are; none where there is no parsing it."""
    found = []
    for name, cls in _classes(module, path).items():
        lines = list(_lineage(cls))
        root = next((each for each in lines if isinstance(each, type) and kind_of(each)), None)
        if root is not None and not name.startswith("_"):
            found.append(_entry(f"{module}.{name}", path, package, lines, root))
    return found


@cache
def _classes(module: str, path: str) -> dict[str, griffe.Class]:
    file = Path(path)
    try:
        import griffe

        code = file.read_text(encoding="utf-8", errors="replace")
        return dict(griffe.visit(module, filepath=file, code=code).classes)
    except (SyntaxError, RecursionError, OSError, ImportError):  # the module's problem says why
        return {}


def _lineage(cls: griffe.Class) -> Iterator[griffe.Class | type]:
    """The class and its bases, nearest first: from source, up to those that can be imported."""
    yield cls
    for base in cls.bases:
        path = base if isinstance(base, str) else base.canonical_path
        found = _imported(path) or _in_source(path) or _by_place(path)
        if isinstance(found, type):
            yield found
        elif found is not None:
            yield from _lineage(found)


@cache
def _imported(path: str) -> type | None:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except (Exception, SystemExit):  # noqa: BLE001  foreign code may raise anything
        return None
    return found if isinstance(found, type) else None


def _by_place(path: str) -> type | None:
    """Of a base that is not installed: Airflow's own base for the folder that its provider keeps it in."""
    if path.startswith("airflow.providers."):
        for step in path.split("."):
            if step in _PLACES:
                return _imported(_PLACES[step])
    return None


def _in_source(path: str) -> griffe.Class | None:
    module, _, name = path.rpartition(".")
    try:
        file = folder_of(module)
    except (ConfigError, ImportError, ValueError):
        return None
    if file.is_dir():
        file /= "__init__.py"
    return _classes(module, str(file)).get(name)


def _entry(
    name: str, path: str, package: str, lines: list[griffe.Class | type], root: type
) -> ClassEntry:
    kind = kind_of(root)
    sources = [each for each in lines if not isinstance(each, type)]
    mixins = [each for each in lines if isinstance(each, type) and not kind_of(each)]
    cls = sources[0]
    docs = [_docstring(each) for each in sources]
    templated = _strings(sources, "template_fields") or strings_of(root, "template_fields")
    own = tuple(_parameters(kind, sources, docs, templated))
    own += tuple(each for mixin in mixins for each in parameters(mixin))
    own = tuple({each.name: each for each in reversed(own)}.values())[::-1]  # the nearest tells
    outside = [each for each in root.__mro__ if kind_of(each)]
    names = {each.name for each in own}
    return ClassEntry(
        kind=kind,
        name=name,
        public=name,
        package=package,
        summary=docs[0].summary,
        description=docs[0].body,
        source=Source("/".join(Path(path).parts[-(name.count(".")) :]), cls.lineno or 1),
        parameters=own,
        inherits=tuple(dotted(each) for each in outside),
        mro=(*(each.path for each in sources[1:]), *(dotted(each) for each in root.__mro__[:-1])),
        template_fields=templated,
        template_ext=_strings(sources, "template_ext") or strings_of(root, "template_ext"),
        deferrable="deferrable" in names | {each.name for each in parameters(root)},
        stray_fields=tuple(
            sorted(docs[0].parameters.keys() - names - {each.name for each in parameters(root)})
        ),
        raises=tuple(Raises(*each) for each in docs[0].raises),
        references=docs[0].references,
        since=docs[0].since,
        deprecated=docs[0].deprecated,
        static=True,
    )


def _docstring(cls: griffe.Class) -> Docstring:
    own = parse(cls.docstring.value if cls.docstring else "")
    constructor = cls.functions.get("__init__")
    text = constructor.docstring.value if constructor and constructor.docstring else ""
    own.parameters.update(
        (name, about)
        for name, about in parse(text).parameters.items()
        if name not in own.parameters
    )
    return own


def _parameters(
    kind: str, sources: list[griffe.Class], docs: list[Docstring], templated: tuple[str, ...]
) -> Iterator[Parameter]:
    seen = {"self"}
    for cls in sources:
        constructor = cls.functions.get("__init__")
        if constructor is None:
            continue
        for each in constructor.parameters:
            if each.name in seen or (each.kind and each.kind.value.startswith("variadic")):
                continue
            seen.add(each.name)
            told = [n for n, doc in enumerate(docs) if each.name in doc.parameters]
            yield Parameter(
                name=each.name,
                type=str(each.annotation or ""),
                default=None if each.default is None else str(each.default),
                required=each.default is None,
                keyword_only=each.kind is not None and each.kind.value == "keyword-only",
                declared_by=cls.path,
                description=docs[told[0]].parameters[each.name] if told else "",
                documented_by=sources[told[0]].path if told else "",
                templated=each.name in templated,
                mappable=kind in TASKS,
            )


def _strings(sources: list[griffe.Class], name: str) -> tuple[str, ...]:
    """An attribute that holds strings, where its source writes them out."""
    for cls in sources:
        if attribute := cls.attributes.get(name):
            try:
                value = ast.literal_eval(str(attribute.value))
            except (ValueError, SyntaxError):  # computed: only Python could tell
                return ()
            return (value,) if isinstance(value, str) else tuple(str(each) for each in value)
    return ()
