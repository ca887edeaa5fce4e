"""Where the settings come from: a file, found in a fixed order, and the environment over it."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from platform_ops.errors import ConfigError
from platform_ops.settings.archive import ArchiveSettings
from platform_ops.settings.faults import OVERRIDE_PREFIX, explain
from platform_ops.settings.model import Settings
from platform_ops.settings.notify import TeamSettings

__all__ = ["CONFIG_ENV", "Loaded", "load"]

CONFIG_ENV: Final = "PLATFORM_OPS_CONFIG"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each came from, for ``doctor`` to tell.

    :param path: The file that was read; None where the defaults hold.
    :param overrides: Names of the environment variables that changed a field.
    """

    settings: Settings
    path: Path | None
    overrides: tuple[str, ...]


def load(path: str | os.PathLike[str] | None = None) -> Loaded:
    """Read the site's settings; the same file is parsed once per process and change.

    :param path: Takes the place of the search.
    :raises ConfigError: The file is missing, unreadable, no TOML, or a field in it is wrong; the
        message gives file, line, field and what would be right.
    """
    found = _find(path)
    overrides = tuple(sorted(name for name in os.environ if name.startswith(OVERRIDE_PREFIX)))
    values = tuple(os.environ[name] for name in overrides)
    home = os.environ.get("AIRFLOW_HOME") or str(Path.home())
    files = (found, *_teams(found)) if found else ()
    stamps = tuple(
        (each, stat.st_mtime_ns, stat.st_size) for each in files for stat in [each.stat()]
    )
    return _load(stamps, overrides, values, home)


@lru_cache(maxsize=8)
def _load(
    files: tuple[tuple[Path, int, int], ...],
    overrides: tuple[str, ...],
    values: tuple[str, ...],
    home: str,  # noqa: ARG001  # part of the cache's key
) -> Loaded:
    paths = [each for each, _, _ in files]
    path = paths[0] if paths else None
    text = _read(path) if path else ""
    plain = _parsed(path, text)
    for each in paths[1:]:
        _add_team(plain, each, path)
    for name, value in zip(overrides, values, strict=True):
        _override(plain, name, value)
    try:
        return Loaded(Settings.model_validate(plain), path, overrides)
    except ValidationError as err:
        raise ConfigError(explain(err, path, text, overrides)) from err


def _parsed(path: Path | None, text: str) -> dict[str, Any]:  # Any: TOML values, validated later
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        raise ConfigError(f"{path}: not valid TOML: {err}") from err


def _teams(path: Path) -> list[Path]:
    """Files of teams, beside the site's own."""
    folder = path.with_name("teams")
    try:
        return sorted(each for each in folder.iterdir() if each.suffix == ".toml")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as err:  # what is in it must not be overlooked
        raise ConfigError(f"{folder}: cannot be read: {err}") from err


def _add_team(plain: dict[str, Any], file: Path, path: Path | None) -> None:  # Any: TOML values
    """Put a team's file where its table would stand; its faults are told by its own lines."""
    text = _read(file)
    table = _parsed(file, text)
    try:
        TeamSettings.model_validate(table)
    except ValidationError as err:
        raise ConfigError(explain(err, file, text, (), ("teams", file.stem))) from err
    teams = plain.setdefault("teams", {})
    if isinstance(teams, dict):  # else the file's fault, told by validation
        if file.stem in teams:
            raise ConfigError(
                f"{file}: {path} has a table [teams.{file.stem}] too; keep one of them"
            )
        teams[file.stem] = table


def _find(path: str | os.PathLike[str] | None) -> Path | None:
    named = path or os.environ.get(CONFIG_ENV)
    if named:
        found = Path(named)
        if not _is_file(found):
            asked = "Airflow's option [platform_ops] config" if path else f"${CONFIG_ENV}"
            raise ConfigError(
                f"{found}: no such file, and {asked} names it; create it or unset that"
            )
        return found.absolute()
    homes = [os.environ.get("AIRFLOW_HOME"), "."]
    candidates = [Path(home, "conf", "platform.toml") for home in homes if home]
    return next((each.absolute() for each in candidates if _is_file(each)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as err:  # a folder that may not be entered: what is in it must not be overlooked
        raise ConfigError(f"{path}: cannot be read: {err}") from err


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError(f"{path}: cannot be read: {err}") from err


def _override(plain: dict[str, Any], name: str, value: str) -> None:  # Any: TOML values
    section, _, field = name.removeprefix(OVERRIDE_PREFIX).lower().partition("__")
    if section != "archive" or field not in ArchiveSettings.model_fields:
        known = ", ".join(
            f"{OVERRIDE_PREFIX}ARCHIVE__{each.upper()}" for each in ArchiveSettings.model_fields
        )
        raise ConfigError(f"${name}: overrides no setting; the environment may set {known}")
    table = plain.setdefault(section, {})
    if not isinstance(table, dict):
        return  # [archive] is no table: the file's fault, told by validation
    if value:
        table[field] = value
    else:
        table.pop(field, None)
