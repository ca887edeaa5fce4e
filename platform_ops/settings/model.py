"""The fields of ``platform.toml``: one validated model, each field with help, unit and default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from platform_ops.checks import Format
from platform_ops.entity import Entity
from platform_ops.errors import EntityUndeclared
from platform_ops.redaction import FieldPath
from platform_ops.schedule import Schedule
from platform_ops.settings.archive import ArchiveSettings
from platform_ops.settings.choices import Codec, Mode, OnExisting, Reaction, Severity
from platform_ops.settings.conventions import ConventionSettings
from platform_ops.settings.notify import (
    ChannelSettings,
    NotifySettings,
    TeamSettings,
    check_routes,
    route,
)
from platform_ops.settings.section import Section
from platform_ops.settings.ui import UiSettings

__all__ = [
    "DocsSettings",
    "EntitySettings",
    "MetricsSettings",
    "Settings",
    "SourceSettings",
    "toml_key",
]


def _checked_source(text: str) -> str:
    if not text or "." in text:
        raise ValueError(f"{text!r}: a source's name is not empty and has no dot")
    return text


def _checked_name(text: str) -> str:
    if not text:
        raise ValueError("an entity's name is not empty")
    return text


def _checked_schedule(text: str) -> str:
    Schedule.parse(text)
    return text


def _checked_zone(name: str) -> str:
    Schedule.parse("@daily", name)
    return name


def _checked_field(text: str) -> str:
    return FieldPath.compile(text).text


def _checked_url(text: str) -> str:
    if not re.match(r"https?://[^/\s]+", text):
        raise ValueError(f"{text!r} is no address of a site; write https://docs.example.com/stable")
    return text.rstrip("/")


class EntitySettings(Section):
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
    keep_newest: bool = Field(
        False, description="Never expire the newest revision of a slot, whatever its age."
    )
    on_existing: OnExisting | None = Field(
        None, description="Overrides ``archive.on_existing`` for this entity."
    )
    codec: Codec = Field(
        "none",
        description=(
            "How bodies are stored: as they came, or compressed; images, archives and the like are left as "
            "they came. Their digest is that of the bytes as they came."
        ),
    )
    pack: bool = Field(
        False,
        description="Whether many small bodies share one object, of which each can be read alone.",
    )
    redact: tuple[Annotated[str, AfterValidator(_checked_field)], ...] = Field(
        (),
        description=(
            "Fields of JSON bodies that are never archived, as JSON Pointers in which ``*`` stands for any "
            "member or element and ``**`` for any depth: ``/customers/*/email``, ``/**/ssn``."
        ),
    )
    format: Format | None = Field(
        None,
        description=(
            "What bodies are, for ``on_unparsable``: ``json``, ``jsonl``, ``csv``, ``parquet`` or ``xml``. "
            "By their media type, else by their name, where unset."
        ),
    )
    on_empty: Reaction = Field(
        "accept",
        description=(
            "What a delivery without a byte, or without a row, meets: ``fail`` the task for good, ``skip`` "
            "it, ``warn`` and take it, or ``accept`` it. What is refused is kept as evidence."
        ),
    )
    on_truncated: Reaction | None = Field(
        None,
        description=(
            "What a body meets that ends before its announced length: as above, but a retry may follow "
            "``fail``. Where unset the try fails as well, and nothing is kept of it."
        ),
    )
    on_unparsable: Reaction = Field(
        "accept",
        description=(
            "What a body meets that is not of its format, looked at while it is archived. ``accept`` does "
            "not look."
        ),
    )
    on_small: Reaction = Field(
        "accept",
        description=(
            "What a delivery meets that is far smaller than those before it, in rows, else in bytes. "
            "``accept`` does not look."
        ),
    )
    on_large: Reaction = Field(
        "accept",
        description=(
            "What a delivery meets that is far larger than those before it, or than ``limit_bytes``. "
            "``accept`` does not look."
        ),
    )
    volume_floor: int = Field(
        8,
        ge=3,
        description="Captures that ``on_small`` and ``on_large`` want to know before they judge another.",
        json_schema_extra={"unit": "captures"},
    )
    limit_bytes: int | None = Field(
        None,
        ge=1,
        description=(
            "A delivery of more bytes is refused as large at once, before it ends; it is skipped where "
            "``on_large`` says so, and fails otherwise."
        ),
        json_schema_extra={"unit": "bytes"},
    )
    mode: Mode = Field(
        "auto",
        description=(
            "``auto`` fetches; ``refetch`` ignores what is archived; ``replay`` never asks the source."
        ),
    )
    schedule: Annotated[str, AfterValidator(_checked_schedule)] | None = Field(
        None,
        description=(
            "When a slot is expected, for ``archive status``: a cron expression, ``@daily`` and its "
            "like, or a period such as ``every 15 minutes``; inferred from what arrived where unset."
        ),
    )
    timezone: Annotated[str, AfterValidator(_checked_zone)] = Field(
        "UTC", description="Time zone of a cron expression in ``schedule``."
    )
    grace_minutes: int | None = Field(
        None,
        ge=0,
        description=(
            "How long after its time a slot may arrive before it is missing; until the next slot's "
            "time where unset."
        ),
        json_schema_extra={"unit": "minutes"},
    )


class SourceSettings(Section):
    """``[sources.<source>]``: one system that entities come from."""

    description: str = Field("", description="What the system is, in a sentence.")
    owner: str | None = Field(None, description="Who answers for the agreement with it.")
    url: str | None = Field(None, description="Where people read about it; never used by a task.")
    entities: dict[Annotated[str, AfterValidator(_checked_name)], EntitySettings] = Field(
        default_factory=dict, description="Its entities, by name."
    )


class DocsSettings(Section):
    """``[docs]``: the site that describes what runs here."""

    base_url: Annotated[str, AfterValidator(_checked_url)] | None = Field(
        None,
        description=(
            "Address of the published site, down to the version: Airflow's page of a task then leads "
            "to the page of its operator."
        ),
    )


class MetricsSettings(Section):
    """``[metrics]``: what is told of entities to whatever watches them."""

    undeclared: Literal["named", "together"] = Field(
        "named",
        description=(
            "Whether entities that this file lacks have series of their own, or one together as "
            "``undeclared``: then the file bounds how many series there are."
        ),
    )


class Settings(Section):
    """All of ``platform.toml``."""

    archive: ArchiveSettings = Field(
        default_factory=ArchiveSettings, description="The archive, and its URL scheme."
    )
    docs: DocsSettings = Field(
        default_factory=DocsSettings, description="The site that describes what runs here."
    )
    metrics: MetricsSettings = Field(
        default_factory=MetricsSettings,
        description="What is told of entities to what watches them.",
    )
    ui: UiSettings = Field(
        default_factory=UiSettings, description="The archive browser in Airflow's UI."
    )
    conventions: ConventionSettings = Field(
        default_factory=ConventionSettings, description="What DAGs are held to."
    )
    notify: NotifySettings = Field(
        default_factory=NotifySettings, description="Who is told what went wrong, and how often."
    )
    teams: dict[str, TeamSettings] = Field(
        default_factory=dict,
        description="The teams that answer for DAGs and entities, by name; each may be a file of its own.",
    )
    sources: dict[Annotated[str, AfterValidator(_checked_source)], SourceSettings] = Field(
        default_factory=dict, description="The systems that entities come from, by name."
    )

    @model_validator(mode="after")
    def _check_routes(self) -> Self:
        check_routes(self.notify, self.teams)
        return self

    def channels(self, team: str | None, severity: Severity) -> dict[str, ChannelSettings]:
        """Where a message of a team goes, by the channels' names."""
        return route(self.notify, self.teams, team, severity)

    def entity(self, entity: Entity) -> EntitySettings:
        """What the site agreed on for this entity; defaults where it is not declared.

        :raises EntityUndeclared: It is not declared, and ``archive.undeclared`` is ``fail``.
        """
        declared = self.declared(entity)
        if declared is None and self.archive.undeclared == "fail":
            known = ", ".join(str(each) for each in self.entities()) or "none"
            raise EntityUndeclared(
                f"entity {str(entity)!r} is not declared, and archive.undeclared = 'fail'; add "
                f"[sources.{entity.source}.entities.{toml_key(entity.name)}] to platform.toml "
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


def toml_key(name: str) -> str:
    """A key as TOML wants it written."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'
