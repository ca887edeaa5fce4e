"""Published packages of several authors and shapes, and a scan of their sources that imports nothing.

The scan knows Airflow's conventions alone: a class is of a kind when its bases lead, by name, to one
that Airflow or a provider calls by that kind. It shares no code with the catalogue.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

__all__ = ["KINDS", "PACKAGES", "Scanned", "scan"]

PACKAGES: Final = {
    "airflow.providers.cncf.kubernetes": "Apache's largest shape: executors, decorators, secrets, links",
    "airflow.providers.slack": "Apache: transfers and notifiers",
    "cosmos": "Astronomer: lazy facade, plugin, policy, listener, modules for clouds that are not there",
    "great_expectations_provider": "Great Expectations: Google's docstrings, a library that moved on",
    "fivetran_provider_async": "Fivetran: hook, triggers, an extra link",
}

KINDS: Final = ("Sensor", "Operator", "Hook", "Trigger", "Notifier")
_NOT_WALKED: Final = {"tests", "example_dags"}


@dataclass(frozen=True)
class Scanned:
    """A public class, its module, and the words that tell its kind."""

    module: str
    name: str
    kind: str


def scan(package: str) -> Iterator[Scanned]:
    """Every public class of a package that Airflow's conventions call by a kind."""
    for module, path in _modules(package):
        for node in _parsed(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                kind = _kind(module, node.name, frozenset())
                if kind:
                    yield Scanned(module, node.name, kind)


@cache
def _modules(package: str) -> tuple[tuple[str, Path], ...]:
    spec = find_spec(package)
    assert spec is not None, f"{package} is not installed"
    assert spec.submodule_search_locations, f"{package} is no package"
    folder = Path(spec.submodule_search_locations[0])
    found = []
    for path in sorted(folder.rglob("*.py")):
        steps = path.relative_to(folder).with_suffix("").parts
        if not _NOT_WALKED.intersection(steps):
            found.append(
                (".".join((package, *(each for each in steps if each != "__init__"))), path)
            )
    return tuple(found)


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


@cache
def _file_of(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _kind(module: str, name: str, seen: frozenset[tuple[str, str]]) -> str:
    """Follow the bases by name, through imports, until one is called by a kind in Airflow itself."""
    path = _file_of(module)
    own = not module.startswith("airflow.") or module.startswith("airflow.providers.")
    if not own or path is None:  # Airflow's, or not installed: its name is all there is
        named = (kind for kind in KINDS if kind in name and not name.endswith("Link"))
        return next(named, "")
    tree = _parsed(path)
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    cls = next((node for node in classes if node.name == name), None)
    names = [name] if cls is None else [ast.unparse(base).partition("[")[0] for base in cls.bases]
    for written in names:
        for meant in _meanings(tree, module, written):
            if meant not in seen and (kind := _kind(*meant, seen | {(module, name)})):
                return kind
    return ""


def _meanings(tree: ast.Module, module: str, written: str) -> Iterator[tuple[str, str]]:
    """Where a name comes from; each of the imports that may bind it, for versions of Airflow differ."""
    head, _, attribute = written.partition(".")
    imported = False
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == head:
                    imported = True
                    yield (
                        (f"{node.module}.{alias.name}", attribute)
                        if attribute
                        else (
                            node.module,
                            alias.name,
                        )
                    )
    if not imported and not attribute:
        yield module, written
