"""What a site sets: ``platform.toml`` and the environment, as one validated model.

The file is searched in this order, and the first that exists is taken: an explicit path (Airflow's
option ``[platform_ops] config``, handed in by ``ingest``), ``$PLATFORM_OPS_CONFIG``,
``$AIRFLOW_HOME/conf/platform.toml``, ``./conf/platform.toml``. With none of them the defaults hold.
``PLATFORM_OPS__ARCHIVE__ROOT`` and its like override single fields of ``[archive]``; an empty one
takes the file's value back to the default.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from platform_ops.entity import Entity
from platform_ops.errors import ConfigError, EntityUndeclared
from platform_ops.url_scheme import DEFAULT_TEMPLATE, Template

__all__ = [
    "ArchiveSettings",
    "EntitySettings",
    "Loaded",
    "Mode",
    "OnExisting",
    "Settings",
    "SourceSettings",
    "load",
]

CONFIG_ENV: Final = "PLATFORM_OPS_CONFIG"
OVERRIDE_PREFIX: Final = "PLATFORM_OPS__"

OnExisting = Literal["revise", "reuse", "fail"]
Mode = Literal["auto", "refetch", "replay"]


def _checked_template(text: str) -> str:
    Template.compile(text)
    return text


def _checked_root(text: str) -> str:
    if re.match(r"(az|abfss?)://[^/]*@", text):
        raise ValueError(
            f"{text!r}: the account belongs in archive.connection or AZURE_STORAGE_ACCOUNT_NAME; "
            "write abfs://container/prefix"
        )
    if not re.match(r"(file:///+[^/]|(s3|gs|az|abfss?)://[^/@]+(/|$))", text):
        raise ValueError(
            f"{text!r} is no archive root; write file:///absolute/folder, s3://bucket/prefix, "
            "gs://bucket/prefix or abfs://container/prefix"
        )
    return text.rstrip("/")


def _checked_source(text: str) -> str:
    if not text or "." in text:
        raise ValueError(f"{text!r}: a source's name is not empty and has no dot")
    return text


def _checked_name(text: str) -> str:
    if not text:
        raise ValueError("an entity's name is not empty")
    return text


def _default_root() -> str:
    home = os.environ.get("AIRFLOW_HOME") or Path.home() / "airflow"
    return f"file://{Path(home).absolute() / 'archive'}"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)


class ArchiveSettings(_Section):
    """``[archive]``: where revisions live, and what happens to a slot that is filled already."""

    root: Annotated[str, AfterValidator(_checked_root)] = Field(
        default_factory=_default_root,
        description=(
            "URL of the folder or bucket prefix that holds the archive: ``file:///…``, ``s3://…``, "
            "``gs://…`` or ``abfs://…``."
        ),
        json_schema_extra={"default_text": "file://$AIRFLOW_HOME/archive"},
    )
    template: Annotated[str, AfterValidator(_checked_template)] = Field(
        DEFAULT_TEMPLATE,
        description="URL template of a slot's folder. Old revisions stay readable after a change.",
    )
    connection: str | None = Field(
        None,
        description=(
            "Airflow connection with the credentials of the root; the environment's are used without."
        ),
    )
    undeclared: Literal["report", "fail"] = Field(
        "report",
        description="What an entity that is not declared here meets: a warning and its metric, or an error.",
    )
    on_existing: OnExisting = Field(
        "revise",
        description=(
            "What another run does to a slot that holds a revision: add one, reuse it, or fail."
        ),
    )


class EntitySettings(_Section):
    """``[sources.<source>.entities.<entity>]``: the agreement on one entity."""

    description: str = Field("", description="What one capture of it holds, in a sentence.")
    owner: str | None = Field(
        None, description="Who answers for it; the source's owner where unset."
    )
    sensitivity: Literal["public", "internal", "confidential", "personal"] = Field(
        "internal", description="How its payloads may be handled."
    )
    retention_days: int | None = Field(
        None,
        ge=1,
        description="How long a revision is kept after its commit; kept for ever where unset.",
        json_schema_extra={"unit": "days"},
    )
    on_existing: OnExisting | None = Field(
        None, description="Overrides ``archive.on_existing`` for this entity."
    )
    mode: Mode = Field(
        "auto",
        description=(
            "``auto`` fetches; ``refetch`` ignores what is archived; ``replay`` never asks the source."
        ),
    )


class SourceSettings(_Section):
    """``[sources.<source>]``: one system that entities come from."""

    description: str = Field("", description="What the system is, in a sentence.")
    owner: str | None = Field(None, description="Who answers for the agreement with it.")
    url: str | None = Field(None, description="Where people read about it; never used by a task.")
    entities: dict[Annotated[str, AfterValidator(_checked_name)], EntitySettings] = Field(
        default_factory=dict, description="Its entities, by name."
    )


class Settings(_Section):
    """All of ``platform.toml``."""

    archive: ArchiveSettings = Field(
        default_factory=ArchiveSettings, description="The archive, and its URL scheme."
    )
    sources: dict[Annotated[str, AfterValidator(_checked_source)], SourceSettings] = Field(
        default_factory=dict, description="The systems that entities come from, by name."
    )

    def entity(self, entity: Entity) -> EntitySettings:
        """What the site agreed on for this entity; defaults where it is not declared.

        :raises EntityUndeclared: It is not declared, and ``archive.undeclared`` is ``fail``.
        """
        declared = self.declared(entity)
        if declared is None and self.archive.undeclared == "fail":
            known = ", ".join(str(each) for each in self.entities()) or "none"
            raise EntityUndeclared(
                f"entity {str(entity)!r} is not declared, and archive.undeclared = 'fail'; add "
                f"[sources.{entity.source}.entities.{_toml_key(entity.name)}] to platform.toml "
                f"(declared: {known})"
            )
        return declared or EntitySettings()

    def declared(self, entity: Entity) -> EntitySettings | None:
        """The entity's own table, if the file has one."""
        source = self.sources.get(entity.source)
        return source.entities.get(entity.name) if source else None

    def entities(self) -> Iterator[Entity]:
        """Every declared entity, in the file's order."""
        for source, settings in self.sources.items():
            for name in settings.entities:
                yield Entity(source, name)

    def on_existing(self, entity: Entity) -> OnExisting:
        """The policy in force for this entity."""
        declared = self.declared(entity)
        return (declared.on_existing if declared else None) or self.archive.on_existing


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
    home = os.environ.get("AIRFLOW_HOME")
    stat = found.stat() if found else None
    stamp = (stat.st_mtime_ns, stat.st_size) if stat else None
    return _load(found, stamp, overrides, values, home)


@lru_cache(maxsize=8)
def _load(
    path: Path | None,
    stamp: tuple[int, int] | None,  # noqa: ARG001  # part of the cache's key
    overrides: tuple[str, ...],
    values: tuple[str, ...],
    home: str | None,  # noqa: ARG001  # part of the cache's key
) -> Loaded:
    text = _read(path) if path else ""
    try:
        plain: dict[str, Any] = tomllib.loads(text)  # Any: TOML values, validated below
    except tomllib.TOMLDecodeError as err:
        raise ConfigError(f"{path}: not valid TOML: {err}") from err
    for name, value in zip(overrides, values, strict=True):
        _override(plain, name, value)
    try:
        return Loaded(Settings.model_validate(plain), path, overrides)
    except ValidationError as err:
        raise ConfigError(_explain(err, path, text, overrides)) from err


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


def _explain(err: ValidationError, path: Path | None, text: str, overrides: tuple[str, ...]) -> str:
    lines = []
    for fault in err.errors():
        location = [str(step) for step in fault["loc"] if step != "[key]"]
        variable = OVERRIDE_PREFIX + "__".join(location).upper()
        if variable in overrides:
            where = f"${variable}"
        else:
            where = f"{path}:{_line_of(text, location)}: {'.'.join(location)}"
        lines.append(f"{where}: {_advice(fault['type'], fault['msg'], location)}")
    return "\n".join(lines)


def _advice(kind: str, message: str, location: list[str]) -> str:
    if kind == "extra_forbidden":
        return f"unknown field; right here are: {', '.join(_fields_at(location[:-1]))}"
    if kind in ("model_type", "dict_type"):
        return f"must be a table; write [{'.'.join(map(_toml_key, location))}] and its fields below"
    return message.removeprefix("Value error, ")


def _fields_at(location: list[str]) -> list[str]:
    model: type[BaseModel] = Settings
    if location[:1] == ["archive"]:
        model = ArchiveSettings
    elif location[:1] == ["sources"] and len(location) > 1:
        model = EntitySettings if len(location) > 3 else SourceSettings
    return list(model.model_fields)


def _line_of(text: str, location: list[str]) -> int:
    """Line of the deepest part of ``location`` that the text spells out; 1 when none does."""
    table: list[str] = []
    best, depth = 1, 0
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if header := re.match(r"\[\[?([^\]]+)\]", stripped):
            table = _dotted(header[1])
            spelled = table
        elif key := re.match(r"([^=#]+?)\s*=", stripped):
            spelled = table + _dotted(key[1])
        else:
            continue
        common = 0
        while common < min(len(spelled), len(location)) and spelled[common] == location[common]:
            common += 1
        if common == len(spelled) and common > depth:
            best, depth = number, common
    return best


def _dotted(text: str) -> list[str]:
    return [bare or quoted for quoted, bare in re.findall(r"""["']([^"']*)["']|([^.\s]+)""", text)]


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'


def as_mapping(settings: Settings) -> Mapping[str, Any]:  # Any: JSON values
    """The settings as plain values, for ``doctor`` and the site."""
    return settings.model_dump(mode="json")
