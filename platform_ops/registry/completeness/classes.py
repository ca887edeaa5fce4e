"""Operators, hooks and their like: docstrings held against what Python sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from platform_ops.findings import Finding, Place
from platform_ops.registry.completeness.contradictions import default_fault, type_fault
from platform_ops.registry.completeness.rules import (
    CLASS,
    CONNECTION,
    DEFAULT,
    EXAMPLE,
    PARAMETER,
    STRAY,
    TEMPLATE_FIELD,
    TEMPLATED,
    TYPE,
)
from platform_ops.registry.models.catalog import Catalog, ClassEntry

__all__ = ["check"]


def check(catalog: Catalog, *, exemplified: bool) -> Iterator[Finding]:
    """What its classes do not say, or say wrongly.

    :param exemplified: Whether the site shows DAGs, so that operators can have examples.
    """
    forms = {each.conn_type for each in catalog.connections}
    used = {task.operator for dag in catalog.dags for task in dag.tasks}
    known = {each.name: {it.name for it in each.parameters} for each in catalog.classes}
    for entry in catalog.classes:
        if entry.base:
            continue
        yield from _described(entry)
        yield from _contradictions(entry)
        yield from _template_fields(entry, known)
        if entry.kind == "hook" and entry.conn_type and entry.conn_type not in forms:
            message = f"type {entry.conn_type!r} is in no provider's list"
            yield CONNECTION.at(_place(entry), message)
        if exemplified and _wants_example(entry) and entry.name not in used:
            yield EXAMPLE.at(_place(entry), "no DAG uses it")


def _described(entry: ClassEntry) -> Iterator[Finding]:
    place = _place(entry)
    if not entry.summary:
        yield CLASS.at(place, "no docstring")
    for parameter in entry.parameters:
        if parameter.declared_by == entry.name and not parameter.description:
            field = f":param {parameter.name}:"
            yield PARAMETER.at(place, f"no {field} field", f"add {field} to the class's docstring")
    for name in entry.stray_fields:
        message = f"describes {name!r}, which no constructor takes"
        yield STRAY.at(place, message, f"remove :param {name}:")


def _contradictions(entry: ClassEntry) -> Iterator[Finding]:
    place = _place(entry)
    for parameter in entry.parameters:
        # What another class declares or describes is told there, once.
        if entry.name != parameter.documented_by:
            continue
        if "(templated)" in parameter.description.lower() and not parameter.templated:
            yield TEMPLATED.at(place, f"{parameter.name!r} is not in template_fields")
        if fault := type_fault(parameter):
            yield TYPE.at(place, fault)
        if fault := default_fault(parameter):
            yield DEFAULT.at(place, fault)


def _template_fields(entry: ClassEntry, known: Mapping[str, set[str]]) -> Iterator[Finding]:
    taken = {each.name for each in entry.parameters}
    for base in entry.inherits:
        taken |= known.get(base, set())
    for name in entry.template_fields:
        if name not in taken:
            yield TEMPLATE_FIELD.at(_place(entry), f"{name!r} is in template_fields")


def _wants_example(entry: ClassEntry) -> bool:
    return entry.kind in ("operator", "sensor") and not entry.abstract


def _place(entry: ClassEntry) -> Place:
    return Place(entry.public, entry.source.file, entry.source.line)
