"""What providers say of themselves: systems, connection types, options, and what their classes are.

Runs in the worker process. A provider is whatever has an entry point ``apache_airflow_provider``; its
description has the shape of ``provider_info.schema.json``, of which every part may be missing.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import Any

from platform_ops.registry.classes.classify import DECLARED
from platform_ops.registry.connections import connection
from platform_ops.registry.discover import Provider
from platform_ops.registry.models.catalog import Connection, Problem
from platform_ops.registry.models.providers import Integration, Option, Package, UriScheme

__all__ = ["Declared", "ProviderResult", "describe", "package_of"]

_Info = Mapping[str, Any]  # Any: a document of Airflow's schema


@dataclass(slots=True)
class Declared:
    """What only descriptions say of modules, classes and functions, by dotted name.

    :param kinds: Of a class, or of the classes of a module.
    :param systems: What a module works with.
    :param decorators: Function to the name after ``@task.``.
    """

    kinds: dict[str, str] = field(default_factory=dict)
    systems: dict[str, str] = field(default_factory=dict)
    decorators: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class ProviderResult:
    """What providers say of themselves."""

    packages: list[Package] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    options: list[Option] = field(default_factory=list)
    declared: Declared = field(default_factory=Declared)
    problems: list[Problem] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def describe(providers: Iterable[Provider]) -> ProviderResult:
    """Call each provider's entry point, and read what it answers."""
    result = ProviderResult()
    for provider in providers:
        module, _, function = provider.target.partition(":")
        try:
            loaded = importlib.import_module(module)
            _read(getattr(loaded, function)(), provider, result)
        except (Exception, SystemExit) as err:  # noqa: BLE001  foreign code may raise anything
            result.problems.append(Problem("module", module, f"{type(err).__name__}: {err}"))
            continue
        if loaded.__file__:
            result.files.append(loaded.__file__)
    return result


def package_of(name: str, distribution: str, version: str) -> Package:
    """A package as the metadata of its distribution describes it."""
    package = Package(name, distribution, version)
    try:
        about = metadata.metadata(distribution)
    except (metadata.PackageNotFoundError, ValueError):  # a plain folder, or no name at all
        return package
    needs = about.get_all("Requires-Dist") or []
    extras = {
        extra: tuple(_bare(each) for each in needs if _extra_of(each) == extra)
        for extra in about.get_all("Provides-Extra") or []
    }
    return replace(
        package,
        description="".join(about.get_all("Summary") or []),
        python="".join(about.get_all("Requires-Python") or []),
        dependencies=tuple(each for each in needs if not _extra_of(each)),
        extras=tuple((name, wanted) for name, wanted in extras.items() if wanted),
    )


def _extra_of(requirement: str) -> str:
    _, mark, rest = requirement.partition("extra == ")
    return rest.strip("\"') ") if mark else ""


def _bare(requirement: str) -> str:
    return requirement.partition(";")[0].strip()


def _read(info: _Info, provider: Provider, result: ProviderResult) -> None:
    name = provider.package
    known = package_of(name, provider.distribution, provider.version)
    result.packages.append(
        replace(
            known,
            title=str(info.get("name", "")),
            description=str(info.get("description") or known.description).strip(),
            integrations=tuple(_integration(each) for each in info.get("integrations", ())),
            uri_schemes=tuple(_uri_schemes(info)),
        )
    )
    result.connections += (connection(each, name) for each in info.get("connection-types", ()))
    result.options += _options(info, name)
    _declare(info, result.declared)


def _integration(info: _Info) -> Integration:
    url, tags = str(info.get("external-doc-url") or ""), info.get("tags") or ()
    return Integration(str(info["integration-name"]), url, tuple(map(str, tags)))


def _uri_schemes(info: _Info) -> Iterator[UriScheme]:
    found: dict[str, UriScheme] = {}
    for each in info.get("asset-uris", ()):
        for scheme in each.get("schemes", ()):
            found[scheme] = UriScheme(
                scheme,
                asset_handler=each.get("handler") or "",
                asset_factory=each.get("factory") or "",
                lineage_converter=each.get("to_openlineage_converter") or "",
            )
    for module in info.get("filesystems", ()):
        for scheme in _schemes_of(module):
            found[scheme] = replace(found.get(scheme, UriScheme(scheme)), filesystem=module)
    for each in info.get("remote-logging", ()):
        scheme = str(each.get("scheme", ""))
        known = found.get(scheme, UriScheme(scheme))
        found[scheme] = replace(known, remote_logging=str(each.get("classpath", "")))
    yield from found.values()


def _schemes_of(module: str) -> list[str]:
    """A file system's module says itself which schemes it serves."""
    try:
        return [str(each) for each in importlib.import_module(module).schemes]
    except (Exception, SystemExit):  # noqa: BLE001  an optional dependency of that file system
        return []


def _options(info: _Info, package: str) -> Iterator[Option]:
    for section, body in (info.get("config") or {}).items():
        for name, each in (body.get("options") or {}).items():
            yield Option(
                section=section,
                name=name,
                package=package,
                type=str(each.get("type") or "string"),
                default=_text(each.get("default")),
                description=_text(each.get("description")).strip(),
                example=_text(each.get("example")),
                secret=bool(each.get("sensitive")),
                since=_text(each.get("version_added")),
                deprecated=_text(each.get("deprecation_reason") or each.get("version_deprecated")),
                section_description=_text(body.get("description")).strip(),
            )


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _declare(info: _Info, declared: Declared) -> None:
    for section in ("operators", "sensors", "hooks", "triggers", "bundles"):
        for group in info.get(section, ()):
            system = str(group.get("integration-name", ""))
            modules = group.get("python-modules", ())
            declared.systems.update((str(module), system) for module in modules)
    for each in info.get("transfers", ()):
        module = str(each.get("python-module", ""))
        declared.kinds[module] = "transfer"
        ends = (each.get("source-integration-name"), each.get("target-integration-name"))
        declared.systems[module] = " → ".join(map(str, filter(None, ends)))
    for section, kind in DECLARED.items():
        names = (each for each in info.get(section, ()) if isinstance(each, str))
        declared.kinds.update((name, kind) for name in names)
    for each in info.get("task-decorators", ()):
        declared.decorators[str(each.get("class-name"))] = str(each.get("name"))
