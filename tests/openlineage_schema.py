"""An OpenLineage event, as it goes over the wire, held against the classes that its project generates.

The specification's JSON schemas are in no package; the classes of ``openlineage-python`` are generated from
them and carry every field, whether it is required, its type, and the address of the schema that it is of.
"""

from __future__ import annotations

import pkgutil
import types
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from functools import cache
from importlib import import_module
from typing import Any, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit
from uuid import UUID

import attr
from openlineage.client import generated
from openlineage.client.event_v2 import RunEvent
from openlineage.client.generated import base

__all__ = ["faults"]

_BASES = {
    "facets": (base.RunFacet, base.JobFacet, base.DatasetFacet),
    "inputFacets": (base.InputDatasetFacet,),
    "outputFacets": (base.OutputDatasetFacet,),
}


def faults(event: dict[str, Any], facets: set[str] | None = None) -> list[str]:  # Any: JSON values
    """What the specification does not allow, each with where it stands.

    :param event: As it was sent.
    :param facets: Collects the names of facets that were held against a class of their own.
    """
    return list(_of_class("event", event, RunEvent, set() if facets is None else facets))


@cache
def _classes() -> dict[str, type]:
    """Every generated class of a facet, by the address of its schema.

    Without the bases: facets of others, as Airflow has, may tell whatever they like below their addresses.
    """
    found = {}
    for each in pkgutil.iter_modules(generated.__path__):
        if each.name == "base":
            continue
        module = import_module(f"{generated.__name__}.{each.name}")
        for kind in vars(module).values():
            if isinstance(kind, type) and kind.__module__ == module.__name__:
                if not issubclass(kind, base.BaseFacet):
                    continue
                found[kind._get_schema()] = kind
    return found


def _of_class(where: str, told: Any, kind: type, facets: set[str]) -> Iterator[str]:  # Any: JSON
    if not isinstance(told, dict):
        yield f"{where}: {told!r} is no object"
        return
    known = {each.name: each for each in attr.fields(kind)}
    hints = get_type_hints(kind)
    yield from (
        f"{where}.{name}: no field of {kind.__name__}" for name in told if name not in known
    )
    for name, field in known.items():
        if name not in told:
            if field.default is attr.NOTHING:
                yield f"{where}.{name}: missing"
        elif name in _BASES:
            yield from _of_facets(f"{where}.{name}", told[name], _BASES[name], facets)
        else:
            yield from _of_type(f"{where}.{name}", told[name], hints[name], facets)
            yield from _of_format(f"{where}.{name}", name, told[name])


def _of_facets(
    where: str, told: Any, kinds: tuple[type, ...], facets: set[str]
) -> Iterator[str]:  # Any: JSON
    for name, facet in told.items():
        url = facet.get("_schemaURL", "")
        kind = _classes().get(url)
        for key in ("_producer", "_schemaURL"):
            yield from _of_format(f"{where}.{name}.{key}", key, facet.get(key))
        if kind is None:
            if url.startswith("https://openlineage.io/spec/facets/"):
                yield f"{where}.{name}: {url} is of another version than the classes"
        elif not issubclass(kind, kinds):
            yield f"{where}.{name}: {kind.__name__} is no facet of this place"
        else:
            facets.add(name)
            yield from _of_class(f"{where}.{name}", facet, kind, facets)


def _of_type(where: str, told: Any, kind: Any, facets: set[str]) -> Iterator[str]:  # Any: types
    origin = get_origin(kind)
    if kind is Any:
        return
    if origin in (Union, types.UnionType):
        tried = [list(_of_type(where, told, each, facets)) for each in get_args(kind)]
        yield from () if [] in tried else tried[0]
    elif origin is list:
        yield from _of_items(where, told, get_args(kind)[0], facets)
    elif origin is dict or kind is dict:
        yield from () if isinstance(told, dict) else (f"{where}: {told!r} is no object",)
    elif isinstance(kind, type) and attr.has(kind):
        yield from _of_class(where, told, kind, facets)
    elif isinstance(kind, type) and issubclass(kind, Enum):
        right = [each.value for each in kind]
        yield from () if told in right else (f"{where}: {told!r} is none of {right}",)
    elif not isinstance(told, kind) or (kind is int and isinstance(told, bool)):
        yield f"{where}: {told!r} is no {kind.__name__}"


def _of_items(where: str, told: Any, kind: Any, facets: set[str]) -> Iterator[str]:  # Any: types
    if not isinstance(told, list):
        yield f"{where}: {told!r} is no array"
        return
    for number, each in enumerate(told):
        yield from _of_type(f"{where}[{number}]", each, kind, facets)


def _of_format(where: str, name: str, told: Any) -> Iterator[str]:  # Any: a JSON value
    """What a type does not say: addresses, times and ids are well-formed."""
    try:
        if name in ("producer", "schemaURL", "_producer", "_schemaURL"):
            parts = urlsplit(told)
            if not parts.scheme or not parts.netloc or " " in told:
                yield f"{where}: {told!r} is no URI"
        elif name == "runId":
            UUID(told)
        elif name.endswith("Time") and datetime.fromisoformat(told).tzinfo is None:
            yield f"{where}: {told!r} names no offset"
    except (TypeError, ValueError, AttributeError) as err:
        yield f"{where}: {told!r}: {err}"
