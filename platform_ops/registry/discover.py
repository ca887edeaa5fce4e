"""Which modules there are, found without importing any of them."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from platform_ops.errors import ConfigError
from platform_ops.registry.config import CatalogConfig

__all__ = ["FoundModule", "FoundPackage", "Provider", "folder_of", "packages", "source_files"]

PROVIDER_GROUP = "apache_airflow_provider"
# What may be of interest: a class, or a function that Airflow's listeners or policies call.
_CLASS = re.compile(r"^\s*class\s|^\s*@(?:\w+\.)*hookimpl\b", re.MULTILINE)
_NOT_WALKED = frozenset({"__pycache__", "tests", "node_modules"})
_NOT_IMPORTED = frozenset({"__main__", "conftest", "setup"})


@dataclass(frozen=True, slots=True)
class FoundModule:
    """A module that may define classes."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Provider:
    """An entry point that describes an Airflow provider.

    :param target: ``module:function`` that returns the provider's description.
    """

    target: str
    distribution: str
    version: str

    @property
    def module(self) -> str:
        """Where the description lies."""
        return self.target.partition(":")[0]

    @property
    def package(self) -> str:
        """The package that the description lies in."""
        return self.module.rpartition(".")[0] or self.module


@dataclass(frozen=True, slots=True)
class FoundPackage:
    """A package to walk."""

    name: str
    folder: Path
    modules: tuple[FoundModule, ...]
    providers: tuple[Provider, ...]
    distribution: str
    version: str


def packages(config: CatalogConfig) -> tuple[FoundPackage, ...]:
    """The packages that a configuration names, directly or by entry points.

    :raises ConfigError: One of them is not installed.
    """
    providers = _providers()
    names = dict.fromkeys(config.packages)
    for group in config.entry_points:
        if group == PROVIDER_GROUP:
            names.update(dict.fromkeys(each.package for each in providers))
        else:
            names.update(dict.fromkeys(each.value for each in metadata.entry_points(group=group)))
    return tuple(_package(name, providers, config.exclude) for name in names)


def folder_of(name: str) -> Path:
    """Where a package lies; its parents are not imported, since importing ``airflow`` takes seconds.

    :raises ConfigError: It is not to be found.
    """
    top, *rest = name.split(".")
    found = importlib.util.find_spec(top)  # finds a top-level name without importing it
    places = [Path(each) for each in (found and found.submodule_search_locations) or ()]
    if not rest and found is not None and found.origin and not places:
        return Path(found.origin)  # a single module
    # A namespace such as `airflow.providers` may have portions anywhere on the path.
    places += (Path(entry or ".", top) for entry in sys.path)
    for place in places:
        candidate = place.joinpath(*rest)
        for path in (candidate, candidate.with_name(f"{candidate.name}.py")):
            if path.exists() and (rest or path in places):
                return path
    raise ConfigError(
        f"airflow_catalog: package {name!r} is not installed beside {sys.executable}; install it "
        "there, your own project by `pip install -e .`"
    )


def source_files(folder: Path) -> Iterator[Path]:
    """Every Python file of a package, in a stable order."""
    if folder.is_file():
        yield folder
        return
    for path in sorted(folder.rglob("*.py")):
        if not _NOT_WALKED.intersection(path.relative_to(folder).parts):
            yield path


def _package(name: str, providers: Iterable[Provider], exclude: Iterable[str]) -> FoundPackage:
    folder = folder_of(name)
    mine = tuple(each for each in providers if _inside(each.module, name))
    exact = [each for each in mine if each.package == name]
    distribution, version = (
        (exact[0].distribution, exact[0].version) if exact else _distribution(name)
    )
    modules = tuple(
        FoundModule(module, path)
        for path in source_files(folder)
        if (module := _module_name(name, folder, path)).rpartition(".")[2] not in _NOT_IMPORTED
        and not any(_inside(module, each) for each in exclude)
        and _CLASS.search(path.read_text(encoding="utf-8", errors="replace"))
    )
    return FoundPackage(name, folder, modules, mine, distribution, version)


def _module_name(package: str, folder: Path, path: Path) -> str:
    if folder.is_file():
        return package
    steps = path.relative_to(folder).with_suffix("").parts
    if steps[-1] == "__init__":
        steps = steps[:-1]
    return ".".join((package, *steps))


def _inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _providers() -> tuple[Provider, ...]:
    return tuple(
        Provider(
            each.value, each.dist.name if each.dist else "", each.dist.version if each.dist else ""
        )
        for each in sorted(metadata.entry_points(group=PROVIDER_GROUP), key=lambda it: it.value)
    )


def _distribution(package: str) -> tuple[str, str]:
    try:
        found = metadata.distribution(package.replace("_", "-").replace(".", "-"))
    except metadata.PackageNotFoundError:
        return "", ""
    return found.name, found.version
