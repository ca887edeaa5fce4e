"""What only shows where all entries of a catalogue are known: who uses what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from platform_ops.registry.models.catalog import ClassEntry
from platform_ops.registry.models.dags import Dag
from platform_ops.registry.models.providers import Addition

__all__ = ["linked", "once"]


def linked(
    classes: Mapping[str, ClassEntry], dags: Iterable[Dag], archiving: Iterable[str]
) -> Iterator[ClassEntry]:
    """Every entry with its hook, the DAGs that use it, and whether it archives.

    :param archiving: Bases whose subclasses do.
    """
    users: dict[str, dict[str, None]] = defaultdict(dict)
    for dag in dags:
        for task in dag.tasks:
            users[task.operator][dag.dag_id] = None
    roots = set(archiving)
    for each in _with_hooks(classes):
        archives = not roots.isdisjoint((each.name, *each.mro))
        used_by = tuple(users.get(each.name, ()))
        if archives or used_by:
            yield replace(each, used_by=used_by, archiving=archives)
        else:
            yield each


def once(found: Iterable[Addition]) -> tuple[Addition, ...]:
    """By kind and name; a function that two modules hand on is one."""
    kept = {(each.kind, each.name, each.target): each for each in found}
    return tuple(kept[key] for key in sorted(kept))


def _with_hooks(classes: Mapping[str, ClassEntry]) -> Iterator[ClassEntry]:
    """Which hook each class works through.

    Where no annotation says it, Airflow's own convention does: the operator takes the argument that
    the hook calls ``conn_name_attr``, and its default is the hook's ``default_conn_name``.
    """
    hooks: dict[tuple[str, str], list[ClassEntry]] = {}
    for each in classes.values():
        if each.kind == "hook" and each.conn_name_attr and each.default_conn_name:
            hooks.setdefault((each.conn_name_attr, repr(each.default_conn_name)), []).append(each)
    for each in classes.values():
        if each.kind == "hook":
            yield each
            continue
        hook = classes.get(each.hook)
        if hook is None and not each.hook:
            taken = ((argument.name, argument.default or "") for argument in each.parameters)
            options = [hook for pair in taken for hook in hooks.get(pair, ())]
            hook = options[0] if len(options) == 1 else None
        if hook is None:
            yield each
        else:
            yield replace(each, hook=hook.name, conn_type=each.conn_type or hook.conn_type)
