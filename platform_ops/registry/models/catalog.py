"""What the catalogue knows, as frozen values with one JSON form.

Everything here is plain data: whoever reads a catalogue imports neither Airflow nor the packages
that it describes. Names of classes are dotted (``package.module.Class``) and are their identity;
``public`` is the name that a user should import, which a facade may make shorter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from platform_ops.registry.models.dags import BrokenDagFile, Dag, Task
from platform_ops.registry.models.entities import DataSource, Entity
from platform_ops.registry.models.location import Source
from platform_ops.registry.models.methods import Described, Method
from platform_ops.registry.models.providers import Addition, Option, Package, Parameter

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = [
    "CATALOG_VERSION",
    "Addition",
    "BrokenDagFile",
    "Catalog",
    "ClassEntry",
    "Connection",
    "ConnectionField",
    "Dag",
    "DataSource",
    "Described",
    "Entity",
    "ErrorEntry",
    "ExtraLink",
    "Method",
    "Metric",
    "Option",
    "Package",
    "Parameter",
    "Problem",
    "Raises",
    "RuleEntry",
    "Setting",
    "Source",
    "Table",
    "Task",
]

CATALOG_VERSION: Final = 1
"""The format that this release writes; a reader refuses a newer one."""


@dataclass(frozen=True, slots=True)
class Raises:
    """One error that a docstring promises."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class ExtraLink:
    """A button on a task's page.

    :param name: What it says, where the class says so without an instance.
    :param target: Dotted name of its class.
    """

    name: str
    target: str


@dataclass(frozen=True, slots=True)
class ClassEntry:
    """An operator, sensor, hook, trigger, notifier, or another class that Airflow knows what to do with.

    :param kind: By its bases and by what the provider declares, never by its name.
    :param system: What it works with, as the provider's description says.
    :param static: Read from its source alone, since its module cannot be imported.
    :param archiving: Whether it stands on a base that archives what it brings.
    :param durable: Whether a task that was interrupted takes up its remote job again.
    :param triggers: Dotted names of the triggers that it may defer to.
    :param links: Buttons that it adds to the task's page.
    :param used_by: Ids of the DAGs that have a task of this very class.
    :param name: Module and class: its identity.
    :param public: What to import; equals ``name`` unless a facade exports it.
    :param base: True for a class outside the walked packages, kept since others inherit from it.
    :param parameters: All that its constructor takes, save those that ``inherits`` stands for.
    :param inherits: Bases outside the walked packages, whose entries hold the other parameters.
    :param mro: Dotted names of its bases, nearest first.
    :param methods: Public methods that it defines itself and that carry a docstring.
    :param hook: Dotted name of the hook that it works through, as its annotations say.
    :param conn_type: Of the hook, or the hook's own.
    :param conn_name_attr: Of a hook: the argument that names its connection.
    :param default_conn_name: Of a hook: the connection that it takes where none is named.
    :param stray_fields: Names that its own docstring describes and no constructor takes.
    :param references: What its docstring's ``Source:`` lines name.
    """

    kind: str
    name: str
    public: str
    package: str
    summary: str
    description: str
    source: Source
    parameters: tuple[Parameter, ...] = ()
    inherits: tuple[str, ...] = ()
    mro: tuple[str, ...] = ()
    methods: tuple[Method, ...] = ()
    template_fields: tuple[str, ...] = ()
    template_ext: tuple[str, ...] = ()
    deferrable: bool = False
    abstract: bool = False
    base: bool = False
    hook: str = ""
    conn_type: str = ""
    conn_name_attr: str = ""
    default_conn_name: str = ""
    stray_fields: tuple[str, ...] = ()
    raises: tuple[Raises, ...] = ()
    references: tuple[str, ...] = ()
    since: str = ""
    deprecated: str = ""
    system: str = ""
    static: bool = False
    archiving: bool = False
    durable: bool = False
    triggers: tuple[str, ...] = ()
    links: tuple[ExtraLink, ...] = ()
    ui_color: str = ""
    ui_fgcolor: str = ""
    used_by: tuple[str, ...] = ()

    @property
    def short(self) -> str:
        """The bare class name."""
        return self.name.rpartition(".")[2]

    @property
    def import_line(self) -> str:
        """What a user writes at the top of a file."""
        module, _, name = self.public.rpartition(".")
        return f"from {module} import {name}"


@dataclass(frozen=True, slots=True)
class ConnectionField:
    """One field of a connection's form.

    :param standard: True for the columns that every connection has, such as ``host``.
    :param type: JSON Schema type of an extra field.
    """

    name: str
    label: str
    standard: bool
    type: str = "string"
    description: str = ""
    placeholder: str = ""
    default: str = ""
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection type, with its form as the UI draws it.

    :param uri: An example as one URI, as Airflow itself would write it.
    :param json: The same as JSON.
    """

    conn_type: str
    title: str
    hook: str
    package: str
    fields: tuple[ConnectionField, ...] = ()
    uri: str = ""
    json: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric that a package emits."""

    name: str
    kind: str
    unit: str
    help: str
    tags: tuple[str, ...] = ()
    package: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a settings model.

    :param name: Dotted path; ``<name>`` stands for a key that the site chooses.
    :param section: The path without its last step.
    """

    name: str
    section: str
    type: str
    default: str
    required: bool
    description: str
    unit: str = ""
    section_description: str = ""


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """One class of an exception tree.

    :param parent: Name of the error above it; empty for the top.
    """

    name: str
    module: str
    parent: str
    retryable: bool
    summary: str
    description: str
    source: Source


@dataclass(frozen=True, slots=True)
class RuleEntry:
    """One rule of a check.

    :param id: What reports and waivers name.
    :param why: What goes wrong for whom where it does not hold.
    :param group: The module whose table it stands in.
    :param bad: Code that breaks it.
    :param good: The same, mended.
    :param fix: What to do, as an instruction.
    :param options: How a site sets it, as the TOML that holds where nothing is set.
    """

    id: str
    title: str
    why: str
    severity: str
    group: str = ""
    bad: str = ""
    good: str = ""
    fix: str = ""
    options: str = ""

    @property
    def has_page(self) -> bool:
        """Whether there is more to show of it than a row of a table can hold."""
        return bool(self.bad or self.good or self.fix)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that a package hands out to be shown; cells are reStructuredText."""

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read, kept so that a page or a check can say so.

    :param kind: ``module``, ``class``, ``dag`` or ``table``.
    """

    kind: str
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """All that was found, in a stable order.

    :param moment: ISO time that runs to come are counted from.
    """

    version: int = CATALOG_VERSION
    moment: str = ""
    packages: tuple[Package, ...] = ()
    classes: tuple[ClassEntry, ...] = ()
    connections: tuple[Connection, ...] = ()
    metrics: tuple[Metric, ...] = ()
    settings: tuple[Setting, ...] = ()
    errors: tuple[ErrorEntry, ...] = ()
    dags: tuple[Dag, ...] = ()
    broken_dags: tuple[BrokenDagFile, ...] = ()
    sources: tuple[DataSource, ...] = ()
    entities: tuple[Entity, ...] = ()
    tables: tuple[Table, ...] = ()
    additions: tuple[Addition, ...] = ()
    options: tuple[Option, ...] = ()
    rules: tuple[RuleEntry, ...] = ()
    problems: tuple[Problem, ...] = ()

    def of_kind(self, kind: str, *, bases: bool = False) -> tuple[ClassEntry, ...]:
        """Classes of one kind, in the walked packages alone unless ``bases``."""
        return tuple(
            each for each in self.classes if each.kind == kind and (bases or not each.base)
        )

    def to_json(self) -> str:
        """One document; equal catalogues give equal bytes."""
        return adapter(type(self)).dump_json(self, indent=1).decode() + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Catalog:
        """Read a catalogue back.

        :raises ValueError: It is none, or of a newer format than this release knows.
        """
        catalog: Catalog = adapter(cls).validate_json(text)
        if catalog.version > CATALOG_VERSION:
            raise ValueError(
                f"catalogue format {catalog.version} is newer than {CATALOG_VERSION}; "
                f"upgrade the package that reads it"
            )
        return catalog


def adapter(model: Any) -> TypeAdapter[Any]:  # Any: one adapter for each dataclass here
    """The reader and writer of one dataclass; pydantic loads only where JSON is met."""
    return _adapter(model)


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:  # Any: as above
    from pydantic import TypeAdapter

    return TypeAdapter(model)


def catalog_schema() -> dict[str, Any]:  # Any: a JSON Schema
    """JSON Schema of the catalogue's document."""
    return adapter(Catalog).json_schema(mode="serialization")
