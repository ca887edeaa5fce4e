"""One case for each registered operator and hook: the contract suite runs over all of them.

An operator or hook that is registered and has no case here fails the suite by name; one that derives from
the operator over HTTP, as ``platform-ops new source`` writes it, has one of itself. Each module below holds
the cases of one system.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol, TypeVar

from airflow.sdk import BaseOperator

from platform_ops.sources.http import ArchivingHttpOperator
from tests.contract import buckets, files, http, kafka, mail, sql
from tests.contract.case import Case, HookCase, registered_operators

_SYSTEMS = (files, buckets, http, kafka, mail, sql)


def cases_for(
    registered: Iterable[type[BaseOperator]], cases: Iterable[Case]
) -> list[http.HttpCase]:
    """Cases of the operators that have none and derive from the one over HTTP: its case fits them."""
    missing = set(registered) - {case.operator for case in cases}
    return [
        http.HttpCase(name=each.__name__, operator=each)
        for each in sorted(missing, key=lambda each: each.__name__)
        if issubclass(each, ArchivingHttpOperator)
    ]


_WRITTEN: tuple[Case, ...] = tuple(case for system in _SYSTEMS for case in system.CASES)
CASES: tuple[Case, ...] = (*_WRITTEN, *cases_for(registered_operators(), _WRITTEN))
HOOK_CASES: tuple[HookCase, ...] = tuple(case for system in _SYSTEMS for case in system.HOOK_CASES)

STORES: Final = ("disk", "s3")


class _Either(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def servers(self) -> tuple[str, ...]: ...


Some = TypeVar("Some", bound=_Either)


def on_every_store(cases: Iterable[Some]) -> list[tuple[Some, str]]:
    """Each case with each store that the suite runs over."""
    return [(case, store) for case in cases for store in STORES]


def is_fast(case: _Either, store: str) -> bool:
    """Whether it belongs to the suite without real servers.

    A source never sees which store its bytes go to: there one case stands for the other stores, and the
    session ``sources`` runs every case over every one.
    """
    return not case.servers and (store == STORES[0] or case.name == "http")
