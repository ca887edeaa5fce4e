"""What the archive's commands share: their arguments, and the archive that they look into."""

from __future__ import annotations

import getpass
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cached_property, wraps
from typing import Any, Final, TypeVar, cast

import click

from platform_ops import archive
from platform_ops.archive import Store
from platform_ops.archive.place import templates_of
from platform_ops.archive.records import browse, read
from platform_ops.cli import Invocation
from platform_ops.entity import Entity, Manifest, Slot
from platform_ops.errors import UrlError
from platform_ops.settings import Settings
from platform_ops.url_scheme import Template

__all__ = [
    "Site",
    "SlotOptions",
    "entity_argument",
    "parse_entity",
    "parse_time",
    "prefixes",
    "range_options",
    "record_options",
    "slot_options",
    "time_option",
    "wanted",
]

_DAYS_AGO: Final = {"today": 0, "yesterday": 1}
_AGO: Final = re.compile(r"(?P<count>[0-9]{1,5})(?P<unit>[dh])")

Value = TypeVar("Value")
Command = TypeVar("Command", bound=Callable[..., Any])  # Any: a click callback of any parameters


def parse_time(text: str, now: datetime | None = None) -> datetime:
    """An ISO 8601 date or time, UTC where it names no zone; or ``today``, ``7d`` and their like.

    :param now: What the words count from; the time of the call otherwise.
    :raises click.BadParameter: It is none.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        if text in _DAYS_AGO:
            return midnight - timedelta(days=_DAYS_AGO[text])
        if hit := _AGO.fullmatch(text):
            count = int(hit["count"])
            return (
                midnight - timedelta(days=count)
                if hit["unit"] == "d"
                else moment - timedelta(hours=count)
            )
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is no ISO 8601 date or time; write 2026-01-05, 2026-01-05T06:00 (UTC), "
            "2026-01-05T06:00+02:00, today, yesterday, 7d (midnight UTC, seven days ago) or 12h"
        ) from None


def parse_entity(text: str) -> Entity:
    """An entity, written ``source.name``.

    :raises click.BadParameter: It is none.
    """
    try:
        return Entity.parse(text)
    except UrlError as err:
        raise click.BadParameter(str(err)) from None


def entity_argument(*, required: bool) -> Callable[[Command], Command]:
    """``ENTITY``, handed to the command as ``entity``."""
    callback = _converter(parse_entity)
    return click.argument("entity", required=required, callback=callback)


@dataclass(frozen=True)
class Site:
    """The archive in question.

    :param settings: The site's, as found for this call.
    """

    settings: Settings

    @classmethod
    def of(cls, ctx: click.Context) -> Site:
        """The site that the options in front of the command name, or the one that is found."""
        return cls(Invocation.of(ctx).settings())

    @cached_property
    def store(self) -> Store:
        """Where the bytes are; nothing is asked of it before a command needs it."""
        return archive.root(self.settings)

    @cached_property
    def templates(self) -> list[Template]:
        """The template in force, and those that older data was written with."""
        return templates_of(self.settings)


@dataclass(frozen=True, slots=True)
class SlotOptions:
    """What narrows an entity down to one revision of one slot."""

    time: datetime | None
    part: str | None
    map_key: str | None
    team: str | None
    revision: int | None = None

    def slot(self, entity: Entity) -> Slot:
        """The entity's slot that these options name.

        :raises click.UsageError: No time is given.
        """
        if self.time is None:
            raise click.UsageError(f"{entity}: give --time, the time of its slot")
        return Slot(entity, self.time, self.part, self.map_key, self.team)

    @property
    def given(self) -> bool:
        """Whether any of them is."""
        return any(value is not None for value in (self.time, self.part, self.map_key, self.team))


def slot_options(*, revision: bool) -> Callable[[Command], Command]:
    """The options of :class:`SlotOptions`, handed to the command as ``options``.

    :param revision: Whether a revision can be pinned.
    """
    options = [
        time_option("--time", "Time of the slot; UTC unless it names a zone."),
        click.option("--part", metavar="KEY", help="Partition key of the slot."),
        click.option("--map", "map_key", metavar="KEY", help="Map key of the slot."),
        click.option("--team", metavar="TEAM", help="Team of the slot, on a multi-team site."),
    ]
    if revision:
        number = click.IntRange(min=1)
        options.append(
            click.option("--revision", type=number, help="A revision; the newest otherwise.")
        )
    names = [field.name for field in fields(SlotOptions)]

    def decorate(command: Command) -> Command:
        @wraps(command)
        def call(*args: Any, **given: Any) -> Any:  # Any: what click hands over
            chosen = SlotOptions(**{name: given.pop(name, None) for name in names})
            return command(*args, options=chosen, **given)

        return _applied(options)(cast("Command", call))

    return decorate


def record_options(command: Command) -> Command:
    """``--reason`` and ``--by``, for what is recorded of a person's decision."""
    options = [
        click.option("--reason", required=True, metavar="TEXT", help="Why; it is recorded."),
        click.option(
            "--by",
            default=getpass.getuser,
            show_default="your login",
            metavar="NAME",
            help="Who asks for it; it is recorded.",
        ),
    ]
    return _applied(options)(command)


def range_options() -> Callable[[Command], Command]:
    """``--since``, ``--until`` and ``--on``, handed to the command as ``since`` and ``until``."""
    options = [
        time_option(
            "--since", "Slots from this time on: ISO 8601, UTC unless it names a zone; or 7d."
        ),
        time_option("--until", "Slots before this time, which is left out."),
        time_option("--on", "Slots of the 24 hours from this time on: --on yesterday."),
    ]

    def decorate(command: Command) -> Command:
        @wraps(command)
        def call(
            *args: Any, on: datetime | None = None, **given: Any
        ) -> Any:  # Any: as click hands over
            if on is not None:
                if given["since"] is not None or given["until"] is not None:
                    raise click.UsageError(
                        "--on says it all: give neither --since nor --until with it"
                    )
                given |= {"since": on, "until": on + timedelta(days=1)}
            since, until = given["since"], given["until"]
            if since is not None and until is not None and until <= since:
                raise click.UsageError(
                    f"--until {until:%Y-%m-%dT%H:%MZ} is not after --since {since:%Y-%m-%dT%H:%MZ}: "
                    "no slot can be between them"
                )
            return command(*args, **given)

        return _applied(options)(cast("Command", call))

    return decorate


def wanted(site: Site, what: str, options: SlotOptions) -> Manifest:
    """The revision that an entity and options, or a URL, name; an entity alone means what came last.

    :raises NotArchived: There is none.
    """
    if "://" in what:
        if options.given or options.revision is not None:
            raise click.UsageError("a URL names its slot and revision: give no options with it")
        return read.manifest_at(site.store, browse.manifest_key_at(site.store, what))
    entity = parse_entity(what)
    if not options.given and options.revision is None:
        key = browse.newest(site.store, site.templates, entity).manifest_keys[-1]
        return read.manifest_at(site.store, key)
    slot = options.slot(entity)
    return archive.newest(slot, revision=options.revision, settings=site.settings)


def prefixes(site: Site, what: str | None) -> list[str]:
    """Slot folders in question: of an entity under every template, of a URL, or as they are given."""
    if what is None:
        return [""]
    if "://" in what:
        key = what.removeprefix(f"{site.store.url}/").strip("/")
        tree, _, prefix = key.partition("/")
        if key == site.store.url.strip("/"):
            return [""]
        if tree not in ("data", "meta"):
            raise UrlError(f"{what}: give a URL below {site.store.url}/meta or …/data")
        return [prefix]
    if "/" in what or what in {template.prefix for template in site.templates}:
        return [what.strip("/")]
    entity = parse_entity(what)
    return sorted({template.folder_of(entity) for template in site.templates})


def _converter(
    parse: Callable[[str], Value],
) -> Callable[[click.Context, click.Parameter, str | None], Value | None]:
    # A callback, where a ParamType would do: that class became generic between click's releases.
    def convert(ctx: click.Context, param: click.Parameter, text: str | None) -> Value | None:  # noqa: ARG001
        return None if text is None else parse(text)

    return convert


def time_option(name: str, text: str) -> Callable[[Command], Command]:
    """An option that takes a time, see :func:`parse_time`."""
    return click.option(name, metavar="TIME", callback=_converter(parse_time), help=text)


def _applied(options: list[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
