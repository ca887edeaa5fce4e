"""What packages are, and what they bring to Airflow besides classes."""

from __future__ import annotations

from dataclasses import dataclass

from platform_ops.registry.models.location import Source

__all__ = ["Addition", "Integration", "Option", "Package", "Parameter", "UriScheme"]


@dataclass(frozen=True, slots=True)
class Integration:
    """A system that a provider serves.

    :param url: Where people read about it.
    :param tags: What sort of system it is, such as ``protocol``.
    """

    name: str
    url: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UriScheme:
    """What a provider registers for one scheme of URIs; a field is empty where it registers nothing.

    :param filesystem: Module that ``ObjectStoragePath`` asks for a file system.
    :param asset_handler: What normalises the URI of an asset.
    :param asset_factory: What makes an asset of it.
    :param lineage_converter: What makes an OpenLineage data set of it.
    :param remote_logging: What writes task logs there.
    """

    scheme: str
    filesystem: str = ""
    asset_handler: str = ""
    asset_factory: str = ""
    lineage_converter: str = ""
    remote_logging: str = ""


@dataclass(frozen=True, slots=True)
class Package:
    """One package that was walked.

    :param name: Its import name.
    :param distribution: What it is installed as; empty for a plain folder.
    :param python: Versions of Python that it admits.
    :param dependencies: Requirements without an extra, as its author wrote them.
    :param extras: Optional requirements, by the name of the extra.
    """

    name: str
    distribution: str = ""
    version: str = ""
    title: str = ""
    description: str = ""
    python: str = ""
    dependencies: tuple[str, ...] = ()
    extras: tuple[tuple[str, tuple[str, ...]], ...] = ()
    integrations: tuple[Integration, ...] = ()
    uri_schemes: tuple[UriScheme, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a constructor or function.

    :param type: The annotation as its author wrote it; empty where there is none.
    :param default: How Python would show it; None where the argument is required.
    :param declared_by: The class whose constructor takes it, or the function.
    :param documented_by: The class whose docstring describes it; empty where none does.
    :param documented_type: The type that this docstring names, if it does; ``type`` is the true one.
    :param renderer: How the UI shows a templated value, where the class says so.
    :param mappable: Whether ``.expand()`` may be given many values of it.
    """

    name: str
    type: str
    default: str | None
    required: bool
    keyword_only: bool
    declared_by: str
    description: str = ""
    documented_by: str = ""
    documented_type: str = ""
    templated: bool = False
    renderer: str = ""
    mappable: bool = False


@dataclass(frozen=True, slots=True)
class Addition:
    """Something besides a class that a package adds to Airflow.

    :param kind: ``decorator``, ``macro``, ``listener`` or ``policy``.
    :param name: What a user types, such as ``task.docker``; of a listener or policy, its hook.
    :param target: Dotted path of the function; its identity together with ``name``.
    :param operator: Of a decorator: dotted name of the operator that it makes a function into.
    """

    kind: str
    name: str
    target: str
    package: str
    source: Source
    summary: str = ""
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    operator: str = ""
    since: str = ""
    deprecated: str = ""

    @property
    def key(self) -> str:
        """What tells it from others of its kind: many functions may serve one hook."""
        return self.name if self.kind in ("decorator", "macro") else self.target


@dataclass(frozen=True, slots=True)
class Option:
    """One option of Airflow's configuration that a package brings.

    :param default: Empty where there is none.
    :param since: The version of the package that added it.
    """

    section: str
    name: str
    package: str
    type: str = "string"
    default: str = ""
    description: str = ""
    example: str = ""
    secret: bool = False
    since: str = ""
    deprecated: str = ""
    section_description: str = ""

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"AIRFLOW__{self.section.upper().replace('.', '_')}__{self.name.upper()}"
