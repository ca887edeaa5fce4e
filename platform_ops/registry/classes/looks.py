"""What a task class shows in Airflow's UI, and whether it survives a lost worker."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from platform_ops.registry.classes.classify import dotted
from platform_ops.registry.models.catalog import ExtraLink

__all__ = ["durable", "extra_links"]

_RESUMABLE = "airflow.sdk.bases.resumablejobmixin.ResumableJobMixin"


def extra_links(cls: type) -> tuple[ExtraLink, ...]:
    """Buttons on the page of a task of this class, its bases' too."""
    return tuple(dict.fromkeys(_links(getattr(cls, "operator_extra_links", ()))))


def _links(listed: object) -> Iterator[ExtraLink]:
    if not isinstance(listed, (list, tuple)):  # a property: only an instance could say
        return
    for each in listed:
        name = inspect.getattr_static(each, "name", "")
        yield ExtraLink(name if isinstance(name, str) else "", dotted(type(each)))


def durable(cls: type) -> bool:
    """Whether a task that was interrupted takes up its remote job again.

    As Airflow's own registry tells it: the class says so itself, which its subclasses do not inherit,
    or it completes Airflow's mixin for resumable jobs and uses it.
    """
    if vars(cls).get(f"_{cls.__name__}__supports_durable_execution") is True:
        return True
    resumable = any(dotted(each) == _RESUMABLE for each in cls.__mro__)
    if not resumable or inspect.isabstract(cls):
        return False
    execute = getattr(cls, "execute", None)
    if not inspect.isfunction(execute):
        return False
    return "execute_resumable" in inspect.unwrap(execute).__code__.co_names  # Airflow wraps it
