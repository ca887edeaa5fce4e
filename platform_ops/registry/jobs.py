"""What passes between the builder and its worker processes."""

from __future__ import annotations

from dataclasses import dataclass, field

from platform_ops.registry.classes.introspect import ModuleResult
from platform_ops.registry.dags.bag import DagResult
from platform_ops.registry.discover import FoundModule, Provider
from platform_ops.registry.entities import EntityResult
from platform_ops.registry.providers import Declared, ProviderResult
from platform_ops.registry.tables import TableJob, TableResult

__all__ = ["ClassJob", "DagJob", "EntityJob", "Job", "Result", "TableJob"]


@dataclass(frozen=True, slots=True)
class ClassJob:
    """Modules to import, each with the package that it belongs to; and providers to ask.

    :param declared: What providers said before, instead of asking them.
    """

    modules: tuple[tuple[FoundModule, str], ...] = ()
    packages: tuple[str, ...] = ()
    providers: tuple[Provider, ...] = ()
    declared: Declared | None = None


@dataclass(frozen=True, slots=True)
class DagJob:
    """Folders to parse: as configured, and absolute.

    :param moment: ISO time that runs to come are counted from.
    :param only: Files to parse alone, each with its folder as configured; all where empty.
    :param audit: Object path of what says of a DAG which tasks archive nothing.
    """

    folders: tuple[tuple[str, str], ...] = ()
    moment: str = ""
    only: tuple[tuple[str, str], ...] = ()
    audit: str = ""


@dataclass(frozen=True, slots=True)
class EntityJob:
    """The object path of what hands out sources and entities, and the time that it is asked for."""

    path: str
    moment: str


@dataclass(frozen=True, slots=True)
class Job:
    """What one worker does; parts that are None are another's, or are cached."""

    classes: ClassJob | None = None
    tables: TableJob | None = None
    dags: DagJob | None = None
    entities: EntityJob | None = None

    @property
    def classes_alone(self) -> bool:
        """Whether classes are described, and nothing is asked of Airflow itself."""
        others = (self.tables, self.dags, self.entities)
        return self.classes is not None and not (self.classes.providers or any(others))


@dataclass(slots=True)
class Result:
    """What one worker found."""

    modules: dict[str, ModuleResult] = field(default_factory=dict)
    providers: ProviderResult | None = None
    tables: TableResult | None = None
    dags: DagResult | None = None
    entities: EntityResult | None = None
