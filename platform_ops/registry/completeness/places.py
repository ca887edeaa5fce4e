"""Files of findings as a reader finds them: relative to the project that the site belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from platform_ops.errors import ConfigError
from platform_ops.findings import Place
from platform_ops.registry.discover import folder_of

__all__ = ["located", "project_root", "shown"]


def project_root(site: Path) -> Path:
    """The folder that a site's project begins in, whatever folder a command is run from.

    :param site: The folder of its ``conf.py``.
    """
    home = site.resolve()
    for folder in home.parents:
        if (folder / ".git").exists() or (folder / "pyproject.toml").is_file():
            return folder
    return home.parent


def shown(path: Path, root: Path) -> str:
    """A path as it is told: relative where it lies in the project."""
    resolved = path.resolve()
    if resolved.is_relative_to(root):
        return resolved.relative_to(root).as_posix()
    return str(resolved)


def located(site: Path) -> Callable[[Place], Place]:
    """What turns the files of a catalogue into files of the project.

    The catalogue tells a package's files relative to where it is imported from, and DAGs relative to
    the site. What lies elsewhere, such as an installed package, keeps its short name.
    """
    root = project_root(site)

    @cache
    def moved(file: str) -> str:
        for candidate in (site / file, *_imported(file)):
            if candidate.is_file():
                found = shown(candidate, root)
                return file if found.startswith("/") else found
        return file

    return lambda place: replace(place, file=moved(place.file)) if place.file else place


def _imported(file: str) -> list[Path]:
    try:
        return [folder_of(Path(file).parts[0].removesuffix(".py")).parent / file]
    except (ConfigError, ValueError):
        return []
