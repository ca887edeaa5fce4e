"""Metrics, settings, errors and free tables, read from objects that a configuration names."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

from platform_ops.registry.classes.docstrings import parse
from platform_ops.registry.models.catalog import (
    ErrorEntry,
    Metric,
    Problem,
    RuleEntry,
    Setting,
    Source,
    Table,
)

__all__ = ["TableJob", "TableResult", "load", "read"]


@dataclass(slots=True)
class TableResult:
    """What the named objects hold."""

    metrics: list[Metric] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    errors: list[ErrorEntry] = field(default_factory=list)
    rules: list[RuleEntry] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TableJob:
    """Object paths to read."""

    metrics: str = ""
    settings: str = ""
    errors: str = ""
    rules: tuple[str, ...] = ()
    tables: tuple[tuple[str, str], ...] = ()


def read(job: TableJob) -> TableResult:
    """Import each named object and turn it into rows; what fails is a problem, not an exception."""
    result = TableResult()
    readers: list[tuple[str, Any]] = [  # Any: callables of no result
        (job.metrics, lambda path: result.metrics.extend(_metrics(path))),
        (job.settings, lambda path: result.settings.extend(_settings(path))),
        (job.errors, lambda path: result.errors.extend(_errors(path))),
    ]
    readers += [(path, lambda path: result.rules.extend(_rules(path))) for path in job.rules]
    readers += [
        (path, lambda path, name=name: result.tables.append(_table(name, path)))
        for name, path in job.tables
    ]
    for path, reader in readers:
        if path:
            _guarded(result, path, reader)
    return result


def _guarded(result: TableResult, path: str, reader: Any) -> None:  # Any: a callable of no result
    try:
        reader(path)
    except (Exception, SystemExit) as err:  # noqa: BLE001  foreign code may raise anything
        result.problems.append(Problem("table", path, f"{type(err).__name__}: {err}"))


def load(path: str) -> Any:  # Any: whatever lies at that path
    """The object at ``module:attribute``."""
    module, _, attribute = path.partition(":")
    found: Any = importlib.import_module(module)
    for step in filter(None, attribute.split(".")):
        found = getattr(found, step)
    return found


def _metrics(path: str) -> Iterator[Metric]:
    package = path.partition(".")[0].partition(":")[0]
    for each in load(path):
        yield Metric(
            name=str(each.name),
            kind=_text(each.kind),
            unit=_text(getattr(each, "unit", "")),
            help=str(getattr(each, "help", "") or getattr(each, "description", "")),
            tags=tuple(str(tag) for tag in getattr(each, "tags", ())),
            package=package,
        )


def _rules(path: str) -> Iterator[RuleEntry]:
    """Rules of any engine that gives each an id; what else they have is taken where it is there."""
    module = path.partition(":")[0]
    for each in load(path):
        yield RuleEntry(
            id=str(each.id),
            title=_text(getattr(each, "title", "")),
            why=_text(getattr(each, "why", "") or getattr(each, "description", "")),
            severity=_text(getattr(each, "severity", "")),
            group=module,
            bad=_text(getattr(each, "bad", "")),
            good=_text(getattr(each, "good", "")),
            fix=_text(getattr(each, "fix", "")),
            options=_text(getattr(each, "options", "")),
        )


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value.value) if isinstance(value, Enum) else str(value)


def _settings(path: str) -> Iterator[Setting]:
    yield from _fields(load(path), "")


def _fields(model: Any, prefix: str) -> Iterator[Setting]:  # Any: a pydantic model class
    about = parse(model.__doc__).summary
    nested: list[tuple[Any, str]] = []
    for name, info in model.model_fields.items():
        dotted = f"{prefix}{name}"
        inner, placeholder = _inner_model(info.annotation, name)
        if inner is not None:
            nested.append((inner, f"{dotted}.{placeholder}" if placeholder else f"{dotted}."))
            continue
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        yield Setting(
            name=dotted,
            section=prefix.rstrip("."),
            type=_type(info.annotation),
            default="" if info.is_required() else str(extra.get("default_text") or _default(info)),
            required=info.is_required(),
            description=info.description or "",
            unit=str(extra.get("unit", "")),
            section_description=about,
        )
    for inner, below in nested:
        yield from _fields(inner, below)


def _inner_model(annotation: Any, name: str) -> tuple[Any, str]:  # Any: annotations
    """The model inside a field, and the placeholder of its key where the field is a mapping."""
    if hasattr(annotation, "model_fields"):
        return annotation, ""
    arguments = [_bare(each) for each in get_args(annotation)]
    models = [each for each in arguments if hasattr(each, "model_fields")]
    if not models:
        return None, ""
    mapping = isinstance(get_origin(annotation), type) and issubclass(
        get_origin(annotation), Mapping
    )
    return models[0], f"<{_singular(name)}>." if mapping else ""


def _bare(annotation: Any) -> Any:  # Any: annotations
    return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation


def _singular(name: str) -> str:
    if name.endswith("ies"):
        return f"{name[:-3]}y"
    return name[:-2] if name.endswith(("ches", "shes", "sses", "xes")) else name.removesuffix("s")


def _type(annotation: Any) -> str:  # Any: annotations
    annotation = _bare(annotation)
    arguments = get_args(annotation)
    if str(get_origin(annotation)) == "typing.Literal":
        return " | ".join(json.dumps(each) for each in arguments)
    if arguments and type(annotation).__name__ in ("UnionType", "_UnionGenericAlias", "Union"):
        return " | ".join(_type(each) for each in arguments)
    if annotation is type(None):
        return "unset"
    text = inspect.formatannotation(annotation)
    return text.replace("typing.", "").replace("pathlib.", "")


def _default(info: Any) -> str:  # Any: pydantic's FieldInfo
    value = info.get_default(call_default_factory=True)
    if value is None:
        return "unset"
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError:
        return str(value)


def _errors(path: str) -> Iterator[ErrorEntry]:
    module = load(path)
    public = getattr(module, "__all__", None)
    found = [
        each
        for name, each in vars(module).items()
        if inspect.isclass(each)
        and issubclass(each, BaseException)
        and each.__module__ == module.__name__
        and (name in public if public else not name.startswith("_"))
    ]
    for each in found:
        doc = parse(each.__dict__.get("__doc__"))
        parent = next((base for base in each.__mro__[1:] if base in found), None)
        yield ErrorEntry(
            name=each.__name__,
            module=each.__module__,
            parent=parent.__name__ if parent else "",
            retryable=bool(getattr(each, "retryable", False)),
            summary=doc.summary,
            description=doc.body,
            source=_source(each),
        )


def _source(thing: type) -> Source:
    path = Path(inspect.getfile(thing))
    depth = thing.__module__.count(".") + (2 if path.name == "__init__.py" else 1)
    return Source("/".join(path.parts[-depth:]), inspect.getsourcelines(thing)[1])


def _table(name: str, path: str) -> Table:
    rows = load(path)()
    header, body = (rows.header, rows.rows) if hasattr(rows, "header") else rows
    return Table(
        name,
        tuple(str(cell) for cell in header),
        tuple(tuple(str(cell) for cell in row) for row in body),
    )
