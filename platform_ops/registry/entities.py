"""Sources and entities, as the object that a configuration names hands them out."""

from __future__ import annotations

from dataclasses import dataclass, field

from platform_ops.registry.models.catalog import Problem
from platform_ops.registry.models.entities import Published
from platform_ops.registry.tables import load

__all__ = ["EntityResult", "read_entities"]


@dataclass(slots=True)
class EntityResult:
    """What the object handed out."""

    published: Published = field(default_factory=Published)
    problems: list[Problem] = field(default_factory=list)


def read_entities(path: str, moment: str) -> EntityResult:
    """Call the object; what fails is a problem, not an exception.

    :param moment: ISO time up to which arrivals count.
    """
    result = EntityResult()
    try:
        found = load(path)(moment)
        if not isinstance(found, Published):
            raise TypeError(f"returned {type(found).__name__}; return a Published")  # noqa: TRY301
        result.published = found
    except (Exception, SystemExit) as err:  # noqa: BLE001  foreign code may raise anything
        result.problems.append(Problem("entities", path, f"{type(err).__name__}: {err}"))
    return result
