"""Every object of a catalogue in one shape, so that one comparison serves all kinds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from platform_ops.registry.classes.docstrings import first_sentence, plain
from platform_ops.registry.models.catalog import (
    Catalog,
    ClassEntry,
    Connection,
    ConnectionField,
    Dag,
    ErrorEntry,
    Metric,
    Parameter,
    Setting,
    Task,
)

__all__ = ["Thing", "things"]

_BY_KEYWORD: Final = ("operator", "sensor", "transfer")  # Airflow refuses positional arguments


@dataclass(frozen=True, slots=True)
class Thing:
    """An object, or a part of one, as far as it is compared.

    :param level: What rules on breaking call it; parts are shown as level and name.
    :param names: Every name that code may use for it, the one to show first.
    :param aspects: What is compared, as text; several values are joined by a comma.
    :param needed: Users must give it, so that its coming breaks those who do not.
    :param inherited: Parts that it has by a base outside the catalogue, and that are not compared.
    """

    level: str
    kind: str
    names: tuple[str, ...]
    aspects: Mapping[str, str]
    summary: str = ""
    parts: tuple[Thing, ...] = ()
    needed: bool = False
    inherited: frozenset[str] = frozenset()


def things(catalog: Catalog) -> Iterator[Thing]:
    """All that is compared; bases outside the walked packages are not what a catalogue is about."""
    bases = {each.name: each for each in catalog.classes if each.base}
    yield from (_class(each, bases) for each in catalog.classes if not each.base)
    yield from map(_connection, catalog.connections)
    yield from map(_metric, catalog.metrics)
    yield from map(_setting, catalog.settings)
    yield from map(_error, catalog.errors)
    yield from map(_dag, catalog.dags)


def _class(entry: ClassEntry, bases: Mapping[str, ClassEntry]) -> Thing:
    above = [bases[each] for each in entry.inherits if each in bases]
    taken = {each.name for each in entry.parameters}
    aspects = {
        "kind": entry.kind,
        "bases outside": _joined(entry.inherits),
        "template fields": _joined(set(entry.template_fields) - taken),
        "template files": _joined(entry.template_ext),
        "deferrable": _yes(entry.deferrable),
        "hook": entry.hook,
        "connection type": entry.conn_type,
        "deprecation": plain(entry.deprecated),
    }
    positional = entry.kind not in _BY_KEYWORD
    return Thing(
        "class",
        entry.kind,
        tuple(dict.fromkeys((entry.public, entry.name))),
        aspects,
        _short(entry.summary),
        tuple(_parameter(each, positional=positional) for each in entry.parameters),
        inherited=frozenset(each.name for base in above for each in base.parameters),
    )


def _parameter(parameter: Parameter, *, positional: bool) -> Thing:
    aspects = {
        "type": parameter.type,
        "default": "required" if parameter.default is None else parameter.default,
        "templating": _yes(parameter.templated),
        "renderer": parameter.renderer,
    }
    if positional:
        aspects["keyword only"] = _yes(parameter.keyword_only)
    return _part("parameter", parameter.name, aspects, parameter.description, parameter.required)


def _connection(connection: Connection) -> Thing:
    fields = tuple(_field(each) for each in connection.fields)
    aspects = {"hook": connection.hook, "title": connection.title}
    return Thing("connection", "connection", (connection.conn_type,), aspects, parts=fields)


def _field(field: ConnectionField) -> Thing:
    name = field.name if field.standard else f"extra.{field.name}"
    aspects = {"label": field.label, "type": field.type, "default": field.default}
    return _part("field", name, aspects, field.description)


def _metric(metric: Metric) -> Thing:
    aspects = {"kind": metric.kind, "unit": metric.unit, "tags": _joined(metric.tags)}
    return Thing("metric", "metric", (metric.name,), aspects, _short(metric.help))


def _setting(setting: Setting) -> Thing:
    default = "required" if setting.required else setting.default
    aspects = {"type": setting.type, "default": default, "unit": setting.unit}
    about = _short(setting.description)
    return Thing("setting", "setting", (setting.name,), aspects, about, needed=setting.required)


def _error(error: ErrorEntry) -> Thing:
    aspects = {"parent": error.parent, "retried": _yes(error.retryable)}
    return Thing("error", "error", (error.name,), aspects, _short(error.summary))


def _dag(dag: Dag) -> Thing:
    aspects = {"schedule": dag.schedule_words or dag.schedule, "owners": _joined(dag.owners)}
    tasks = tuple(_task(each) for each in dag.tasks)
    return Thing("dag", "dag", (dag.dag_id,), aspects, _short(dag.summary), tasks)


def _task(task: Task) -> Thing:
    aspects = {"operator": task.label or task.operator, "mapped": _yes(task.mapped)}
    return _part("task", task.task_id, aspects, task.summary)


def _part(
    level: str, name: str, aspects: Mapping[str, str], about: str, needed: bool = False
) -> Thing:
    return Thing(level, level, (name,), aspects, _short(about), needed=needed)


def _joined(values: Iterable[str]) -> str:
    return ", ".join(sorted(values))


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _short(text: str) -> str:
    return first_sentence(plain(text))
